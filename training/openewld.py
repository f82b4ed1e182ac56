"""OpenEWLD in its public layout (Simonetta et al. 2018): zipped MusicXML lead sheets, one part, one voice. Shell.

Repeats and endings are played out; D.C., D.S. and coda are only words in these files and are played straight through.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from schema.chords import QUALITIES, Chord
from training.corpora import Conversion, CorpusProblem, Tune, convert
from training.scores import Measure, WrittenChord, WrittenNote, play_order, tune_of

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MAJOR, _MINOR, _DIMINISHED, _AUGMENTED = {3: 4, 5: 7}, {3: 3, 5: 7}, {3: 3, 5: 6}, {3: 4, 5: 8}
# MusicXML 4.0, kind-value: semitones above the root by degree.
_KINDS: Mapping[str, Mapping[int, int]] = {
    "major": _MAJOR,
    "minor": _MINOR,
    "augmented": _AUGMENTED,
    "diminished": _DIMINISHED,
    "dominant": _MAJOR | {7: 10},
    "major-seventh": _MAJOR | {7: 11},
    "minor-seventh": _MINOR | {7: 10},
    "diminished-seventh": _DIMINISHED | {7: 9},
    "augmented-seventh": _AUGMENTED | {7: 10},
    "half-diminished": _DIMINISHED | {7: 10},
    "minor-major": _MINOR | {7: 11},
    "major-sixth": _MAJOR | {6: 9},
    "minor-sixth": _MINOR | {6: 9},
    "dominant-ninth": _MAJOR | {7: 10, 9: 2},
    "major-ninth": _MAJOR | {7: 11, 9: 2},
    "minor-ninth": _MINOR | {7: 10, 9: 2},
    "augmented-ninth": _AUGMENTED | {7: 10, 9: 2},
    "suspended-second": {2: 2, 5: 7},
    "suspended-fourth": {4: 5, 5: 7},
}
# Added degrees count from a dominant chord (MusicXML 4.0, degree-alter): the seventh is the minor one.
_DEGREES = {2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 10, 9: 2, 11: 5, 13: 9}
_QUALITY_BY_TONES = {frozenset(q.intervals): q.name for q in QUALITIES}


def read_openewld(folder: Path) -> Conversion:
    """Every lead sheet `dataset/AUTHORS/TITLE/TITLE.mxl`. Raises CorpusProblem if none is there."""
    files = {_name(path): path for path in sorted((folder / "dataset").glob("*/*/*.mxl"))}
    if not files:
        raise CorpusProblem(f"expected files dataset/AUTHORS/TITLE/TITLE.mxl in {folder}, got none: point to the unpacked OpenEWLD")
    result = convert("openewld", files, lambda name: _read_song(name, files[name]))
    filled = {path.parent for path in files.values()}
    empty = [path for path in (folder / "dataset").glob("*/*") if path.is_dir() and path not in filled]
    return result.refuse([f"{path.parts[-2]}/{path.name}" for path in empty], "expected a file .mxl in the folder, got none")


def _name(path: Path) -> str:
    """Authors and title; a plus sign is kept for pieces of a song."""
    return f"{path.parts[-3]}/{path.stem}".replace("+", "&")


def _read_song(name: str, path: Path) -> Tune:
    score = _score(path)
    part = score.find("part")
    if part is None:
        raise CorpusProblem("expected a part in the score, got none")
    title = score.findtext("work/work-title") or score.findtext("movement-title") or path.stem
    measures = _measures(part)
    return tune_of(name, title.strip(), [measures[index] for index in play_order(measures)])


def _score(path: Path) -> Element:
    """The score in a zipped file: what its container names or, as one container in five is damaged, the only XML beside it."""
    try:
        with zipfile.ZipFile(path) as archive:
            scores = [n for n in archive.namelist() if n.endswith((".xml", ".musicxml")) and not n.startswith("META-INF/")]
            if len(scores) > 1:
                container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
                scores = [str(root.get("full-path")) for root in container.iter("rootfile")][:1]
            if not scores:
                raise CorpusProblem("expected a score in the zip file, got none")
            return ElementTree.fromstring(archive.read(scores[0]))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as problem:
        raise CorpusProblem(f"expected a zip file with a score, got {problem}") from None
    except ElementTree.ParseError as problem:
        raise CorpusProblem(f"expected well-formed XML in the zip file, got {problem}") from None


def _measures(part: Element) -> list[Measure]:
    """The measures as written. Without a time signature the usual length of a measure is the metre."""
    measures: list[Measure] = []
    metre: Fraction | None = None
    divisions = 1
    endings: frozenset[int] = frozenset()
    for element in part.iter("measure"):
        divisions = int(element.findtext("attributes/divisions") or divisions)
        if divisions < 1:
            raise CorpusProblem(f"expected divisions of a quarter note, got {divisions}")
        if (time := element.find("attributes/time")) is not None and time.findtext("beats"):
            metre = Fraction(int(time.findtext("beats") or "")) * Fraction(4, int(time.findtext("beat-type") or ""))
        measure = Measure(metre or Fraction(0))
        _read_content(element, measure, divisions)
        endings = _begun(element, endings)
        measure.endings = endings
        for repeat in element.iter("repeat"):
            measure.forward |= repeat.get("direction") == "forward"
            measure.backward |= repeat.get("direction") == "backward"
        if any(e.get("type") in ("stop", "discontinue") for e in element.iter("ending")):
            endings = frozenset()
        measures.append(measure)
    usual = Counter(m.length for m in measures).most_common(1)[0][0] if measures else Fraction(0)
    for measure in measures:
        measure.metre = measure.metre or usual
    _lengthen_endings(measures)
    return measures


def _lengthen_endings(measures: list[Measure]) -> None:
    """Let an ending whose bracket covers only its first measure run on to its repeat sign, as it sounds (one song in ten)."""
    for index, measure in enumerate(measures):
        if not measure.endings or measure.backward:
            continue
        after = index + 1
        while after < len(measures) and not (measures[after].endings or measures[after].forward or measures[after].backward):
            after += 1
        followed = after + 1 < len(measures) and bool(measures[after + 1].endings)
        if followed and measures[after].backward and not measures[after].endings:
            for inside in measures[index + 1 : after + 1]:
                inside.endings = measure.endings


def _begun(element: Element, endings: frozenset[int]) -> frozenset[int]:
    """The times through for which a measure is written: those of an ending that begins in it, else those of the one that runs."""
    for ending in element.iter("ending"):
        if ending.get("type") == "start":
            return frozenset(int(n) for n in (ending.get("number") or "").replace(",", " ").split())
    return endings


def _read_content(element: Element, measure: Measure, divisions: int) -> None:
    """Fill in notes, chords and length. Of notes struck together the top one is the tune; grace notes have no length."""
    at = Fraction(0)
    for child in element:
        if child.tag == "harmony":
            offset = Fraction(int(child.findtext("offset") or 0), divisions)
            measure.chords.append(WrittenChord(max(Fraction(0), at + offset), (_chord(child),)))
        elif child.tag == "note" and child.find("duration") is not None:
            length = _length(child, divisions)
            note = _note(child, at, length)
            if child.find("chord") is None:
                measure.notes += [note] if note else []
                at += length
            elif note and measure.notes and note.pitch > measure.notes[-1].pitch:
                measure.notes[-1] = WrittenNote(measure.notes[-1].start, note.length, note.pitch, note.tied)
        elif child.tag == "forward":
            at += _length(child, divisions)
        elif child.tag == "backup":
            break  # a second voice follows
        measure.length = max(measure.length, at)


def _length(element: Element, divisions: int) -> Fraction:
    return Fraction(int(element.findtext("duration") or 0), divisions)


def _note(element: Element, at: Fraction, length: Fraction) -> WrittenNote | None:
    """A sounding note; None for a rest."""
    if (pitch := element.find("pitch")) is None or length <= 0:
        return None
    step, octave = pitch.findtext("step") or "", pitch.findtext("octave") or ""
    number = 12 * (int(octave) + 1) + _STEPS[step] + _alter(pitch.findtext("alter"))
    if not 0 <= number < 128:
        raise CorpusProblem(f"expected pitches from 0 to 127, got {number}")
    tied = any(tie.get("type") == "start" for tie in element.iter("tie"))
    return WrittenNote(at, length, number, tied)


def _alter(text: str | None) -> int:
    return round(float(text)) if text else 0


def _chord(harmony: Element) -> Chord | str | None:
    """The chord of a symbol: None for `none`, a label where the vocabulary has no chord with these tones."""
    kind = (harmony.findtext("kind") or "").strip()
    if kind == "none":
        return None
    step = harmony.findtext("root/root-step") or ""
    degrees = [(d.findtext("degree-type"), d.findtext("degree-value"), d.findtext("degree-alter")) for d in harmony.iter("degree")]
    label = " ".join([step, kind, *(f"{t} {v} {a}" for t, v, a in degrees)])
    if kind not in _KINDS or step not in _STEPS:
        return label
    tones = dict(_KINDS[kind])
    for change, value, alter in degrees:
        degree = int(value or 0)
        if degree not in _DEGREES:
            return label
        if change == "subtract":
            tones.pop(degree, None)
        else:
            tones[degree] = _DEGREES[degree] + _alter(alter)
    quality = _QUALITY_BY_TONES.get(frozenset({0, *(t % 12 for t in tones.values())}))
    root = (_STEPS[step] + _alter(harmony.findtext("root/root-alter"))) % 12
    return Chord(root, quality) if quality else label
