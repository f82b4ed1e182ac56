"""The vocabulary: chord and melody values as small integers, and the grammar of what may follow what. Pure.

A *value* says what one frame holds, complete in itself (the running chord included):
    chord   0 = N (no chord) · 1 + c = onset of chord c · 1 + NUM_CHORDS + c = hold of chord c
    melody  0 = silence · 1 + p = onset of pitch p · 1 + NUM_PITCHES + p = hold of pitch p
An *action* is what the model chooses for a frame, given the value before it:
    chord   0 = N · 1 = hold the running chord · 2 + c = onset of chord c
    melody  0 = silence · 1 = hold the running note · 2 + p = onset of pitch p
Grammar: a hold follows only the onset or hold of the same chord (pitch), so the action `hold` is
allowed exactly when something is running. It is the only rule, at every temperature.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence

from schema.chords import QUALITIES, QUALITY_NAMES, Chord

NUM_QUALITIES = len(QUALITIES)
NUM_CHORDS = 12 * NUM_QUALITIES
NUM_PITCHES = 128
NUM_CHORD_VALUES = 1 + 2 * NUM_CHORDS
NUM_MELODY_VALUES = 1 + 2 * NUM_PITCHES
NUM_CHORD_ACTIONS = 2 + NUM_CHORDS
NUM_MELODY_ACTIONS = 2 + NUM_PITCHES
NOTHING = 0  # the value and the action "no chord" and "silence"
HOLD_ACTION = 1

# Controls a player may set; index 0 is always "unspecified", learnt by dropout in training.
DENSITIES = ("unspecified", "sparse", "calm", "medium", "lively", "busy")
STYLES = ("unspecified", "pop", "standards", "rock", "folk")


def chord_index(chord: Chord) -> int:
    """Number of a chord, 0..NUM_CHORDS-1."""
    return chord.root * NUM_QUALITIES + QUALITY_NAMES.index(chord.quality)


def chord_onset(chord: Chord) -> int:
    """Value of a frame in which the chord is struck."""
    return 1 + chord_index(chord)


def chord_hold(chord: Chord) -> int:
    """Value of a frame in which the chord sounds on."""
    return 1 + NUM_CHORDS + chord_index(chord)


def chord_of(value: int) -> Chord | None:
    """The chord that sounds in a frame of this value; None for N."""
    if value == NOTHING:
        return None
    root, quality = divmod((value - 1) % NUM_CHORDS, NUM_QUALITIES)
    return Chord(root, QUALITY_NAMES[quality])


def note_onset(pitch: int) -> int:
    """Value of a frame in which a note begins."""
    return 1 + pitch


def note_hold(pitch: int) -> int:
    """Value of a frame in which a note sounds on."""
    return 1 + NUM_PITCHES + pitch


def pitch_of(value: int) -> int | None:
    """The pitch that sounds in a frame of this value; None for silence."""
    return None if value == NOTHING else (value - 1) % NUM_PITCHES


def is_onset(value: int, count: int) -> bool:
    """True if the value strikes something; `count` is NUM_CHORDS or NUM_PITCHES."""
    return 1 <= value <= count


def held(value: int, count: int) -> int:
    """The value of the next frame if what sounds now sounds on (N and silence continue as themselves)."""
    return value + count if is_onset(value, count) else value


def may_follow(previous: int, value: int, count: int) -> bool:
    """The grammar: whether `value` may stand in the frame after `previous`."""
    return value <= count or held(previous, count) == value


def action_of(value: int, count: int) -> int:
    """The action that chose this value."""
    if value == NOTHING:
        return NOTHING
    return value + 1 if is_onset(value, count) else HOLD_ACTION


def value_of(action: int, previous: int, count: int) -> int:
    """The value an action produces after `previous`; a hold of nothing stays nothing."""
    if action == NOTHING:
        return NOTHING
    return held(previous, count) if action == HOLD_ACTION else action - 1


def first_break(values: Sequence[int], count: int) -> int | None:
    """Index of the first value that breaks the grammar or the vocabulary; None if all is well.

    The first value may be a hold: a window may begin in the middle of a chord.
    """
    for index, value in enumerate(values):
        if not 0 <= value <= 2 * count:
            return index
        if index and not may_follow(values[index - 1], value, count):
            return index
    return None


def sounded(values: Iterable[int], previous: int, count: int) -> list[int]:
    """The same chords as they sound after `previous`: a hold of something that is not running is struck instead."""
    result: list[int] = []
    for value in values:
        kept = value if may_follow(previous, value, count) else value - count
        result.append(kept)
        previous = kept
    return result


def vocabulary_hash() -> str:
    """Fingerprint of everything a checkpoint's numbers depend on; two builds with one hash read each other's weights."""
    facts = {
        "qualities": [[q.name, list(q.intervals)] for q in QUALITIES],
        "pitches": NUM_PITCHES,
        "layout": "nothing,onset,hold / nothing,hold-action,onset-action",
        "densities": DENSITIES,
        "styles": STYLES,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
