"""Windows: transposition, jumps, controls, masks; and that a batch depends on nothing but its number."""

import dataclasses
import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.chords import Chord, pitch_classes, transpose
from schema.grid import WINDOW_FRAMES
from schema.tokens import (
    DENSITIES,
    NOTHING,
    NUM_CHORDS,
    NUM_PITCHES,
    STYLES,
    action_of,
    chord_hold,
    chord_of,
    chord_onset,
    first_break,
    note_hold,
    note_onset,
    pitch_of,
)
from tests.schema_strategies import FEW, grammatical
from training.corpora import Song
from training.windows import (
    TRANSPOSITIONS,
    Batch,
    actions,
    density_of,
    held_out_batches,
    jumped,
    jumped_chords,
    jumped_melody,
    random_batch,
    random_jumps,
    song_weights,
    transpose_chords,
    transpose_melody,
    with_cold_start,
    without_metre,
)

C, G = Chord(0, "maj"), Chord(7, "7")
shifts = st.sampled_from(list(TRANSPOSITIONS))


def song(name: str, frames: int, *, beats_per_bar: int = 4, style: str = "pop", phase: int = 0) -> Song:
    """C and G7 a bar each and a note every two frames; `phase` frames of the first bar are missing."""
    index = np.arange(phase, frames + phase)
    bar = beats_per_bar * 4
    struck = index % bar == 0
    chord = np.where(index // bar % 2 == 0, chord_onset(C), chord_onset(G)) + np.where(struck, 0, NUM_CHORDS)
    pitch = 60 + index // 2 % 7
    melody = np.where(index % 2 == 0, note_onset(0), note_hold(0)) + pitch
    return Song(name, "pop909", style, beats_per_bar, melody.astype(np.int16), chord.astype(np.int16))


SONGS = [song("a", 700), song("b", 320, beats_per_bar=3, style="folk"), song("c", 90, phase=5), song("d", 1001, beats_per_bar=6, phase=3)]
WEIGHTS = np.full(len(SONGS), 1 / len(SONGS))


def batch(step: int, rows: int = 24, seed: int = 3) -> Batch:
    return random_batch(SONGS, WEIGHTS, rows, seed, step)


def assert_equal(one: Batch, other: Batch) -> None:
    for name, a, b in zip(Batch._fields, one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=name)


@FEW
@given(grammatical(NUM_CHORDS, min_size=1), grammatical(NUM_PITCHES, min_size=1), shifts)
def test_transposition_keeps_music_together(chords: list[int], melody: list[int], shift: int):
    """Roots and pitches move alike: what was in the chord stays in it, the rhythm stays, the grammar holds, and back is back."""
    moved, sung = transpose_chords(np.array(chords, np.int16), shift), transpose_melody(np.array(melody, np.int16), shift)
    assert first_break(moved.tolist(), NUM_CHORDS) is None
    assert first_break(sung.tolist(), NUM_PITCHES) is None
    assert transpose_chords(moved, -shift).tolist() == chords
    for before, after in zip(chords, moved.tolist(), strict=True):
        chord = chord_of(before)
        assert chord_of(after) == (None if chord is None else transpose(chord, shift))
        assert (before > NUM_CHORDS) == (after > NUM_CHORDS)
    for before, after in zip(melody, sung.tolist(), strict=True):
        pitch = pitch_of(before)
        assert (pitch is None) == (pitch_of(after) is None)
        assert pitch is None or ((pitch_of(after) or 0) - pitch - shift) % 12 == 0
        assert (before > NUM_PITCHES) == (after > NUM_PITCHES)
    for value, note, new_value, new_note in zip(chords, melody, moved.tolist(), sung.tolist(), strict=False):
        chord, other, pitch, new_pitch = chord_of(value), chord_of(new_value), pitch_of(note), pitch_of(new_note)
        if chord and other and pitch is not None and new_pitch is not None:
            assert (pitch % 12 in pitch_classes(chord)) == (new_pitch % 12 in pitch_classes(other))


def test_pitches_at_the_edge_stay_an_octave_inside():
    """A pitch that would leave 0..127 goes to the next octave inside; silence stays silence."""
    values = np.array([note_onset(1), note_hold(1), note_onset(127), NOTHING])
    assert [pitch_of(int(v)) for v in transpose_melody(values, -6)] == [7, 7, 121, None]
    assert [pitch_of(int(v)) for v in transpose_melody(values, 5)] == [6, 6, 120, None]


@FEW
@given(grammatical(NUM_CHORDS), grammatical(NUM_PITCHES))
def test_actions_of_arrays_are_those_of_the_schema(chords: list[int], melody: list[int]):
    """The array version says what `schema.tokens.action_of` says."""
    assert actions(np.array(chords, int), NUM_CHORDS).tolist() == [action_of(v, NUM_CHORDS) for v in chords]
    assert actions(np.array(melody, int), NUM_PITCHES).tolist() == [action_of(v, NUM_PITCHES) for v in melody]


@pytest.mark.parametrize(("beats", "word"), [(8, "sparse"), (5, "sparse"), (4, "calm"), (3, "medium"), (2, "lively"), (1, "busy")])
def test_density_counts_beats_per_onset(beats: int, word: str):
    """From a change every five beats on a stretch is sparse; from one every 1.75 beats down it is busy."""
    chords = np.tile([chord_onset(C)] + [chord_hold(C)] * (4 * beats - 1), 10)
    assert DENSITIES[density_of(chords)] == word


def test_density_without_chords_is_sparse():
    """No onset at all counts as one, and is never 'unspecified'."""
    assert DENSITIES[density_of(np.zeros(64, int))] == "sparse"


@FEW
@given(grammatical(NUM_CHORDS, first_may_hold=True), st.integers(0, 50))
def test_cold_start_is_silence_then_the_running_chord_struck(chords: list[int], silence: int):
    """N for the silence, then the chords as they were, a running one struck; the grammar holds and the input is untouched."""
    values = np.array(chords, np.int16)
    cold = with_cold_start(values, silence)
    assert values.tolist() == chords
    assert (cold[:silence] == NOTHING).all()
    assert [chord_of(int(v)) for v in cold[silence:]] == [chord_of(v) for v in chords[silence:]]
    assert cold[silence + 1 :].tolist() == chords[silence + 1 :]
    if silence:
        assert first_break(cold.tolist(), NUM_CHORDS) is None


def test_songs_weigh_by_length():
    """Without a mix every frame is as likely; with one each corpus has its share, and within it songs weigh by length."""
    songs = [song("a", 120), *(dataclasses.replace(song("b", frames), corpus="rs200") for frames in (40, 160))]
    lengths = np.array([len(s.melody) for s in songs], float)
    assert song_weights(songs, None).tolist() == (lengths / lengths.sum()).tolist()
    mixed = song_weights(songs, {"rs200": 3.0, "pop909": 1.0})
    np.testing.assert_allclose(mixed, [0.25, 0.75 * 0.2, 0.75 * 0.8])


def test_batches_are_pinned():
    """A run goes on with the very batches it would have had: what is drawn for a seed and a step never changes."""
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for step in (1, 2) for column in batch(step)[:-3]))
    assert digest.hexdigest()[:16] == "9bcdc83feeed5c1d"


