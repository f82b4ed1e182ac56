"""A jam without sockets or clocks: real sessions and the real planner over a toy engine."""

from typing import NamedTuple

import numpy as np
import pytest

from inference.loop import Resident
from inference.planner import Bucket
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.chords import parse_symbol
from schema.client_messages import MelodyRun, NoteEvent, Settings, SymbolRun
from schema.engine_messages import ModelInfo, unpack_values
from schema.tokens import NOTHING, NUM_CHORDS, chord_hold, chord_onset, first_break, note_hold, note_onset
from sideman.simulate import Player, answers, melody_runs, note_events, rounds, symbol_runs
from sideman.tunes import fixture_tunes

BUCKETS = (Bucket(1, 1, 4), Bucket(4, 1, 1), Bucket(4, 1, 4), Bucket(4, 64, 1))
INFO, OFFLINE = ModelInfo("toy", "online", 0.8), ModelInfo("all ears", "offline", 0.8)
C, F = parse_symbol("C").chord, parse_symbol("F").chord


class Song(NamedTuple):
    melody: np.ndarray
    chords: np.ndarray
    beats_per_bar: int = 4


def song(frames=96):
    """A note of three frames and a frame of rest; a chord a bar."""
    melody = [(note_onset(60 + f // 4 % 5), note_hold(60 + f // 4 % 5), note_hold(60 + f // 4 % 5), 0)[f % 4] for f in range(frames)]
    chords = [(chord_onset if f % 16 == 0 else chord_hold)((C, F)[f // 16 % 2]) for f in range(frames)]
    return Song(np.array(melody), np.array(chords))


@pytest.fixture
def resident():
    return Resident(INFO, ToyEngine(4), BUCKETS)


@pytest.fixture
def offline():
    return Resident(OFFLINE, ToyEngine(4, offline=True), BUCKETS)


def play(residents, *players):
    """All to their ends; every reply checked against the one made by hand. All requests, with the plan or None they led to."""
    history = []
    for wave in rounds(players):
        asked = {request.session: (player, request) for player, request in wave}
        assert len(asked) == len(wave)
        for reply in answers(residents, [request for _, request in wave]):
            player, request = asked.pop(reply.session)
            assert unpack_values(reply.chords) == plan_by_hand(request, offline=request.model == OFFLINE.name)
            history.append((request, player.take(reply)))
        assert not asked
    return history


def settings(**fields):
    return Settings(model="toy", **fields)


def frames_of(plan):
    return {frame: run.symbol for run in plan.chords for frame in range(run.start, run.start + run.length)}


@pytest.mark.parametrize("commit", [0, 1, 2, 4])
def test_committed_chords_sound_as_they_were_promised(resident, commit):
    """P2, heard by the player: what was committed once is what every later plan says and what sounds."""
    player = Player(song(), [INFO], settings(commit_beats=commit, silence_beats=2), name="a", seed=1)
    promised = {}
    for _, plan in play([resident], player):
        said = frames_of(plan)
        assert all(said[frame] == symbol for frame, symbol in promised.items() if frame in said)
        promised |= {frame: symbol for frame, symbol in said.items() if frame < plan.committed_until}
    symbols = {run.start + i: run.symbol for run in symbol_runs(player.sounded) for i in range(run.length)}
    assert len(promised) > 80 or not commit
    assert all(symbols[frame] == symbol for frame, symbol in promised.items() if frame in symbols)
    assert player.over
    assert len(player.sounded) == 96


@pytest.mark.parametrize("silence", [0, 2, 8])
def test_the_silence_is_kept_and_then_there_are_chords(resident, silence):
    """P7: N below the silence; with the first chord in time."""
    player = Player(song(), [INFO], settings(silence_beats=silence, commit_beats=0), name="a", seed=2)
    play([resident], player)
    assert player.sounded[: 4 * silence] == [NOTHING] * 4 * silence
    first = max(1, 4 * silence)  # frame 0 has no tick before it
    assert player.sounded[first] != NOTHING
    assert first_break(player.sounded, NUM_CHORDS) is None


def test_a_primed_jam_begins_with_the_human_chords(resident):
    """They sound, they are the history of the first plan, and a chord that runs on may be held."""
    player = Player(song(), [INFO], settings(), name="a", seed=3, primed_frames=24)
    history = play([resident], player)
    assert player.sounded[:24] == song().chords[:24].tolist()
    request = history[0][0]
    assert (request.first_frame, request.window_start) == (25, 0)
    assert unpack_values(request.chords)[:24] == song().chords[:24].tolist()
    assert unpack_values(request.melody)[:23] == song().melody[:23].tolist()
    assert first_break(player.sounded, NUM_CHORDS) is None
    assert len(player.sounded) == 96


def test_with_an_offline_model_the_jam_begins_warm(resident, offline):
    """P10: first the opening, from the melody so far, then the plan, both in one frame; the models see it once a chord has sounded."""
    player = Player(song(), [INFO, OFFLINE], settings(silence_beats=4, commit_beats=0), name="a", seed=6)
    (opening, nothing), (first, plan), *later = play([resident, offline], player)
    assert (opening.session, opening.model, nothing) == ("a/warm-start", "all ears", None)
    assert unpack_values(opening.melody)[:11] == song().melody[:11].tolist()
    assert (first.session, first.model, first.seq) == ("a", "toy", opening.seq)
    assert unpack_values(first.chords) == [NOTHING] * 16
    (warm,) = {request.chords[: 2 * 16] for request, _ in later if request.window_start == 0 and request.first_frame > 16}
    assert unpack_values(warm)[:12] == plan_by_hand(opening, offline=True)
    assert sum(run.length for run in plan.warm_start) == 16
    assert {request.model for request, _ in later} == {"toy"}
    assert (player.plans, player.sounded[:16]) == (1 + len(later), [NOTHING] * 16)
    assert player.sounded[16] != NOTHING
    cold = Player(song(), [INFO], settings(silence_beats=4, commit_beats=0), name="b", seed=6)
    play([resident], cold)
    assert cold.sounded != player.sounded
    assert cold.plans == player.plans


def test_warm_and_cold_players_share_waves(resident, offline):
    """Each hears what it would alone, though the warm one asks twice in one frame."""
    chosen = settings(silence_beats=2)
    together = [Player(song(), models, chosen, name=f"{len(models)}", seed=7) for models in ([INFO], [INFO, OFFLINE])]
    play([resident, offline], *together)
    for player, models in zip(together, ([INFO], [INFO, OFFLINE]), strict=True):
        alone = Player(song(), models, chosen, name="alone", seed=7)
        play([resident, offline], alone)
        assert player.sounded == alone.sounded


def test_a_primed_jam_has_no_warm_start(resident, offline):
    """There were chords already."""
    player = Player(song(), [INFO, OFFLINE], settings(), name="a", seed=8, primed_frames=24)
    assert {request.model for request, _ in play([resident, offline], player)} == {"toy"}


def test_players_side_by_side_hear_what_they_would_alone(resident):
    """Of different lengths; the longer plays on."""
    together = [Player(song(frames), [INFO], settings(), name=f"{frames}", seed=frames) for frames in (60, 96)]
    play([resident], *together)
    for player, frames in zip(together, (60, 96), strict=True):
        alone = Player(song(frames), [INFO], settings(), name="alone", seed=frames)
        play([resident], alone)
        assert player.sounded == alone.sounded
        assert len(player.sounded) == frames


def test_revisions_are_counted_of_what_was_left_open(resident):
    """With everything committed nothing can be revised; the toy engine, which listens to every note, revises much otherwise."""
    free, bound = (Player(song(), [INFO], settings(commit_beats=commit), name=f"{commit}", seed=4) for commit in (0, 4))
    play([resident], free, bound)
    assert free.overlap >= free.revised > 0
    assert (bound.overlap, bound.revised) == (0, 0)


def test_a_long_jam_passes_window_hops(resident):
    """Every plan of a jam longer than the window is the one made by hand."""
    player = Player(song(330), [INFO], settings(), name="a", seed=5)
    assert {request.window_start for request, _ in play([resident], player)} == {0, 64, 128}


def test_note_events_are_keys_down_and_up():
    melody = np.array([note_onset(60), note_hold(60), note_onset(60), note_onset(62), 0, 0])
    events = [note_events(melody, frame) for frame in range(6)]
    off, on = NoteEvent(2, 60, on=False), NoteEvent(2, 60, on=True)
    assert events == [
        [NoteEvent(0, 60, on=True)],
        [],
        [off, on],
        [NoteEvent(3, 60, on=False), NoteEvent(3, 62, on=True)],
        [NoteEvent(4, 62, on=False)],
        [],
    ]


def test_runs_of_a_history():
    melody = np.array([0, note_onset(60), note_hold(60), note_onset(60), 0])
    assert melody_runs(melody) == [MelodyRun(1, 2, 60), MelodyRun(3, 1, 60)]
    values = [chord_hold(C), chord_hold(C), chord_onset(C), 0, 0, chord_onset(F)]
    assert symbol_runs(values) == [
        SymbolRun(0, 2, "C", onset=False),
        SymbolRun(2, 1, "C", onset=True),
        SymbolRun(3, 2, "N", onset=False),
        SymbolRun(5, 1, "F", onset=True),
    ]


def test_fixture_tunes_are_melodies_on_the_grid():
    tunes = fixture_tunes()
    assert {tune.name for tune in tunes} >= {"sunday_walk", "santa_lucia"}
    for tune in tunes:
        assert (tune.melody > 0).any()
        assert not tune.chords.any()
        assert len(tune.melody) == len(tune.chords)
        assert tune.beats_per_bar in (3, 4)
