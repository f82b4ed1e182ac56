"""Windows of songs as training batches: split, crop, transposition, controls, cold starts. Pure.

Axis letters as in `inference/model.py`: B windows · T positions. Position 0 is the prefix, position i + 1 holds frame i;
targets at position i are the actions of frame i.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from schema.grid import FRAMES_PER_BEAT, WINDOW_BEATS, WINDOW_FRAMES
from schema.tokens import DENSITIES, HOLD_ACTION, NOTHING, NUM_CHORDS, NUM_PITCHES, NUM_QUALITIES, STYLES
from training.corpora import Song

# Beats per chord change from which a window counts as sparse, calm, medium, lively; below the last it is busy.
DENSITY_EDGES = (5.0, 3.5, 2.5, 1.75)
TRANSPOSITIONS = range(-6, 6)
LATE_BEATS = (1, 1, 1, 2, 2, 3, 4)  # after which chords that are late follow a melody into its new key


class Batch(NamedTuple):
    """Model inputs and targets, as NumPy or device arrays; masks say which targets count."""

    chord: Any  # int32 [B, T] chord value at each position (prefix: 0)
    melody: Any  # int32 [B, T]
    place: Any  # int32 [B, T]
    density: Any  # int32 [B]
    style: Any  # int32 [B]
    beats_per_bar: Any  # int32 [B]
    next_chord: Any  # int32 [B, T] chord value of the frame that is predicted
    chord_action: Any  # int32 [B, T]
    melody_action: Any  # int32 [B, T]
    chord_counts: Any  # bool [B, T]
    melody_counts: Any  # bool [B, T]
    next_melody: Any  # int32 [B, T] melody value of the frame that is predicted; what an offline model hears
    next_place: Any  # int32 [B, T] its place in the bar
    known: Any  # bool [B, T] whether an offline model may hear it


def transpose_chords(values: np.ndarray, semitones: int) -> np.ndarray:
    """Chord values with every root moved."""
    kind, chord = np.divmod(values.astype(np.int32) - 1, NUM_CHORDS)
    root, quality = np.divmod(chord, NUM_QUALITIES)
    moved = 1 + kind * NUM_CHORDS + (root + semitones) % 12 * NUM_QUALITIES + quality
    return np.where(values == NOTHING, NOTHING, moved)


def transpose_melody(values: np.ndarray, semitones: int) -> np.ndarray:
    """Melody values with every pitch moved; pitches outside 0..127 stay an octave inside."""
    kind, pitch = np.divmod(values.astype(np.int32) - 1, NUM_PITCHES)
    moved = pitch + semitones
    moved = np.where(moved < 0, moved + 12, np.where(moved >= NUM_PITCHES, moved - 12, moved))
    return np.where(values == NOTHING, NOTHING, 1 + kind * NUM_PITCHES + moved)


def jumped_melody(melody: np.ndarray, frame: int, semitones: int) -> np.ndarray:
    """The melody, moved from a frame on; a note held into that frame is struck there."""
    return _jumped(melody, transpose_melody(melody, semitones), frame, NUM_PITCHES)


def jumped_chords(chords: np.ndarray, frame: int, semitones: int) -> np.ndarray:
    """The chords, moved from a frame on; a chord held into that frame is struck there."""
    return _jumped(chords, transpose_chords(chords, semitones), frame, NUM_CHORDS)


def jumped(song: Song, frame: int, semitones: int, late: int = 0) -> Song:
    """The song, in another key from a frame on; its chords follow so many frames late."""
    melody, chords = jumped_melody(song.melody, frame, semitones), jumped_chords(song.chords, frame + late, semitones)
    return dataclasses.replace(song, melody=melody, chords=chords)


def random_jump(rng: np.random.Generator) -> int:
    """By how many semitones a melody moves: 1 to 6, up or down."""
    return int(rng.integers(1, 7)) * int(rng.choice((-1, 1)))


def random_jumps(rng: np.random.Generator, beats: int) -> list[tuple[int, int]]:
    """The beats of a window in which its melody moves to another key, and by how many semitones: once, or in every other window again
    and again after 6 to 16 beats; never further than six semitones from where it began."""
    again = rng.random() < 0.5
    beat, away = int(rng.integers(6, 17) if again else rng.integers(8, beats - 4)), 0
    found: list[tuple[int, int]] = []
    while beat < beats - 4 and (again or not found):
        moved = random_jump(rng)
        moved = moved if abs(away + moved) <= 6 else -moved
        found.append((beat, moved))
        beat, away = beat + int(rng.integers(6, 17)), away + moved
    return found


def _jumped(values: np.ndarray, moved: np.ndarray, frame: int, count: int) -> np.ndarray:
    result = np.where(np.arange(len(values)) < frame, values, moved).astype(values.dtype)
    if frame < len(result) and result[frame] > count:
        result[frame] -= count
    return result


def actions(values: np.ndarray, count: int) -> np.ndarray:
    """`schema.tokens.action_of`, for arrays."""
    return np.where(values == NOTHING, NOTHING, np.where(values <= count, values + 1, HOLD_ACTION))


def density_of(chords: np.ndarray) -> int:
    """Index into DENSITIES of a stretch of chord values."""
    onsets = int(((chords > 0) & (chords <= NUM_CHORDS)).sum())
    beats_per_change = len(chords) / FRAMES_PER_BEAT / max(onsets, 1)
    return 1 + sum(beats_per_change < edge for edge in DENSITY_EDGES)


def with_cold_start(chords: np.ndarray, silence_frames: int) -> np.ndarray:
    """The chords as if the player had begun alone: N at first, then the running chord is struck."""
    result = chords.copy()
    result[:silence_frames] = NOTHING
    if silence_frames < len(result) and result[silence_frames] > NUM_CHORDS:
        result[silence_frames] -= NUM_CHORDS
    return result


def song_weights(songs: Sequence[Song], mix: Mapping[str, float] | None) -> np.ndarray:
    """How often each song is drawn [songs], summing to 1: by its length, within its corpus if `mix` gives every corpus its share."""
    weights = np.array([len(song.melody) for song in songs], float)
    if mix is not None:
        corpus_of = np.array([song.corpus for song in songs])
        frames = {corpus: weights[corpus_of == corpus].sum() for corpus in mix}
        weights *= [mix[corpus] / frames[corpus] for corpus in corpus_of.tolist()]
    return np.asarray(weights / weights.sum())


def random_batch(
    songs: Sequence[Song],
    weights: np.ndarray,
    rows: int,
    seed: int,
    step: int,
    *,
    offline: bool = False,
    silent: float = 0.35,
    jumps: float = 0.0,
    late: float = 0.0,
) -> Batch:
    """The batch of one train step, a pure function of (seed, step): resuming needs no reader state.

    `weights` [songs] sum to 1. A share of the windows, `silent`, begins cold: chords are N for 1 to 16 beats and do not count there; in a
    share, `jumps`, the whole song moves to another key, once or more often, and in a share of these moves, `late`, the chords follow 1 to
    4 beats after the melody and do not count until then: so a model learns what to play when the chord that sounds is in the old key.
    `offline`: a quarter of the windows ends early, as a melody does that is still being played.
    """
    rng = np.random.default_rng((seed, step))
    windows = []
    for index in rng.choice(len(songs), rows, p=weights):
        song = songs[index]
        beats = max(0, len(song.melody) - WINDOW_FRAMES // 2) // FRAMES_PER_BEAT
        start = 0 if rng.random() < 0.15 else int(rng.integers(beats + 1)) * FRAMES_PER_BEAT
        length, struck = WINDOW_FRAMES, False
        if offline:
            length = int(rng.integers(4, WINDOW_BEATS)) * FRAMES_PER_BEAT if rng.random() < 0.25 else WINDOW_FRAMES
            struck = bool(rng.random() < 0.5)
        silence = int(rng.integers(1, 17)) * FRAMES_PER_BEAT if silent and rng.random() < silent else 0
        stale: list[int] = []
        if jumps and rng.random() < jumps:
            for beat, moved in random_jumps(rng, WINDOW_BEATS):
                at = beat * FRAMES_PER_BEAT
                behind = int(rng.choice(LATE_BEATS)) * FRAMES_PER_BEAT if late and rng.random() < late else 0
                song, stale = jumped(song, start + at, moved, behind), [*stale, *range(at, at + behind)]
        span = Span(start, length, silence, struck and not silence, stale)
        semitones = int(rng.choice(TRANSPOSITIONS))
        keep = (bool(rng.random() < 0.5), bool(rng.random() < 0.5), bool(rng.random() < 0.85))
        windows.append(_window(song, span, semitones, keep=keep))
    return Batch(*(np.stack(column) for column in zip(*windows, strict=True)))


def without_metre(batch: Batch) -> Batch:
    """The same windows for a model that is not told where bars begin."""
    place, next_place, beats = (np.zeros_like(column) for column in (batch.place, batch.next_place, batch.beats_per_bar))
    return batch._replace(place=place, next_place=next_place, beats_per_bar=beats)


def held_out_batches(songs: Sequence[Song], rows: int, *, offline: bool = False, jumps: bool = False, late: bool = False) -> list[Batch]:
    """Whole held-out songs as consecutive windows in their own key, every control but the metre unspecified.

    With `jumps` all windows come once more, six semitones higher from their middle on; with `late` yet once more, the chords a beat behind.
    """
    whole_songs = [(song, start) for song in songs for start in range(0, max(1, len(song.melody) - WINDOW_FRAMES // 2), WINDOW_FRAMES)]
    middle, windows = WINDOW_FRAMES // 2, []
    for behind in (None, *[0] * jumps, *[FRAMES_PER_BEAT] * late):
        for song, start in whole_songs:
            heard = song if behind is None else jumped(song, start + middle, 6, behind)
            span = Span(start, WINDOW_FRAMES, 0, offline, range(middle, middle + (behind or 0)))
            windows.append(_window(heard, span, 0, keep=(False, False, True)))
    groups = [windows[i : i + rows] for i in range(0, len(windows), rows)]
    whole = [group for group in groups if len(group) == rows] or groups  # one shape for all, unless there is only a smaller one
    return [Batch(*(np.stack(column) for column in zip(*group, strict=True))) for group in whole]


class Span(NamedTuple):
    """Which frames of a song a window shows, and how it begins."""

    start: int
    frames: int  # at most; the song may end before
    silence: int  # frames in which the chords are N at first
    struck: bool = False  # a chord that runs into the window is struck at its beginning
    stale: Sequence[int] = ()  # frames of the window whose chords do not count: they are still in the old key


def _window(song: Song, span: Span, semitones: int, *, keep: tuple[bool, bool, bool]) -> tuple[np.ndarray, ...]:
    """One row of a Batch, in its field order; `keep` says which of density, style and metre are told to the model."""
    start, silence = span.start, span.silence
    chords = transpose_chords(song.chords[start : start + span.frames], semitones)
    melody = transpose_melody(song.melody[start : start + span.frames], semitones)
    length = len(chords)
    density = density_of(chords)
    orphan = bool(chords[0] > NUM_CHORDS) and silence == 0 and not span.struck
    chords = with_cold_start(chords, silence) if silence or span.struck else chords
    chords, melody = (np.pad(values, (0, WINDOW_FRAMES - length)) for values in (chords, melody))
    frames = np.arange(WINDOW_FRAMES)
    chord_counts = (frames >= silence) & (frames < length) & ~np.isin(frames, np.array(span.stale, int))
    melody_counts = frames < length
    if orphan:  # a window that begins inside a chord: what it holds could not be known
        chord_counts[0] = False
    if melody[0] > NUM_PITCHES:
        melody_counts = melody_counts & (frames > 0)
    place = (frames + start) % (song.beats_per_bar * FRAMES_PER_BEAT)
    fed = [np.concatenate([[0], values[:-1]]).astype(np.int32) for values in (chords, melody, place)]
    controls = (density, STYLES.index(song.style), song.beats_per_bar)
    told = [np.int32(value if kept else 0) for value, kept in zip(controls, keep, strict=True)]
    return (
        *fed,
        *(np.asarray(t) for t in told),
        chords.astype(np.int32),
        actions(chords, NUM_CHORDS).astype(np.int32),
        actions(melody, NUM_PITCHES).astype(np.int32),
        chord_counts,
        melody_counts,
        melody.astype(np.int32),
        place.astype(np.int32),
        frames < length,
    )


assert len(DENSITIES) == len(DENSITY_EDGES) + 2