def test_a_batch_is_a_function_of_seed_and_step():
    """The same seed and step give the same batch whatever was drawn before; another step or seed gives another."""
    first = batch(7)
    batch(8)
    assert_equal(batch(7), first)
    assert not np.array_equal(batch(8).melody, first.melody)
    assert not np.array_equal(batch(7, seed=4).melody, first.melody)


@pytest.mark.parametrize("step", range(4))
def test_every_batch_keeps_the_grammar(step: int):
    """Inputs and targets are grammatical in every row, and every hold action has something running to hold."""
    b = batch(step)
    for row in range(len(b.chord)):
        assert first_break(b.next_chord[row].tolist(), NUM_CHORDS) is None
        assert first_break(b.chord[row, 1:].tolist(), NUM_CHORDS) is None
        assert first_break(b.melody[row, 1:].tolist(), NUM_PITCHES) is None
    assert not ((b.chord_action == 1) & (b.chord == NOTHING) & b.chord_counts).any()
    assert not ((b.melody_action == 1) & (b.melody == NOTHING) & b.melody_counts).any()


@pytest.mark.parametrize("step", range(4))
def test_targets_are_the_inputs_one_position_later(step: int):
    """Position 0 is the prefix; the target of position i is what is fed at position i + 1."""
    b = batch(step)
    assert b.chord.shape == b.melody.shape == b.place.shape == (24, WINDOW_FRAMES)
    assert not (b.chord[:, 0] | b.melody[:, 0] | b.place[:, 0]).any()
    np.testing.assert_array_equal(b.chord[:, 1:], b.next_chord[:, :-1])
    np.testing.assert_array_equal(b.chord_action, actions(b.next_chord, NUM_CHORDS))
    np.testing.assert_array_equal(b.melody_action[:, :-1], actions(b.melody[:, 1:], NUM_PITCHES))
    assert {b.chord.dtype, b.chord_action.dtype, b.density.dtype} == {np.dtype(np.int32)}
    assert b.chord_counts.dtype == b.melody_counts.dtype == bool


