"""Whole melodies, window by window: every frame gets one chord, whatever the length, the prefix and the metre."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.harmony import HEARD_AHEAD_FRAMES, HEARD_BEFORE_FRAMES, SLACK_MS, Harmony, harmony_for
from schema.chords import Chord, parse_symbol
from schema.client_messages import ChordRun, Harmonize, Harmonized, MelodyRun, Settings, SymbolRun
from schema.codes import ErrorCode, ProtocolError
from schema.engine_messages import PlanReply, PlanRequest, pack_values, unpack_values
from schema.grid import WINDOW_FRAMES, place_in_bar
from schema.plan import Run, values
from schema.tokens import NOTHING, NUM_CHORDS, chord_hold, chord_onset, first_break, note_hold, note_onset
from tests.strategies import HOLD, STRIKE_C, STRIKE_G, chord_actions, legal_chords, reply_to

C, G = Chord(0, "maj"), Chord(7, "maj")


def harmony_of(frames: int, given: Sequence[int] = (), bar_line: int = 0, **changes: Any) -> Harmony:
    """A melody of one long note."""
    melody = [note_onset(60), *[note_hold(60)] * (frames - 1)]
    return Harmony(
        melody, given, session="s/harmonize", seq=5, model="offline", settings=Settings(**changes), seed=3, bar_line=bar_line
    )  # fmt: skip


def parts_of(harmony: Harmony, actions: Sequence[int] = (STRIKE_C, HOLD)) -> list[tuple[PlanRequest, Harmonized]]:
    """Play it through."""
    parts = []
    while (request := harmony.next_request()) is not None:
        parts.append((request, harmony.take(reply_to(request, actions))))
    return parts


def values_of(chord_runs: Sequence[ChordRun]) -> list[int]:
    def value(run: ChordRun) -> int:
        chord = parse_symbol(run.symbol).chord
        return NOTHING if chord is None else chord_onset(chord) if run.onset else chord_hold(chord)

    return values(Run(run.start, run.length, value(run), run.onset) for run in chord_runs)


# ---- windows ----


def test_one_window() -> None:
    """W1: a melody of up to 256 frames is heard as a whole."""
    request = harmony_of(WINDOW_FRAMES, temperature=0.5, beats_per_bar=3, density="busy", style="rock", bar_line=4).next_request()
    assert request == PlanRequest(
        session="s/harmonize",
        seq=5,
        model="offline",
        seed=3,
        window_start=0,
        first_frame=0,
        lookahead_frames=WINDOW_FRAMES,
        chords=b"",
        melody=pack_values([note_onset(60), *[note_hold(60)] * 255]),
        temperature=0.5,
        beats_per_bar=3,
        bar_line=4,
        density=5,
        style=3,
        slack_ms=SLACK_MS,
    )


def test_windows_overlap() -> None:
    """W1: a longer one is decided as far as 64 frames more are heard; the next window begins on the bar line 128 frames before."""
    parts = parts_of(harmony_of(500, beats_per_bar=3))
    assert [(request.window_start, request.first_frame, request.lookahead_frames) for request, _ in parts] == [
        (0, 0, 192),
        (60, 192, 60),
        (120, 252, 60),
        (180, 312, 60),
        (240, 372, 60),
        (300, 432, 68),
    ]
    second = parts[1][0]
    assert unpack_values(second.melody) == [note_hold(60)] * WINDOW_FRAMES
    assert unpack_values(second.chords) == [chord_onset(C), chord_hold(C)] * 66


def test_long_prefix() -> None:
    """W3: where more is given than a window holds, the first window begins near its end."""
    harmony = harmony_of(600, [NOTHING] * 400)
    request = harmony.next_request()
    assert request is not None
    assert (request.window_start, request.first_frame, request.lookahead_frames) == (272, 400, 64)
    assert harmony.take(reply_to(request)).first_frame == 0


def test_nothing_to_ask() -> None:
    """W2: where all is given there is one part, at once."""
    harmony = harmony_of(3, [chord_onset(C), chord_hold(C), NOTHING])
    assert harmony.done
    assert harmony.next_request() is None
    part = harmony.next_part()
    assert (part.seq, part.first_frame, part.until, part.frames) == (5, 0, 3, 3)
    assert [(run.start, run.length, run.symbol, run.onset, bool(run.pitches)) for run in part.chords] == [
        (0, 2, "C", True, True),
        (2, 1, "N", False, False),
    ]


def test_more_given_than_asked_for() -> None:
    """W3: more chords than melody is a bug of the caller."""
    with pytest.raises(AssertionError, match="expected at most 2 chords, got 3"):
        harmony_of(2, [NOTHING] * 3)


@pytest.mark.parametrize(
    ("values", "problem"),
    [([NOTHING] * 3, "expected 4 chords, got 3"), ([chord_hold(C)] * 4, "expected chords that may follow 0"), ([], "got 0")],
)
def test_broken_replies_are_bugs(values: list[int], problem: str) -> None:
    """W2: a reply of another length or against the grammar is a bug of ours."""
    with pytest.raises(AssertionError, match=problem):
        harmony_of(4).take(PlanReply("s/harmonize", 5, pack_values(values)))


# ---- voicing ----


def test_voices_lead_on_from_part_to_part() -> None:
    """P9: a chord that goes on keeps its pitches; the next one moves on from it, over rests too."""
    harmony = harmony_of(400)
    parts = []
    for actions in ((STRIKE_C, *[HOLD] * 500), (HOLD, NOTHING, STRIKE_G, *[HOLD] * 500)):
        request = harmony.next_request()
        assert request is not None
        parts.append(harmony.take(reply_to(request, actions)))
    (struck,) = parts[0].chords
    going_on, rest, after = parts[1].chords
    assert (going_on.onset, going_on.pitches, rest.pitches) == (False, struck.pitches, [])
    straight = harmony_of(4)
    request = straight.next_request()
    assert request is not None
    assert straight.take(reply_to(request, (STRIKE_C, STRIKE_G, HOLD, HOLD))).chords[1].pitches == after.pitches


def test_a_prefix_may_begin_within_a_chord() -> None:
    """P9: a chord that was struck before the melody gets pitches too."""
    (run,) = harmony_of(2, [chord_hold(G)] * 2).next_part().chords
    assert (run.onset, run.pitches[0] % 12) == (False, 7)


# ---- the promise ----


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(1, 1500),
    share=st.floats(0, 1),
    prefix=chord_actions,
    actions=chord_actions,
    beats_per_bar=st.integers(2, 12),
    bar_line=st.integers(0, 100),
)
def test_every_frame_is_decided_once(
    frames: int, share: float, prefix: list[int], actions: list[int], beats_per_bar: int, bar_line: int
) -> None:
    """W2, W3, W6: parts adjoin and cover all; what is given stays; windows are whole, begin on bar lines and hear enough."""
    whole = PlanRequest("", 0, "", 0, 0, 0, round(share * frames), b"", b"", 1.0, 4, 0, 0, 0, 0.0)
    given = legal_chords(whole, prefix)
    harmony = harmony_of(frames, given, bar_line, beats_per_bar=beats_per_bar)
    told: list[int] = [] if not harmony.done else values_of(harmony.next_part().chords)
    for request, part in parts_of(harmony, actions):
        first, known = request.first_frame - request.window_start, unpack_values(request.chords)
        end, heard = first + request.lookahead_frames, request.window_start + len(unpack_values(request.melody))
        assert len(known) == first >= min(request.first_frame, HEARD_BEFORE_FRAMES)
        assert end <= heard - request.window_start <= WINDOW_FRAMES
        assert heard == frames or heard == request.first_frame + request.lookahead_frames + HEARD_AHEAD_FRAMES
        assert request.window_start == 0 or place_in_bar(request.window_start, beats_per_bar, bar_line) == 0
        assert (part.first_frame, part.until) == (len(told), request.first_frame + request.lookahead_frames)
        told += values_of(part.chords)
    assert told == harmony.chords
    assert len(told) == frames
    assert told[: len(given)] == given
    assert first_break([NOTHING, *told], NUM_CHORDS) is None
    again = harmony_of(frames, given, bar_line, beats_per_bar=beats_per_bar)
    parts_of(again, actions)
    assert again.chords == harmony.chords


# ---- messages ----


def asked_for(**changes: Any) -> Harmony:
    given: dict[str, Any] = {"seq": 4, "frames": 8, "melody": [MelodyRun(1, 2, 60)], "chords": [SymbolRun(0, 3, "C")], "bar_line": 2}
    return harmony_for(Harmonize(**given | changes), session="s/harmonize", model="offline", settings=Settings(bpm=90.0), seed=7)


def test_message() -> None:
    """W3: gaps in the melody are rests, chords cover the first frames."""
    harmony = asked_for()
    assert harmony.melody == [0, note_onset(60), note_hold(60), 0, 0, 0, 0, 0]
    assert harmony.chords == [chord_onset(C), chord_hold(C), chord_hold(C)]
    assert (harmony.seq, harmony.model, harmony.settings.bpm, harmony.seed, harmony.bar_line) == (4, "offline", 90.0, 7, 2)


def test_empty_message() -> None:
    """W3: neither notes nor chords are needed; N may come with either `onset`."""
    assert asked_for(melody=[], chords=[]).melody == [NOTHING] * 8
    assert asked_for(chords=[SymbolRun(0, 1, "N", False)]).chords == [NOTHING]


@pytest.mark.parametrize(
    ("changes", "field", "expected", "got"),
    [
        ({"melody": [MelodyRun(0, 3, 60), MelodyRun(2, 1, 60)]}, "melody[1].start", "3 or later, where the run before ends", "2"),
        ({"melody": [MelodyRun(6, 3, 60)]}, "melody[0].length", "an end at frame 8 ($.harmonize.frames) or before", "[6, 9)"),
        ({"chords": [SymbolRun(0, 9, "C")]}, "chords", "8 frames ($.harmonize.frames) at most", "9 frames"),
        ({"chords": [SymbolRun(1, 3, "C")]}, "chords[0].start", "0, where the run before ends", "1"),
        ({"chords": [SymbolRun(0, 3, "C", False)]}, "chords[0].onset", "true, because nothing runs before", "false"),
        ({"chords": [SymbolRun(0, 3, "H")]}, "chords[0].symbol", "a chord symbol such as Cm7 or N", "'H'"),
        (
            {"chords": [SymbolRun(0, 3, "C"), SymbolRun(3, 1, "G", False)]},
            "chords[1].onset",
            "true, because the run before is another chord",
            "false",
        ),
    ],
)
def test_refused(changes: dict[str, Any], field: str, expected: str, got: str) -> None:
    """W3: overlaps, gaps and too much are refused with the path of the field and the message's seq."""
    with pytest.raises(ProtocolError) as caught:
        asked_for(**changes)
    error = caught.value
    assert (error.code, error.field, error.seq) == (ErrorCode.BAD_HISTORY, f"$.harmonize.{field}", 4)
    assert (error.expected, error.got) == (expected, got)
