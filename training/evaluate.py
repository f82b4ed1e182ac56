"""What an accompaniment is like, in numbers: melody and chord values in, figures out. Pure.

Flow: each song becomes a row of counts (`tally`); every figure is a ratio of sums over songs, so a bootstrap over songs is a product of
matrices: a row of `resamples` says how often each song was drawn. Measures are those of ReaLchords (arXiv 2506.14723, section 5.2 and
appendix K) where it has them:
    note in chord    of the frames with a note and a chord, the share whose pitch class is a chord tone (extensions count, a slash bass
                     does not); pooled over all frames, over those of each song's first bar, and as the mean of songs
    onset interval   frames from the last melody onset to a chord onset, in bins 0 .. 16 and 17 or more (or no note yet); earth mover's
                     distance to the human chords' histogram. The paper leaves its unit open; here the whole range of bins is 1000
    length entropy   of chord lengths in bins 0 .. 32 and 33 or more frames, in nats
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from schema.chords import pitch_classes
from schema.grid import FRAMES_PER_BEAT
from schema.tokens import NOTHING, NUM_CHORD_VALUES, NUM_CHORDS, NUM_PITCHES, chord_of

INTERVAL_BINS = 18
LENGTH_BINS = 34
OVERLONG_FRAMES = 32  # a chord longer than two bars of 4/4, as the paper's repetition penalty has it
RESAMPLES = 1000
CONFIDENCE = 0.95
_SEED = 909

Kind = Literal["people", "floor", "live", "offline"]  # who chose chords: people, no model, one that plays along, one that hears all

CHORD_TONES = np.zeros((NUM_CHORD_VALUES, 12), bool)  # chord value x pitch class: is a tone of it
for _value in range(1, NUM_CHORD_VALUES):
    _chord = chord_of(_value)
    assert _chord is not None
    CHORD_TONES[_value, list(pitch_classes(_chord))] = True


class Planning(NamedTuple):
    """How the plans behind an accompaniment were made."""

    plans: int
    steps: int
    overlap: int  # frames that a plan and the next cover and the earlier one left open
    revised: int  # of these, with another chord in the later one


class Accompanied(NamedTuple):
    """One melody with chords under it, from `first` on (what comes before is silence or priming and does not count)."""

    melody: np.ndarray  # int [T] melody values
    chords: np.ndarray  # int [T] chord values
    beats_per_bar: int
    first: int
    planning: Planning | None = None  # None if nobody planned


class Figures(msgspec.Struct, frozen=True):
    """Figures of a set of songs; None where they have no meaning."""

    note_in_chord: float  # pooled over frames
    note_in_chord_by_song: float  # mean of songs
    first_bar: float  # note in chord of as many frames as a bar has, from `first` on, pooled
    onset_interval_emd: float | None  # thousandths of the range of intervals, against the human chords; None without these
    length_entropy: float  # nats
    silent_share: float  # frames without a chord
    overlong_share: float  # chords longer than OVERLONG_FRAMES
    change_on_bar: float  # share of chord changes on a bar line
    change_on_beat: float
    chords_per_song: float  # different chords
    beats_per_change: float
    tones_per_chord: float  # pitch classes of the sounding chord, mean over frames: more of them fit more notes
    revised_share: float | None  # of planned chords left open: changed by the next plan
    steps_per_plan: float | None


class Measured(msgspec.Struct, frozen=True):
    """Figures with the ends of their confidence intervals, and what share of chords has which length in frames (the last: or more)."""

    songs: int
    frames: int
    figures: Figures
    low: Figures
    high: Figures
    chord_lengths: list[float]


class Curve(msgspec.Struct, frozen=True):
    """Note in chord by beat, with the ends of its confidence intervals; NaN (null in JSON) where no song has a note and a chord."""

    name: str
    kind: Kind
    value: list[float]
    low: list[float]
    high: list[float]


class _Tally(NamedTuple):
    """Counts, one row per song: [S], or [S, bins]."""

    frames: np.ndarray
    judged: np.ndarray  # frames with a note and a chord
    hits: np.ndarray  # of these: the note is a chord tone
    first_judged: np.ndarray  # the same two of the first bar
    first_hits: np.ndarray
    silent: np.ndarray
    distinct: np.ndarray
    onsets: np.ndarray
    on_bar: np.ndarray
    on_beat: np.ndarray
    tones: np.ndarray  # pitch classes of the sounding chords, summed over frames
    intervals: np.ndarray  # [S, INTERVAL_BINS]
    lengths: np.ndarray  # [S, LENGTH_BINS]
    planning: np.ndarray | None  # [S, 4] fields of Planning


def in_chord(melody: np.ndarray, chords: np.ndarray) -> np.ndarray:
    """For every frame with a note and a chord: whether the note is a chord tone."""
    both = (melody != NOTHING) & (chords != NOTHING)
    return np.asarray(CHORD_TONES[chords[both], _pitch_class(melody[both])])


def figures(songs: Sequence[Accompanied], human: Sequence[Accompanied] | None = None) -> Figures:
    """All figures of a set of songs; `human` are the same songs with the chords people wrote."""
    everyone = np.ones((1, len(songs)))
    ratios = _ratios(_tally(songs), _tally(human) if human is not None else None, everyone)
    return msgspec.convert({name: None if values is None else float(values[0]) for name, values in ratios.items()}, Figures)


def measure(songs: Sequence[Accompanied], human: Sequence[Accompanied]) -> Measured:
    """Figures and their confidence intervals by bootstrap over songs: the same draws for every set of as many songs."""
    counted = _tally(songs)
    ratios = _ratios(counted, _tally(human), resamples(len(songs)))
    ends = [{name: None if v is None else float(np.quantile(v, end)) for name, v in ratios.items()} for end in _ends()]
    lengths = counted.lengths.sum(axis=0) / max(1, counted.lengths.sum())
    low, high = (msgspec.convert(end, Figures) for end in ends)
    return Measured(len(songs), int(counted.frames.sum()), figures(songs, human), low, high, lengths.tolist())


def first_bar_gain(songs: Sequence[Accompanied], over: Sequence[Accompanied]) -> tuple[float, float, float]:
    """By how much the first bar's note in chord is higher than that of other chords under the same songs, with the ends of its interval.

    Both are drawn together, so what makes a song hard does not widen the interval.
    """
    everyone, drawn = np.ones((1, len(songs))), resamples(len(songs))
    one, other = _tally(songs), _tally(over)

    def gain(draws: np.ndarray) -> np.ndarray:
        shares = [_share(draws @ t.first_hits, draws @ t.first_judged) for t in (one, other)]
        return np.asarray(shares[0] - shares[1])

    low, high = np.quantile(gain(drawn), _ends())
    return float(gain(everyone)[0]), float(low), float(high)


def resamples(num_songs: int) -> np.ndarray:
    """How often each song is drawn in each resample: int [RESAMPLES, songs], always the same for the same number of songs."""
    return np.random.default_rng(_SEED).multinomial(num_songs, np.full(num_songs, 1 / num_songs), RESAMPLES)


def curve(name: str, kind: Kind, songs: Sequence[Accompanied], num_beats: int) -> Curve:
    """Note in chord of each of the first beats that count, as the mean of the songs that have a note and a chord there."""
    judged, hits = (np.stack(columns) for columns in zip(*(_by_beat(song, num_beats) for song in songs), strict=True))
    heard = (judged > 0).astype(float)
    shares = hits / np.maximum(1, judged)
    with np.errstate(invalid="ignore"):  # 0 / 0: nobody is heard in that beat
        drawn = resamples(len(songs))
        means = (drawn @ shares) / (drawn @ heard)
        value = shares.sum(axis=0) / heard.sum(axis=0)
    low, high = (_quantiles(means, end) for end in _ends())
    return Curve(name, kind, value.tolist(), low.tolist(), high.tolist())


# ---- counting ----


def _tally(songs: Sequence[Accompanied]) -> _Tally:
    counts, intervals, lengths = (np.array(column) for column in zip(*(_counts(song) for song in songs), strict=True))
    planned = [song.planning for song in songs if song.planning is not None]
    planning = np.array(planned) if len(planned) == len(songs) else None
    return _Tally._make([*counts.T, intervals, lengths, planning])


def _counts(song: Accompanied) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """A row of the tally: its single counts, in the order of its fields, and its two histograms."""
    chords = song.chords[song.first :]
    hits = in_chord(song.melody[song.first :], chords)
    bar = song.beats_per_bar * FRAMES_PER_BEAT
    first_hits = in_chord(song.melody[song.first : song.first + bar], chords[:bar])
    onsets = np.flatnonzero((song.chords > NOTHING) & (song.chords <= NUM_CHORDS))
    onsets = onsets[onsets >= song.first]
    on_bar, on_beat = (int((onsets % frames == 0).sum()) for frames in (bar, FRAMES_PER_BEAT))
    distinct = len(np.unique((chords[chords != NOTHING] - 1) % NUM_CHORDS))
    silent, tones = int((chords == NOTHING).sum()), int(CHORD_TONES[chords].sum())
    fits = (len(chords), len(hits), int(hits.sum()), len(first_hits), int(first_hits.sum()))
    return (
        (*fits, silent, distinct, len(onsets), on_bar, on_beat, tones),
        np.bincount(np.minimum(_intervals(song.melody, onsets), INTERVAL_BINS - 1), minlength=INTERVAL_BINS),
        np.bincount(np.minimum(_lengths(song.chords, onsets), LENGTH_BINS - 1), minlength=LENGTH_BINS),
    )


def _intervals(melody: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    """Frames from the last melody onset to each chord onset; INTERVAL_BINS if there was none."""
    struck = np.flatnonzero((melody > NOTHING) & (melody <= NUM_PITCHES))
    if not len(struck):
        return np.full(len(onsets), INTERVAL_BINS)
    last = np.searchsorted(struck, onsets, side="right") - 1
    return np.where(last < 0, INTERVAL_BINS, onsets - struck[last])


def _lengths(chords: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    """Frames each chord sounds from its onset, up to the next frame that does not hold it."""
    ends = np.append(np.flatnonzero(chords <= NUM_CHORDS), len(chords))
    return np.asarray(ends[np.searchsorted(ends, onsets, side="right")] - onsets)


def _by_beat(song: Accompanied, num_beats: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames with a note and a chord in each beat from `first` on, and in how many the note is a chord tone: int [num_beats] each."""
    num_frames = num_beats * FRAMES_PER_BEAT
    melody, chords = (np.resize(values[song.first :], num_frames) for values in (song.melody, song.chords))
    there = np.arange(num_frames) < len(song.melody) - song.first
    both = there & (melody != NOTHING) & (chords != NOTHING)
    fits = both & CHORD_TONES[chords, _pitch_class(melody)]
    judged, hits = (mask.reshape(num_beats, FRAMES_PER_BEAT).sum(axis=1) for mask in (both, fits))
    return judged, hits