def test_controls_are_told_or_left_unspecified():
    """Density and style are told about every other time, the metre mostly; what is told is true, 0 is unspecified."""
    b = batch(1, rows=400)
    assert 0.4 < (b.density > 0).mean() < 0.6
    assert 0.4 < (b.style > 0).mean() < 0.6
    assert 0.75 < (b.beats_per_bar > 0).mean() < 0.95
    assert set(b.style.tolist()) <= {0, STYLES.index("pop"), STYLES.index("folk")}
    assert set(b.beats_per_bar.tolist()) <= {0, 3, 4, 6}
    told = b.beats_per_bar > 0
    assert (b.place[told] < 4 * b.beats_per_bar[told][:, None]).all()


def test_all_keys_are_met():
    """Over a few batches the music comes in all twelve keys."""
    roots = {int(v - 1) % NUM_CHORDS // (NUM_CHORDS // 12) for s in range(4) for v in batch(s, rows=60).next_chord[:, -200] if v}
    assert roots == set(range(12))


def test_a_chord_begins_on_the_place_it_has_in_the_song():
    """The place fed with a frame is its place in the bar of the song, wherever the window begins."""
    b = random_batch([song("x", 900)], np.ones(1), 40, 1, 1)
    struck = (b.chord[:, 1:] > 0) & (b.chord[:, 1:] <= NUM_CHORDS)
    cold = np.argmax(struck, axis=1)
    for row, first in enumerate(cold):
        places = b.place[row, 1:][struck[row]]
        assert set(places[1:].tolist()) <= {0}
        assert first == 0 or b.chord_counts[row, first]


def test_cold_starts_do_not_count_before_they_end():
    """About a third of the windows begin with 1 to 16 beats of N that are fed but are no targets; the melody counts there."""
    b = random_batch([song("x", 900)], np.ones(1), 300, 1, 2)
    silence = np.argmax(b.next_chord != NOTHING, axis=1)
    assert set(silence.tolist()) <= {4 * beats for beats in range(17)}
    assert 0.25 < (silence > 0).mean() < 0.45
    frames = np.arange(WINDOW_FRAMES)
    for row, frame in enumerate(silence):
        if frame:
            assert not b.chord_counts[row, :frame].any()
            assert b.chord_counts[row, frame]
            assert 1 <= b.next_chord[row, frame] <= NUM_CHORDS
    assert b.melody_counts[:, 1:16].all()
    assert frames[-1] == 255


def whole(one: Song) -> Batch:
    return held_out_batches([one], 1)[0]


def test_what_a_window_could_not_know_does_not_count():
    """A hold in the first frame of a window has no onset before it: it is fed, but is no target."""
    b = whole(song("x", 256, phase=3))
    assert b.next_chord[0, 0] > NUM_CHORDS
    assert b.chord_counts[0].tolist() == [False] + [True] * 255
    assert b.melody_counts[0].tolist() == [False] + [True] * 255
    b = whole(song("x", 256))
    assert b.chord_counts.all()
    assert b.melody_counts.all()


def test_short_songs_are_filled_up_and_the_filling_does_not_count():
    """Behind the end of a song stand N and silence that are no targets."""
    b = whole(song("x", 90))
    assert b.chord_counts[0].tolist() == b.melody_counts[0].tolist() == [True] * 90 + [False] * 166
    assert not b.next_chord[0, 90:].any()
    assert not b.melody_action[0, 90:].any()


def test_held_out_batches_are_whole_songs_in_their_own_key():
    """Consecutive windows in order, told the metre only; a rest of less than half a window is left out, and one of less than a batch."""
    batches = held_out_batches([song("x", 700), song("y", 256, beats_per_bar=3), song("z", 640)], 2)
    assert [len(b.chord) for b in batches] == [2, 2, 2]
    first = batches[0]
    np.testing.assert_array_equal(first.next_chord[0], song("x", 700).chords[:256])
    np.testing.assert_array_equal(first.next_chord[1], song("x", 700).chords[256:512])
    assert first.density.tolist() == first.style.tolist() == [0, 0]
    assert [b.beats_per_bar.tolist() for b in batches] == [[4, 4], [4, 3], [4, 4]]
    assert [len(b.chord) for b in held_out_batches([song("x", 256)], 2)] == [1]  # unless there is nothing else
    assert held_out_batches([], 2) == []


def test_held_out_songs_may_come_once_more_in_another_key_from_the_middle_of_each_window_on():
    plain, moved = held_out_batches([song("x", 512)], 2), held_out_batches([song("x", 512)], 2, jumps=True)
    assert [len(b.chord) for b in moved] == [2, 2]
    np.testing.assert_array_equal(moved[0].next_chord, plain[0].next_chord)
    np.testing.assert_array_equal(moved[1].next_chord[:, :128], plain[0].next_chord[:, :128])
    np.testing.assert_array_equal(moved[1].next_melody[:, 130:] - plain[0].next_melody[:, 130:], 6)
    behind = held_out_batches([song("x", 512)], 2, jumps=True, late=True)
    assert len(behind) == 3
    np.testing.assert_array_equal(behind[2].next_melody, moved[1].next_melody)
    np.testing.assert_array_equal(behind[2].next_chord[:, 128:132], plain[0].next_chord[:, 128:132])
    np.testing.assert_array_equal(behind[2].next_chord[:, 133:], moved[1].next_chord[:, 133:])
    assert not behind[2].chord_counts[:, 128:132].any()
    assert behind[2].chord_counts[:, 132:].all()


def offline_batch(rows: int = 200) -> Batch:
    return random_batch([song("x", 900, phase=3)], np.ones(1), rows, 1, 2, offline=True, silent=0.0)


def test_what_an_offline_model_hears_is_the_melody_of_the_frames_it_predicts():
    """Frame i at position i, where position i + 1 is fed the same frame."""
    for b in (offline_batch(), batch(1)):
        np.testing.assert_array_equal(b.next_melody[:, :-1], b.melody[:, 1:])
        np.testing.assert_array_equal(b.next_place[:, :-1], b.place[:, 1:])
        np.testing.assert_array_equal(b.next_chord[:, :-1], b.chord[:, 1:])


def test_a_quarter_of_the_offline_windows_ends_early():
    """As a melody that is still being played; nothing behind its end is heard or counts."""
    b = offline_batch()
    length = b.known.sum(1)
    assert 0.15 < (length < WINDOW_FRAMES).mean() < 0.35
    assert set((length % 4).tolist()) == {0}
    for row, frames in enumerate(length):
        assert b.known[row, :frames].all()
        assert not b.chord_counts[row, frames:].any()
        assert not b.next_melody[row, frames:].any()


def test_offline_windows_begin_with_a_chord():
    """No silence at first; a chord that runs into the window is struck there, or is no target."""
    b = offline_batch()
    first = b.next_chord[:, 0]
    held = first > NUM_CHORDS
    assert (first != NOTHING).all()
    assert 0.1 < held.mean() < 0.9
    assert not b.chord_counts[held, 0].any()
    assert b.chord_counts[~held, 0].all()


def test_a_jump_strikes_what_was_held():
    """From frame 7 on all is six semitones higher: the note that runs on is struck there, and so is the chord; silence stays silent."""
    one = song("x", 40)
    moved = jumped(one, 7, 6)
    np.testing.assert_array_equal(moved.melody[:7], one.melody[:7])
    np.testing.assert_array_equal(moved.chords[:7], one.chords[:7])
    assert moved.melody[6:9].tolist() == [note_onset(63), note_onset(69), note_onset(70)]
    assert moved.chords[6:9].tolist() == [chord_hold(C), chord_onset(transpose(C, 6)), chord_hold(transpose(C, 6))]
    assert jumped_melody(np.zeros(4, np.int16), 2, 6).tolist() == jumped_chords(np.zeros(4, np.int16), 2, 6).tolist() == [0] * 4
    np.testing.assert_array_equal(jumped_melody(one.melody, 99, 6), one.melody)


@pytest.mark.parametrize("jumps", [0.0, 0.5])
def test_songs_jump_as_often_as_asked(jumps: float):
    """Melody and chords together: then there are more than the song's two roots, and more than its seven pitches."""
    heard = random_batch([song("x", 900)], np.ones(1), 200, 1, 2, silent=0.0, jumps=jumps)
    full = heard.known.all(axis=1)
    roots = (heard.next_chord[full] - 1) % NUM_CHORDS // (NUM_CHORDS // 12)
    moved = np.array([len(set(row)) > 2 for row in roots.tolist()])
    spans = np.ptp((heard.next_melody[full] - 1) % NUM_PITCHES, axis=1)
    np.testing.assert_array_equal(moved, spans > 6)
    assert abs(moved.mean() - jumps) < 0.08


def test_late_chords_follow_on_a_beat_and_count_from_there_on():
    """While the melody is in the new key and the chords are not, nothing is asked of the chords; then one is struck."""
    heard = random_batch([song("x", 900)], np.ones(1), 200, 1, 2, silent=0.0, jumps=1.0, late=1.0)
    plain = random_batch([song("x", 900)], np.ones(1), 200, 1, 2, silent=0.0, jumps=1.0)
    assert (plain.chord_counts | ~plain.known)[:, 1:].all(), "chords in time always count"
    waits, moves = [], []
    for row in np.flatnonzero(heard.known.all(axis=1)):
        stale = np.flatnonzero(heard.known[row, 1:] & ~heard.chord_counts[row, 1:]) + 1
        runs = np.split(stale, np.flatnonzero(np.diff(stale) > 1) + 1)
        moves.append(len(runs))
        for run in runs:
            waits.append(len(run))
            assert (run[0] % 4, len(run) % 4) == (0, 0)
            assert 1 <= heard.next_chord[row, run[-1] + 1] <= NUM_CHORDS
            assert not heard.next_melody[row, run[0]] > NUM_PITCHES, "the note is struck where the melody jumps"
    assert set(waits) == {4, 8, 12, 16}
    assert waits.count(4) > waits.count(16)
    assert 0.3 < np.mean(np.array(moves) == 1) < 0.7, "half of the windows move once"
    assert max(moves) > 3


def test_jumps_stay_near_the_key_they_left():
    """Every one moves, on a beat that leaves time before and after it."""
    found = [random_jumps(np.random.default_rng(seed), 64) for seed in range(300)]
    for jumps in found:
        assert jumps
        beats, moved = zip(*jumps, strict=True)
        assert all(1 <= abs(by) <= 6 for by in moved)
        assert np.abs(np.cumsum(moved)).max() <= 6
        assert 6 <= beats[0] <= beats[-1] < 60
        assert all(6 <= after - before <= 16 for before, after in itertools.pairwise(beats))
    assert {by for jumps in found for _, by in jumps} == {*range(-6, 7)} - {0}


def test_without_metre_nothing_tells_where_bars_begin():
    """All else is as it was."""
    with_metre = batch(1)
    b = without_metre(with_metre)
    assert not b.place.any()
    assert not b.next_place.any()
    assert not b.beats_per_bar.any()
    np.testing.assert_array_equal(b.chord, with_metre.chord)
    np.testing.assert_array_equal(b.style, with_metre.style)
