"""Reads the melody of a MIDI file onto the grid, and writes a jam as a MIDI file. Shell.

A MIDI file counts in ticks of a quarter note, so its tempo changes move no note on the grid; the first tempo is the one to
play at. Frame 0 is the last bar line at or before the first note. A note belongs to the frame in which it begins (G3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import mido

from sideman_client.errors import UnreadableTune
from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.messages import MelodyRun, NoteEvent
from sideman_client.jam import Sounding

DRUM_CHANNEL = 9  # printed as 10
LIKE_MELODY = ("melody", "melodie", "lead", "vocal", "voice", "vox", "tune", "solo")  # in this order
MOSTLY = 0.75  # share of notes that may not overlap, for a part to count as a melody
DEFAULT_BPM = 120.0
TICKS_PER_FRAME = 120  # when writing
_MELODY_CHANNEL, _CHORD_CHANNEL = 0, 1
_DAMAGE = (EOFError, OSError, ValueError, LookupError, TypeError)


@dataclass(frozen=True)
class TuneNote:
    """A note in quarter-note beats from the bar line on which the grid starts; an end is never before its onset."""

    onset_beats: Fraction
    end_beats: Fraction
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Tune:
    """The melody of a file, in order of onset (higher note first), with the first tempo and metre."""

    part: str
    notes: tuple[TuneNote, ...]
    tempo_bpm: float
    beats_per_bar: int

    @property
    def events(self) -> list[NoteEvent]:
        """Key presses and releases in order of time, each stamped with its frame, rounded down."""
        timed = [(note.onset_beats, 1, note, True) for note in self.notes] + [(note.end_beats, 0, note, False) for note in self.notes]
        # A note without length is released after it began, any other release comes before an onset of the same moment.
        timed.sort(key=lambda t: (t[0], t[1] if t[2].onset_beats < t[2].end_beats else 2 - t[1], -t[2].pitch))
        return [NoteEvent(int(beats * FRAMES_PER_BEAT), note.pitch, on, note.velocity) for beats, _, note, on in timed]

    @property
    def num_frames(self) -> int:
        """Frames up to the bar line at or after the end of the last note."""
        bar = self.beats_per_bar * FRAMES_PER_BEAT
        last = max(max(int(n.onset_beats * FRAMES_PER_BEAT) + 1, int(n.end_beats * FRAMES_PER_BEAT)) for n in self.notes)
        return -(-last // bar) * bar


@dataclass(frozen=True)
class _Span:
    start: int  # ticks
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class _Part:
    """What one player plays: a track, or one channel where the file has a single track."""

    name: str
    spans: tuple[_Span, ...]  # drums left out


def read_melody(path: Path, *, track: str | None = None, beats_per_bar: int | None = None) -> Tune:
    """The melody of a MIDI file: the part that is called so, or else the busiest one that is mostly monophonic.

    `track` chooses a part by its number (from 1) or name; `beats_per_bar` overrides the metre. Raises UnreadableTune.
    """
    midi = _open(path)
    parts = _parts(midi)
    part = _choose(parts, path) if track is None else _named(parts, track, path)
    origin, written_beats = _bar_lines(midi, beats_per_bar)
    bar_ticks = written_beats * midi.ticks_per_beat
    first = min(span.start for span in part.spans)
    origin += (first - origin) // bar_ticks * bar_ticks
    notes = tuple(
        TuneNote(Fraction(s.start - origin, midi.ticks_per_beat), Fraction(s.end - origin, midi.ticks_per_beat), s.pitch, s.velocity)
        for s in sorted(part.spans, key=lambda s: (s.start, -s.pitch))
    )
    return Tune(part.name, notes, _tempo_bpm(midi), written_beats)


def write_jam(path: Path, melody: Sequence[MelodyRun], chords: Sequence[Sounding], *, tempo_bpm: float, beats_per_bar: int) -> None:
    """Tracks `melody` and `chords`, and one marker with the symbol wherever a chord begins. Raises UnreadableTune if it cannot be written.

    `chords` are the frames from 0 on; every event lies exactly on the frame grid.
    """
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_FRAME * FRAMES_PER_BEAT)
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm))
    metre = mido.MetaMessage("time_signature", numerator=beats_per_bar, denominator=4)
    begins = [c for c, before in zip(chords, [None, *chords], strict=False) if before is None or c.struck or c.symbol != before.symbol]
    markers = [(chord.frame, 2, mido.MetaMessage("marker", text=chord.symbol)) for chord in begins]
    end = len(chords)
    midi.tracks.append(_track("sideman", [(0, 0, tempo), (0, 1, metre), *markers], end))
    melody_notes = [note for run in melody for note in _note(run.start, run.start + run.length, run.pitch, _MELODY_CHANNEL)]
    midi.tracks.append(_track("melody", melody_notes, end))
    ends = [chord.frame for chord in begins[1:]] + [end]
    chord_notes = [
        note
        for chord, stop in zip(begins, ends, strict=False)
        for pitch in chord.pitches
        for note in _note(chord.frame, stop, pitch, _CHORD_CHANNEL)
    ]
    midi.tracks.append(_track("chords", chord_notes, end))
    try:
        midi.save(path)
    except OSError as problem:
        raise UnreadableTune(expected=f"to write {path}", got=problem.strerror or "no success", advice="choose another place") from None


def _open(path: Path) -> mido.MidiFile:
    advice = "give a standard MIDI file (.mid) with a melody in it"
    try:
        head = path.read_bytes()[:4]
    except OSError as problem:
        raise UnreadableTune(expected=f"a MIDI file at {path}", got=problem.strerror or "an unreadable one", advice=advice) from None
    if head != b"MThd":
        got = "an empty file" if not head else "a file of another kind"
        raise UnreadableTune(expected=f"a MIDI file at {path}", got=got, advice=advice)
    try:
        midi = mido.MidiFile(path)
    except _DAMAGE as problem:
        got = f"a damaged one ({str(problem) or type(problem).__name__})"
        raise UnreadableTune(expected=f"a whole MIDI file at {path}", got=got, advice="export it again") from None
    if midi.ticks_per_beat <= 0:
        got = "one that counts in seconds" if midi.ticks_per_beat < 0 else "a beat without ticks"
        raise UnreadableTune(expected=f"a MIDI file with beats at {path}", got=got, advice="export it with ticks per quarter note")
    return midi


def _parts(midi: mido.MidiFile) -> list[_Part]:
    if len(midi.tracks) != 1:
        return [_Part(track.name.strip(), tuple(_spans(track, range(16)))) for track in midi.tracks]
    track = midi.tracks[0]
    channels = sorted({m.channel for m in track if m.type == "note_on" and m.channel != DRUM_CHANNEL})
    return [_Part(track.name.strip(), tuple(_spans(track, (channel,)))) for channel in channels]


def _spans(track: Iterable[mido.Message], channels: Iterable[int]) -> list[_Span]:
    """Notes of these channels without drums; a note struck again ends there, a note never released ends with the track."""
    wanted = set(channels) - {DRUM_CHANNEL}
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    spans: list[_Span] = []
    now = 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel not in wanted:
            continue
        key = (message.channel, message.note)
        if key in sounding:
            start, velocity = sounding.pop(key)
            spans.append(_Span(start, now, message.note, velocity))
        if message.type == "note_on" and message.velocity > 0:
            sounding[key] = (now, message.velocity)
    return spans + [_Span(start, now, pitch, velocity) for (_, pitch), (start, velocity) in sounding.items()]


def _choose(parts: Sequence[_Part], path: Path) -> _Part:
    full = [part for part in parts if part.spans]
    if not full:
        raise UnreadableTune(expected=f"notes in {path}", got="none (drums do not count)", advice="give a file with a melody in it")
    for word in LIKE_MELODY:
        named = [part for part in full if word in part.name.casefold()]
        if named:
            return max(named, key=lambda part: len(part.spans))
    single = [part for part in full if _monophonic_share(part) >= MOSTLY]
    if not single:
        raise UnreadableTune(expected=f"a melody in {path}", got=f"only chords: {_list(parts)}", advice="choose a part with --track")
    return max(single, key=lambda part: len(part.spans))


def _named(parts: Sequence[_Part], track: str, path: Path) -> _Part:
    numbered = [part for number, part in enumerate(parts, 1) if track == str(number)]
    exact = [part for part in parts if part.name.casefold() == track.strip().casefold()]
    found = [part for part in numbered + exact if part.spans]
    if not found:
        raise UnreadableTune(expected=f"a part {track!r} with notes in {path}", got=_list(parts), advice="choose one of these with --track")
    return found[0]


def _list(parts: Sequence[_Part]) -> str:
    return ", ".join(f"{number} {part.name or 'unnamed'!r} ({len(part.spans)} notes)" for number, part in enumerate(parts, 1)) or "no parts"


def _monophonic_share(part: _Part) -> float:
    """Share of notes that begin when the note before has ended, or is in its last quarter (legato)."""
    spans = sorted(part.spans, key=lambda s: (s.start, s.end))
    alone = sum(1 for a, b in pairwise(spans) if b.start > a.start and a.end - b.start <= (a.end - a.start) / 4)
    return (alone + 1) / len(spans)


def _bar_lines(midi: mido.MidiFile, beats_per_bar: int | None) -> tuple[int, int]:
    """A tick on which a bar begins, and quarter-note beats in a bar.

    The first time signature counts; one that lasts a single, shorter bar only writes a pickup, then it is the second.
    """
    signatures = _metas(midi, "time_signature")
    line = signatures[0][0] if signatures else 0
    if len(signatures) > 1:
        (start, pickup), (line_after, metre) = signatures[:2]
        if line_after - start == _quarters(pickup) * midi.ticks_per_beat and _quarters(pickup) < _quarters(metre):
            signatures, line = signatures[1:], line_after
    if beats_per_bar is not None:
        return line, beats_per_bar
    return line, _whole_beats(_quarters(signatures[0][1])) if signatures else 4


def _whole_beats(quarters: Fraction) -> int:
    """Beats of a bar as the protocol can say them (G4): bars with half a beat, or of one, go together in pairs; else 4."""
    beats = quarters if quarters.denominator == 1 and quarters >= 2 else quarters * 2
    return int(beats) if beats.denominator == 1 and 2 <= beats <= 12 else 4


def _quarters(signature: mido.MetaMessage) -> Fraction:
    return Fraction(signature.numerator * 4, signature.denominator)


def _tempo_bpm(midi: mido.MidiFile) -> float:
    tempos = [message.tempo for _, message in _metas(midi, "set_tempo") if message.tempo > 0]
    return round(float(mido.tempo2bpm(tempos[0])), 3) if tempos else DEFAULT_BPM  # the file has whole microseconds


def _metas(midi: mido.MidiFile, kind: str) -> list[tuple[int, mido.MetaMessage]]:
    """All meta messages of a kind in all tracks with their ticks, in order of time."""
    found: list[tuple[int, mido.MetaMessage]] = []
    for track in midi.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == kind:
                found.append((now, message))
    return sorted(found, key=lambda pair: pair[0])


def _note(start: int, end: int, pitch: int, channel: int) -> list[tuple[int, int, mido.Message]]:
    on = mido.Message("note_on", note=pitch, velocity=80 if channel == _MELODY_CHANNEL else 64, channel=channel)
    off = mido.Message("note_off", note=pitch, velocity=0, channel=channel)
    return [(start, 1, on), (end, 0, off)]


def _track(name: str, timed: Sequence[tuple[int, int, mido.Message | mido.MetaMessage]], end: int) -> mido.MidiTrack:
    """A track of messages given as (frame, order within the frame, message)."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for frame, _, message in sorted(timed, key=lambda t: t[:2]):
        track.append(message.copy(time=(frame - now) * TICKS_PER_FRAME))
        now = frame
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now) * TICKS_PER_FRAME))
    return track
