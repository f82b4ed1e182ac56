"""Fragments of songs for reward models, and the melodies, metre and beginnings of RL's episodes. Pure.

Axis letters: B rows · T frames. Everything is a pure function of (seed, step), so resuming needs no reader state. Windows begin on a
beat and lie inside their song: four frames are always one beat.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from schema.grid import FRAMES_PER_BEAT, WINDOW_FRAMES
from schema.tokens import NOTHING, NUM_CHORDS, STYLES
from training.corpora import Song
from training.windows import (
    LATE_BEATS,
    TRANSPOSITIONS,
    density_of,
    jumped_chords,
    jumped_melody,
    random_jumps,
    transpose_chords,
    transpose_melody,
)

FREE = -1  # in Episodes.forced: the agent chooses
_MUST_SOUND = 0.25  # share of a fragment's frames with a note, and with a chord
_ATTEMPTS = 20


class Pairs(NamedTuple):
    """Melody and the chords people wrote under it, in one of twelve keys."""

    melody: Any  # int32 [B, T] melody values
    chords: Any  # int32 [B, T] chord values; a fragment may begin inside a chord


class Beginnings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How episodes begin, as shares of the rows; the others are free from their first frame."""

    silent: float = 0.35  # the agent only listens for 1 to 16 beats
    primed: float = 0.25  # the human chords sound for 4 to 12 beats, as after a warm start
    jumps: float = 0.0  # the melody moves to another key, once or more often, as players do


class Episodes(NamedTuple):
    """What is given to the agent in a batch of episodes."""

    melody: Any  # int32 [B, T]
    human: Any  # int32 [B, T] chord values people wrote
    place: Any  # int32 [B, T] frames since the bar line
    bar: Any  # int32 [B, T] bars since the song began
    forced: Any  # int32 [B, T] chord value of frames in which the agent has no choice, else FREE
    density: Any  # int32 [B]
    style: Any  # int32 [B]
    beats_per_bar: Any  # int32 [B]; 0: the agent is not told
    bar_frames: Any  # int32 [B]


class Lesson(NamedTuple):
    """Melodies that move to another key, people's chords that follow late, and where these do: what to play when one is behind."""

    episodes: Episodes
    chords: Any  # int32 [B, T] chord values
    answers: Any  # bool [B, T] the first frames in the new key


def long_enough(songs: Sequence[Song], frames: int = WINDOW_FRAMES) -> list[Song]:
    """The songs from which windows of this length can be cut."""
    return [song for song in songs if len(song.melody) >= frames]