def _pitch_class(melody: np.ndarray) -> np.ndarray:
    """Of a note; of silence something that does not count."""
    return np.asarray((melody - 1) % NUM_PITCHES % 12)


# ---- figures from counts ----


def _ratios(tally: _Tally, human: _Tally | None, draws: np.ndarray) -> dict[str, np.ndarray | None]:
    """Every figure for every row of draws [R, songs]: arrays [R], by name."""
    onsets, frames = draws @ tally.onsets, draws @ tally.frames
    heard = tally.judged > 0
    return {
        "note_in_chord": _share(draws @ tally.hits, draws @ tally.judged),
        "note_in_chord_by_song": _share(draws @ (tally.hits / np.maximum(1, tally.judged)), draws @ heard),
        "first_bar": _share(draws @ tally.first_hits, draws @ tally.first_judged),
        "onset_interval_emd": None if human is None else _distance(draws @ tally.intervals, draws @ human.intervals),
        "length_entropy": _entropy(draws @ tally.lengths),
        "silent_share": _share(draws @ tally.silent, frames),
        "overlong_share": _share(draws @ tally.lengths[:, OVERLONG_FRAMES + 1 :].sum(axis=1), onsets),
        "change_on_bar": _share(draws @ tally.on_bar, onsets),
        "change_on_beat": _share(draws @ tally.on_beat, onsets),
        "chords_per_song": _share(draws @ tally.distinct, draws.sum(axis=1)),
        "beats_per_change": frames / FRAMES_PER_BEAT / np.maximum(1, onsets),
        "tones_per_chord": _share(draws @ tally.tones, frames - draws @ tally.silent),
        "revised_share": None if tally.planning is None else _share(draws @ tally.planning[:, 3], draws @ tally.planning[:, 2]),
        "steps_per_plan": None if tally.planning is None else _share(draws @ tally.planning[:, 1], draws @ tally.planning[:, 0]),
    }


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 where there is nothing to count: an accompaniment that never plays is never right."""
    return np.asarray(part / np.where(whole == 0, 1, whole))


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Earth mover's distance between the histograms in the rows, in thousandths of their range."""
    cumulative = [_share(counts, counts.sum(axis=1, keepdims=True)).cumsum(axis=1) for counts in (one, other)]
    return np.asarray(1000 * np.abs(cumulative[0] - cumulative[1]).sum(axis=1) / (one.shape[1] - 1))


def _entropy(counts: np.ndarray) -> np.ndarray:
    """In nats, of the histograms in the rows; nothing has none."""
    shares = _share(counts, counts.sum(axis=1, keepdims=True))
    return np.asarray(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1) + 0.0)


def _quantiles(values: np.ndarray, end: float) -> np.ndarray:
    """Per column, of what is a number; NaN where nothing is."""
    result = np.full(values.shape[1], np.nan)
    known = ~np.isnan(values).all(axis=0)
    result[known] = np.nanquantile(values[:, known], end, axis=0)
    return result


def _ends() -> tuple[float, float]:
    return (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
