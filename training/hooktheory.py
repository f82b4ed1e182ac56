"""Hooktheory in the JSON of the SheetSage release (Donahue et al., ISMIR 2022), for those who hold a licence to train on it. Shell.

`Hooktheory.json` or `Hooktheory.json.gz`: an object of songs by id. What is read of a song:

    tags                      must hold MELODY and HARMONY, and not TEMPO_CHANGES
    hooktheory.song, .artist  the title
    annotations.meters        [{beat, beats_per_bar, beat_unit}], a beat being the note `beat_unit` names (4: a quarter, 8: an eighth)
    annotations.num_beats     length in beats; without it the song ends with its last note or chord
    annotations.melody        [{onset, offset, octave, pitch_class}] in beats; octave 0 begins at middle C
    annotations.harmony       [{onset, offset, root_pitch_class, root_position_intervals}]; each interval counts from the tone before

Excerpts of one song share a title and so a side of our split; the release's own split is not used.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from schema.chords import Chord, from_pitch_classes
from training.corpora import Bar, ChordChange, Conversion, CorpusProblem, Tune, convert, frame_of, note_span

FILES = ("Hooktheory.json", "Hooktheory.json.gz")
MIDDLE_C = 60
MAX_BEATS = 4000

Json = Mapping[str, object]


def read_hooktheory(folder: Path) -> Conversion:
    """Every song of the release that has a melody and chords. Raises CorpusProblem if the file is not there or not readable."""
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise CorpusProblem(f"expected {' or '.join(FILES)} in {folder}, got neither: download the SheetSage release of Hooktheory")
    try:
        data = path.read_bytes()
        songs = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as problem:
        raise CorpusProblem(f"expected a JSON file in {path}, got {problem}: it may be half a download, fetch it again") from None
    if not isinstance(songs, dict) or not songs:
        raise CorpusProblem(f"expected songs by id in {path}, got {'no song' if songs == {} else type(songs).__name__}")
    return convert("hooktheory", songs, lambda name: _read_song(name.replace("+", "&"), songs[name]))


def _read_song(name: str, song: object) -> Tune:
    record = _record(song, "a song")
    tags = set(_list(record.get("tags"), "tags"))
    if missing := sorted({"MELODY", "HARMONY"} - tags):
        raise CorpusProblem(f"expected the tags MELODY and HARMONY, got no {' and no '.join(missing)}")
    if "TEMPO_CHANGES" in tags:
        raise CorpusProblem("expected one tempo, got the tag TEMPO_CHANGES")
    about = _record(record.get("hooktheory") or {}, "hooktheory")
    title = " ".join(str(about[key]) for key in ("song", "artist") if about.get(key)) or None
    annotations = _record(record.get("annotations"), "annotations")
    quarters, starts = _beats(annotations)
    melody = [_record(note, "a note") for note in _list(annotations.get("melody"), "melody")]
    harmony = [_record(chord, "a chord") for chord in _list(annotations.get("harmony"), "harmony")]
    notes = [
        note_span(
            _number(note, "onset") * quarters,
            _number(note, "offset") * quarters,
            MIDDLE_C + 12 * _whole(note, "octave") + _whole(note, "pitch_class"),
        )
        for note in melody
    ]
    if not all(0 <= note.pitch < 128 and 0 <= note.start < note.end for note in notes):
        raise CorpusProblem("expected pitches from 0 to 127 and onsets from 0 on, got others")
    changes: list[ChordChange] = []
    for chord in sorted(harmony, key=lambda c: _number(c, "onset")):
        start, end = (frame_of(_number(chord, key) * quarters) for key in ("onset", "offset"))
        if end > start:
            changes += [ChordChange(start, _chord(chord)), ChordChange(end, None)]
    sounding = max([_number(event, "offset") for event in (*melody, *harmony)], default=Fraction(0))
    num_beats = max(sounding, _number(annotations, "num_beats") if annotations.get("num_beats") else Fraction(0))
    if num_beats > MAX_BEATS:
        raise CorpusProblem(f"expected at most {MAX_BEATS} beats, got {float(num_beats):.0f}")
    return Tune(name, title, notes, changes, _bars(starts, num_beats, quarters))


def _beats(annotations: Json) -> tuple[Fraction, list[tuple[Fraction, int]]]:
    """Quarters in a beat, and for each metre the beat on which it begins and its beats in a bar."""
    meters = [_record(meter, "a meter") for meter in _list(annotations.get("meters"), "meters")]
    units = {_whole(meter, "beat_unit") for meter in meters}
    if len(units) != 1 or not units <= {2, 4, 8, 16}:
        raise CorpusProblem(f"expected meters of one beat_unit, 2, 4, 8 or 16, got {sorted(units)}")
    starts = sorted((_number(meter, "beat"), _whole(meter, "beats_per_bar")) for meter in meters)
    if any(beats_per_bar < 1 for _, beats_per_bar in starts):
        raise CorpusProblem("expected beats_per_bar from 1 on, got less")
    return Fraction(4, units.pop()), starts


def _bars(starts: list[tuple[Fraction, int]], num_beats: Fraction, quarters: Fraction) -> list[Bar]:
    """The bars of all metres up to the end; a bar cut short by the next metre stays short."""
    lengths: list[tuple[Fraction, int]] = []
    for index, (_, beats_per_bar) in enumerate(starts):
        at = starts[index][0] if index else Fraction(0)
        until = min(num_beats, starts[index + 1][0]) if index + 1 < len(starts) else num_beats
        while at < until:
            last = index + 1 == len(starts)
            lengths.append((Fraction(beats_per_bar) if last else min(Fraction(beats_per_bar), until - at), beats_per_bar))
            at += beats_per_bar
    edges = [frame_of(beat * quarters) for beat in accumulate((length for length, _ in lengths), initial=Fraction(0))]
    return [
        Bar(end - start, frame_of(beats_per_bar * quarters))
        for start, end, (_, beats_per_bar) in zip(edges, edges[1:], lengths, strict=False)
    ]


def _chord(record: Json) -> Chord | str:
    """The chord with these tones on this root; a label if the vocabulary has none. The inversion is not part of a chord."""
    intervals = [_as_whole(i, "root_position_intervals") for i in _list(record.get("root_position_intervals"), "root_position_intervals")]
    root = _whole(record, "root_pitch_class") % 12
    tones = frozenset((root + above) % 12 for above in accumulate(intervals, initial=0))
    chord = from_pitch_classes(tones, root)
    if chord is None or chord.root != root:
        return f"{root} {intervals}"
    return chord


def _record(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise CorpusProblem(f"expected {what} as an object, got {type(value).__name__}")
    return value


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list) or not value:
        raise CorpusProblem(f"expected {what} as a list with entries, got {value if value == [] else type(value).__name__}")
    return value


def _number(record: Json, key: str) -> Fraction:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CorpusProblem(f"expected a number as {key}, got {value!r}")
    return Fraction(value).limit_denominator(960)


def _whole(record: Json, key: str) -> int:
    return _as_whole(record.get(key), key)


def _as_whole(value: object, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CorpusProblem(f"expected a whole number as {key}, got {value!r}")
    return value
