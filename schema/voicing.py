"""Voicing: chord + previous voicing -> MIDI pitches, bass apart and first. Pure.

`led` moves the upper voices as little as possible from the voicing before, inside a fixed range so that no voice
drifts or sticks at an edge; `close` stacks the tones upwards from a fixed octave, as the reference does.
"""

from itertools import pairwise, product

from schema.chords import QUALITIES, Chord

LOW, HIGH = 52, 76  # E3 .. E5: the upper voices stay inside, the melody mostly above
CENTRE = 62
_BASS_LOW, _CLOSE_LOW = 36, 48
_INTERVALS = {q.name: q.intervals for q in QUALITIES}


def voice(chord: Chord | None, previous: tuple[int, ...] = (), style: str = "led") -> tuple[int, ...]:
    """Pitches of a chord: the bass in C2..B2, then the upper voices rising; empty for no chord.

    `previous` is the last voicing this function gave (or empty at the start); `style` is "led" or "close".
    """
    if chord is None:
        return ()
    bass = _BASS_LOW + chord.root
    upper = _close(chord) if style == "close" else _led(chord, previous[1:])
    return (bass, *upper)


def _close(chord: Chord) -> tuple[int, ...]:
    return tuple(sorted(_CLOSE_LOW + (chord.root + interval) % 12 for interval in _INTERVALS[chord.quality]))


def _led(chord: Chord, previous: tuple[int, ...]) -> tuple[int, ...]:
    """Of all placements within LOW..HIGH spanning at most an octave and a third, the one that moves least; ties to the centre."""
    classes = [(chord.root + interval) % 12 for interval in _upper_intervals(chord)]
    choices = [[pitch for pitch in range(LOW, HIGH + 1) if pitch % 12 == c] for c in classes]
    return min(
        (tuple(sorted(pick)) for pick in product(*choices) if max(pick) - min(pick) <= 16),
        key=lambda pick: (_movement(previous, pick) + 0.25 * abs(sum(pick) / len(pick) - CENTRE), _crowding(pick), pick),
    )


def _upper_intervals(chord: Chord) -> tuple[int, ...]:
    """Tones above the bass: of five-tone chords the root is left to the bass."""
    intervals = _INTERVALS[chord.quality]
    return intervals[1:] if len(intervals) > 4 else intervals


def _movement(previous: tuple[int, ...], pick: tuple[int, ...]) -> int:
    """Semitones moved if every voice goes to its nearest neighbour, both ways (voices may split or merge)."""
    if not previous:
        return 0
    there = sum(min(abs(p - q) for q in previous) for p in pick)
    back = sum(min(abs(p - q) for p in pick) for q in previous)
    return max(there, back)


def _crowding(pick: tuple[int, ...]) -> int:
    """Neighbouring voices a semitone apart, which sound harsh in the middle register."""
    return sum(b - a == 1 for a, b in pairwise(pick))