def random_pairs(songs: Sequence[Song], weights: np.ndarray, rows: int, frames: int, *, seed: int, step: int, together: int = 1) -> Pairs:
    """Fragments of `frames` frames in which enough sounds; `weights` [songs] sum to 1, all songs are long enough.

    So many rows in a row (`together`, a divisor of `rows`) are of one song in one key: who tells them apart must hear more than the key.
    """
    rng = np.random.default_rng((seed, step, frames))
    cut = []
    for index in rng.choice(len(songs), rows // together, p=weights):
        semitones = int(rng.choice(TRANSPOSITIONS))
        cut += [_pair(songs[index], frames, rng, semitones) for _ in range(together)]
    return Pairs(*(np.stack(column).astype(np.int32) for column in zip(*cut, strict=True)))


def held_out_pairs(songs: Sequence[Song], frames: int, count: int) -> Pairs:
    """At most `count` fragments at even distances over the songs, no two of the same song while there are songs enough."""
    rng = np.random.default_rng(frames)
    chosen = [songs[index * len(songs) // count % len(songs)] for index in range(count)] if songs else []
    cut = [_pair(song, frames, rng, 0) for song in chosen]
    return Pairs(*(np.stack(column).astype(np.int32) for column in zip(*cut, strict=True)))


def _pair(song: Song, frames: int, rng: np.random.Generator, semitones: int) -> tuple[np.ndarray, np.ndarray]:
    """Melody and chords of one fragment; after some attempts one in which little sounds will do."""
    starts = (len(song.melody) - frames) // FRAMES_PER_BEAT + 1
    for _ in range(_ATTEMPTS):
        start = int(rng.integers(starts)) * FRAMES_PER_BEAT
        melody, chords = (values[start : start + frames] for values in (song.melody, song.chords))
        if min((melody != NOTHING).mean(), (chords != NOTHING).mean()) >= _MUST_SOUND:
            break
    return transpose_melody(melody, semitones), transpose_chords(chords, semitones)


def random_episodes(
    songs: Sequence[Song], weights: np.ndarray, rows: int, *, seed: int, step: int, beginnings: Beginnings, frames: int = WINDOW_FRAMES
) -> Episodes:
    """The episodes of one RL step."""
    rng = np.random.default_rng((seed, step))
    rows_of = [_episode(songs[index], frames, beginnings, rng) for index in rng.choice(len(songs), rows, p=weights)]
    return Episodes(*(np.stack(column).astype(np.int32) for column in zip(*rows_of, strict=True)))


def late_lesson(songs: Sequence[Song], weights: np.ndarray, rows: int, *, seed: int, step: int, frames: int = WINDOW_FRAMES) -> Lesson:
    """The lesson of one RL step: every melody moves, and its chords follow 1 to 4 beats later, struck on the beat."""
    rng = np.random.default_rng((seed, step, frames))
    episodes, chords, answers = [], [], []
    for index in rng.choice(len(songs), rows, p=weights):
        row = Episodes(*_episode(songs[index], frames, Beginnings(0.0, 0.0, 0.0), rng))
        melody, late, answered = row.melody, row.human, np.zeros(frames, bool)
        for beat, moved in random_jumps(rng, frames // FRAMES_PER_BEAT):
            behind = beat + int(rng.choice(LATE_BEATS))
            melody = jumped_melody(melody, beat * FRAMES_PER_BEAT, moved)
            late = jumped_chords(late, behind * FRAMES_PER_BEAT, moved)
            answered[behind * FRAMES_PER_BEAT] = late[behind * FRAMES_PER_BEAT] != NOTHING
        episodes.append(row._replace(melody=melody))
        chords.append(late)
        answers.append(answered)
    columns = (np.stack(column).astype(np.int32) for column in zip(*episodes, strict=True))
    return Lesson(Episodes(*columns), np.stack(chords).astype(np.int32), np.stack(answers))


def _episode(song: Song, frames: int, beginnings: Beginnings, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    start = int(rng.integers((len(song.melody) - frames) // FRAMES_PER_BEAT + 1)) * FRAMES_PER_BEAT
    semitones = int(rng.choice(TRANSPOSITIONS))
    melody = transpose_melody(song.melody[start : start + frames], semitones)
    chords = transpose_chords(song.chords[start : start + frames], semitones)
    if chords[0] > NUM_CHORDS:  # what runs into the window is struck at its beginning
        chords[0] -= NUM_CHORDS
    density = density_of(chords)
    if rng.random() < beginnings.jumps:
        for beat, moved in random_jumps(rng, frames // FRAMES_PER_BEAT):
            at = beat * FRAMES_PER_BEAT
            melody, chords = jumped_melody(melody, at, moved), jumped_chords(chords, at, moved)
    absolute = start + np.arange(frames)
    bar_frames = song.beats_per_bar * FRAMES_PER_BEAT
    told = [value if rng.random() < share else 0 for value, share in _controls(song, density)]
    forced = _forced(chords, beginnings, rng)
    return (melody, chords, absolute % bar_frames, absolute // bar_frames, forced, *(np.asarray(t) for t in told), np.asarray(bar_frames))


def _controls(song: Song, density: int) -> tuple[tuple[int, float], ...]:
    """Density, style and metre, and how often each is told: as in supervised training."""
    return (density, 0.5), (STYLES.index(song.style), 0.5), (song.beats_per_bar, 0.85)


def _forced(chords: np.ndarray, beginnings: Beginnings, rng: np.random.Generator) -> np.ndarray:
    forced = np.full(len(chords), FREE)
    draw = rng.random()
    if draw < beginnings.silent:
        forced[: int(rng.integers(1, 17)) * FRAMES_PER_BEAT] = NOTHING
    elif draw < beginnings.silent + beginnings.primed:
        until = int(rng.integers(4, 13)) * FRAMES_PER_BEAT
        forced[:until] = chords[:until]
    return forced
