"""A written score as measures with repeats and endings, and the tune it sounds as. Pure.

Positions and lengths are in quarter notes, exact; they reach the grid only when the whole tune is laid out, so nothing drifts.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from schema.chords import Chord
from training.corpora import Bar, ChordChange, CorpusProblem, Tune, frame_of, note_span

MAX_PLAYED_MEASURES = 5000


@dataclass(frozen=True)
class WrittenNote:
    """A note in a measure; a `tied` one sounds on into a following note of the same pitch."""

    start: Fraction
    length: Fraction
    pitch: int
    tied: bool = False


@dataclass(frozen=True)
class WrittenChord:
    """A chord from a place in a measure on; `times` holds what it is the first, second ... time through, the last for all later."""

    start: Fraction
    times: tuple[Chord | str | None, ...]


@dataclass
class Measure:
    """One measure as written."""

    metre: Fraction  # length the metre asks for
    length: Fraction = Fraction(0)
    notes: list[WrittenNote] = field(default_factory=list)
    chords: list[WrittenChord] = field(default_factory=list)
    forward: bool = False  # a repeat begins before it
    backward: bool = False  # a repeat ends after it
    endings: frozenset[int] = frozenset()  # the times through for which it is written; empty: for all


def play_order(measures: Sequence[Measure]) -> list[int]:
    """Indices of the measures in the order in which they sound: repeats and numbered endings played out."""
    order: list[int] = []
    start = index = 0
    time = 1
    while index < len(measures):
        measure = measures[index]
        section_ends = not measure.endings and index > 0 and bool(measures[index - 1].endings)
        if (measure.forward or section_ends) and index != start:
            start, time = index, 1
        if measure.endings and time not in measure.endings:
            index += 1
            continue
        order.append(index)
        if len(order) > MAX_PLAYED_MEASURES:
            raise CorpusProblem(f"expected repeats that end, got more than {MAX_PLAYED_MEASURES} measures")
        if _goes_back(measures, index) and time < max(2, _last_ending(measures, start)):
            index, time = start, time + 1
            continue
        if measure.backward and not measure.endings:
            start, time = index + 1, 1
        index += 1
    return order


def _goes_back(measures: Sequence[Measure], index: int) -> bool:
    """Whether a repeat ends after a measure; where one ending meets the next, a missing repeat sign is understood."""
    if measures[index].backward or index + 1 == len(measures):
        return measures[index].backward
    here, after = measures[index].endings, measures[index + 1].endings
    return bool(here and after and here != after)


def _last_ending(measures: Sequence[Measure], start: int) -> int:
    """The highest ending of the section that begins at `start`."""
    highest = 0
    for index in range(start, len(measures)):
        if highest and not measures[index].endings:
            break
        highest = max(highest, *measures[index].endings, 0)
    return highest


def tune_of(name: str, title: str | None, played: Sequence[Measure]) -> Tune:
    """The tune that sounds when these measures are played one after the other; a measure may stand in it several times."""
    plays: Counter[int] = Counter()
    changes: list[ChordChange] = []
    bars: list[Bar] = []
    at = Fraction(0)
    for measure in played:
        time = plays[id(measure)]
        plays[id(measure)] += 1
        changes += [ChordChange(frame_of(at + c.start), c.times[min(time, len(c.times) - 1)]) for c in measure.chords]
        end = at + measure.length
        bars.append(Bar(frame_of(end) - frame_of(at), frame_of(measure.metre)))
        at = end
    return Tune(name, title, [note_span(*note) for note in _sounding(played)], changes, [bar for bar in bars if bar.frames])


def _sounding(played: Sequence[Measure]) -> Iterator[tuple[Fraction, Fraction, int]]:
    """Start, end and pitch of the notes, tied ones joined."""
    at = Fraction(0)
    running: tuple[Fraction, Fraction, int] | None = None
    tied = False
    for measure in played:
        for note in sorted(measure.notes, key=lambda n: n.start):
            start, end = at + note.start, at + note.start + note.length
            if running and tied and running[1:] == (start, note.pitch):
                running = (running[0], end, note.pitch)
            else:
                if running:
                    yield running
                running = (start, end, note.pitch)
            tied = note.tied
        at += measure.length
    if running:
        yield running
