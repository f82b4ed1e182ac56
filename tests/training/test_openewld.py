"""OpenEWLD: tiny hand-made lead sheets in zipped MusicXML, and the real corpus where SIDEMAN_DATA names it."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from schema.chords import print_symbol
from schema.tokens import NUM_CHORDS, NUM_PITCHES, chord_of, note_hold, note_onset
from tests.training.corpus_figures import corpus_folder, figures_of, needs_data
from training.corpora import Conversion, CorpusProblem, Song
from training.openewld import read_openewld

DIVISIONS = 12
PITCHES = {60 + 12 * octave + semitone: (step, alter, 4 + octave) for octave in range(2) for semitone, (step, alter) in enumerate(
    [("C", 0), ("D", -1), ("D", 0), ("E", -1), ("E", 0), ("F", 0), ("F", 1), ("G", 0), ("A", -1), ("A", 0), ("B", -1), ("B", 0)]
)}  # fmt: skip


def note(pitch: int | None, quarters: float = 1, *, tie: str = "", more: str = "") -> str:
    """A note or rest; `tie` is start, stop or both."""
    ties = "".join(f"<tie type='{kind}'/>" for kind in tie.split())
    what = "<rest/>"
    if pitch is not None:
        step, alter, octave = PITCHES[pitch]
        what = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    return f"<note>{more}{what}<duration>{round(quarters * DIVISIONS)}</duration>{ties}</note>"


def chord(root: str, kind: str = "major", *, offset: float = 0, degrees: str = "", bass: str = "") -> str:
    shift = f"<offset>{round(offset * DIVISIONS)}</offset>" if offset else ""
    alter = f"<root-alter>{root.count('#') - root.count('b')}</root-alter>"
    return f"<harmony><root><root-step>{root[0]}</root-step>{alter}</root><kind>{kind}</kind>{bass}{degrees}{shift}</harmony>"


def degree(value: int, alter: int, kind: str) -> str:
    parts = f"<degree-value>{value}</degree-value><degree-alter>{alter}</degree-alter><degree-type>{kind}</degree-type>"
    return f"<degree>{parts}</degree>"


def bar(pitch: int, symbol: str = "", *, marks: str = "") -> str:
    """Four quarter notes of one pitch."""
    return marks + symbol + note(pitch) * 4


REPEAT, BACK = "<barline><repeat direction='forward'/></barline>", "<barline><repeat direction='backward'/></barline>"


def ending(number: str, kind: str) -> str:
    return f"<barline><ending number='{number}' type='{kind}'/></barline>"


def sheet(*measures: str, time: str | None = "4/4", title: str = "A Song") -> str:
    beats, _, unit = (time or "").partition("/")
    metre = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>" if time else ""
    head = f"<attributes><divisions>{DIVISIONS}</divisions>{metre}</attributes>"
    body = "".join(f"<measure>{head if i == 0 else ''}{measure}</measure>" for i, measure in enumerate(measures))
    return f"<score-partwise><work><work-title>{title}</work-title></work><part>{body}</part></score-partwise>"


CONTAINER = "<container><rootfiles><rootfile full-path='{}'/></rootfiles></container>"


def write(folder: Path, name: str, score: str, container: str | None = None, **more: str) -> Path:
    path = folder / "dataset" / "Somebody" / name / f"{name}.mxl"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", CONTAINER.format(f"{name}.xml") if container is None else container)
        archive.writestr(f"{name}.xml", score)
        for other, text in more.items():
            archive.writestr(f"{other}.xml", text)
    return path


def read(folder: Path, *measures: str, time: str | None = "4/4") -> Conversion:
    write(folder, "Song", sheet(*measures, time=time))
    return read_openewld(folder)


def only(result: Conversion) -> Song:
    assert result.refused == {}
    (song,) = result.songs
    return song


def onsets(song: Song) -> dict[int, int]:
    return {f: int(v) - 1 for f, v in enumerate(song.melody) if 1 <= v <= NUM_PITCHES}


def struck(song: Song) -> dict[int, str]:
    return {f: print_symbol(chord_of(int(v))) for f, v in enumerate(song.chords) if 1 <= v <= NUM_CHORDS}


def bars_played(result: Conversion) -> list[int]:
    """The pitch of each bar of four."""
    return [pitch for frame, pitch in onsets(only(result)).items() if frame % 16 == 0]


def test_a_plain_song(tmp_path: Path):
    """Notes, rests and chords on the grid; the same symbol again is no onset; the bass of a slash chord is not part of it."""
    bass = "<bass><bass-step>E</bass-step></bass>"
    measures = [chord("C") + note(60, 1.5) + note(None, 0.5) + chord("C", bass=bass) + note(66, 2), chord("Bb", "dominant") + note(70, 4)]
    song = only(read(tmp_path, *measures, *[bar(60)] * 4))
    assert song.melody[:16].tolist() == [note_onset(60), *[note_hold(60)] * 5, 0, 0, note_onset(66), *[note_hold(66)] * 7]
    assert struck(song) == {0: "C", 16: "Bb7"}
    assert (song.name, song.title, song.style, song.beats_per_bar) == ("openewld/Somebody/Song", "A Song", "standards", 4)


def test_ties_tuplets_and_chord_offsets(tmp_path: Path):
    """Tied notes are one, also over a bar line; triplet eighths fall on frames 0, 1, 3; a chord may begin inside a note."""
    first = chord("C") + chord("G", offset=2) + note(60, 3) + note(62, 1, tie="start")
    second = note(62, 1, tie="stop start") + note(62, 1, tie="stop") + "".join(note(64 + i, 1 / 3) for i in range(3)) + note(67)
    song = only(read(tmp_path, first, second, *[bar(60)] * 4))
    assert list(onsets(song))[:6] == [0, 12, 24, 25, 27, 28]
    assert song.melody[12:24].tolist() == [note_onset(62), *[note_hold(62)] * 11]
    assert struck(song) == {0: "C", 8: "G"}


def test_a_pickup_is_filled_up(tmp_path: Path):
    """A short first bar lies at the end of a whole one."""
    song = only(read(tmp_path, note(67), bar(60, chord("C")), *[bar(62)] * 4, note(60, 3)))
    assert list(onsets(song))[:2] == [12, 16]
    assert struck(song) == {16: "C"}
    assert len(song.melody) == 16 * 6 + 12


def test_repeats_with_endings(tmp_path: Path):
    """First, second and third endings are played at their times; what follows is played once."""
    one = ending("1, 2", "start") + ending("1, 2", "stop") + BACK
    three = ending("3", "start") + ending("3", "stop")
    measures = [bar(60, chord("C")), bar(61, marks=REPEAT), bar(62, marks=one), bar(63, marks=three), bar(64)]
    assert bars_played(read(tmp_path, *measures)) == [60, 61, 62, 61, 62, 61, 63, 64]


def test_repeats_without_endings(tmp_path: Path):
    """A repeat goes back to its sign, or else to the end of the last repeat, or the beginning."""
    result = read(
        tmp_path, bar(60, chord("C")), bar(61, marks=BACK), bar(62), bar(63, marks=BACK), bar(64, marks=REPEAT), bar(65, marks=BACK)
    )
    assert bars_played(result) == [60, 61, 60, 61, 62, 63, 62, 63, 64, 65, 64, 65]


def test_brackets_over_the_first_measure_of_an_ending(tmp_path: Path):
    """An ending whose bracket covers one measure runs on to its repeat sign; where the sign is missing it is understood."""
    short = [ending("1", "start") + ending("1", "stop"), BACK, ending("2", "start") + ending("2", "stop"), ""]
    measures = [bar(60, chord("C")), *(bar(61 + i, marks=marks) for i, marks in enumerate(short))]
    assert bars_played(read(tmp_path / "a", *measures)) == [60, 61, 62, 60, 63, 64]
    unsigned = [bar(60, chord("C")), bar(61), bar(62, marks=short[0]), bar(63, marks=short[2])]
    assert bars_played(read(tmp_path / "b", *unsigned)) == [60, 61, 62, 60, 61, 63]


def test_metres(tmp_path: Path):
    """6/8 is three quarters and 2/2 four; 9/8 is refused; without a time signature the usual measure is the metre."""
    for name, time, measure, count in [("six", "6/8", note(60, 3), 6), ("alla breve", "2/2", bar(60), 5), ("none", None, note(60, 3), 6)]:
        write(tmp_path, name, sheet(chord("C") + measure, *[measure] * count, time=time))
    write(tmp_path, "nine", sheet(chord("C") + note(60, 4.5), *[note(60, 4.5)] * 5, time="9/8"))
    result = read_openewld(tmp_path)
    assert {song.name.rpartition("/")[2]: song.beats_per_bar for song in result.songs} == {"six": 3, "alla breve": 4, "none": 3}
    assert result.refused == {"Somebody/nine": "a bar of 18 frames is no whole number of beats from 2 to 12"}


def test_a_key_change_and_grace_notes_change_nothing(tmp_path: Path):
    """Pitches are written out; notes without length, notes of another voice and lower notes of a chord are not the tune."""
    grace = "<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note>"
    key = "<attributes><key><fifths>3</fifths></key></attributes>"
    low, high = note(60, 4), note(67, 4, more="<chord/>")
    voice = "<backup><duration>48</duration></backup>" + note(61, 4)
    song = only(
        read(
            tmp_path,
            chord("C") + low + high,
            key + grace + note(66, 4) + voice,
            "<forward><duration>48</duration></forward>",
            *[bar(60)] * 3,
        )
    )
    assert list(onsets(song).items())[:3] == [(0, 67), (16, 66), (48, 60)]


KINDS = [
    (chord("F#", "half-diminished"), "F#m7b5"),
    (chord("Ab", "major-sixth"), "Ab6"),
    (chord("A", "minor-major"), "AmMaj7"),
    (chord("A", "augmented-seventh"), "A7#5"),
    (chord("D", "suspended-fourth", degrees=degree(7, 0, "add")), "D7sus4"),
    (chord("G", "dominant", degrees=degree(9, -1, "add")), "G7b9"),
    (chord("G", "major", degrees=degree(9, 0, "add")), "Gadd9"),
    (chord("C", "dominant", degrees=degree(7, 0, "subtract")), "C"),
    (chord("C", "minor-seventh", degrees=degree(5, -1, "alter")), "Cm7b5"),
]
UNKNOWN = [
    chord("C", "power"),
    chord("C", "dominant-13th"),
    chord("C", "dominant", degrees=degree(5, -1, "alter")),
    chord("C", ""),
    chord("C", "major", degrees=degree(8, 0, "add")),
    chord("H", "major"),
]


@pytest.mark.parametrize(("symbol", "expected"), KINDS, ids=[symbol for _, symbol in KINDS])
def test_kinds_and_degrees(tmp_path: Path, symbol: str, expected: str):
    """A symbol is the chord with exactly its tones."""
    assert struck(only(read(tmp_path, bar(60, symbol), *[bar(62)] * 4))) == {0: expected}


@pytest.mark.parametrize("symbol", UNKNOWN, ids=range(len(UNKNOWN)))
def test_a_chord_outside_the_vocabulary_cuts_the_song(tmp_path: Path, symbol: str):
    """It is never rewritten: the piece ends before it and another begins at the bar of the next chord."""
    result = read(tmp_path, bar(60, chord("C")), *[bar(62)] * 4, bar(60, symbol), bar(60, chord("F")), *[bar(62)] * 4)
    assert [(song.name, len(song.melody)) for song in result.songs] == [("openewld/Somebody/Song", 80), ("openewld/Somebody/Song+96", 80)]
    assert result.unmapped_frames == 16


def test_no_chord(tmp_path: Path):
    """`none` is N, not an unknown chord."""
    song = only(read(tmp_path, bar(60, chord("C")), bar(60, chord("C", "none")), *[bar(62)] * 3, bar(62, chord("C"))))
    assert struck(song) == {0: "C", 80: "C"}
    assert not song.chords[16:80].any()


GOOD = sheet(bar(60, chord("C")), *[bar(62)] * 4)


def test_a_broken_container_is_not_needed(tmp_path: Path):
    """An apostrophe in the title breaks one container in five: the only other XML file is the score. Of two the container chooses."""
    write(tmp_path, "It's", GOOD, container=CONTAINER.format("It's.xml"))
    write(tmp_path, "Two", GOOD, other="<score-partwise/>")
    write(tmp_path, "Both", GOOD, container=CONTAINER.format("It's"), other=GOOD)
    result = read_openewld(tmp_path)
    assert sorted(song.name for song in result.songs) == ["openewld/Somebody/It's", "openewld/Somebody/Two"]
    assert "expected well-formed XML" in result.refused["Somebody/Both"]


DAMAGED = {
    "<score-partwise/>": "expected a part in the score, got none",
    "<score-partwise><part/></score-partwise>": "expected bars with chords, got none",
    "half a fi": "expected well-formed XML",
    GOOD[: len(GOOD) // 2]: "expected well-formed XML",
    GOOD.replace("<divisions>12", "<divisions>0"): "expected divisions",
    GOOD.replace("<divisions>12", "<divisions>x"): "invalid literal",
    GOOD.replace("<beat-type>4", "<beat-type>0"): "Fraction(4, 0)",
    GOOD.replace("<octave>4", "<octave>q"): "invalid literal",
    GOOD.replace("<step>D", "<step>X"): "'X'",
    sheet(bar(60, chord("C")), bar(60, marks=BACK), bar(60, marks=ending("99999", "start"))): "expected repeats that end",
    sheet(chord("C") + note(60, 1e9), bar(60)): "expected at most 100000 frames, got",
    sheet(*[bar(60)] * 6): "expected bars with chords, got none",
    sheet(chord("C"), *[note(None, 4)] * 6): "got no such stretch",
    sheet(chord("C", "power") + bar(60), *[bar(60)] * 6): "got no such stretch",
}


@pytest.mark.parametrize(("score", "why"), DAMAGED.items(), ids=range(len(DAMAGED)))
def test_damaged_scores_are_refused(tmp_path: Path, score: str, why: str):
    """A score that makes no sense is refused with its reason; the others are read."""
    write(tmp_path, "Good", GOOD)
    write(tmp_path, "Bad", score)
    result = read_openewld(tmp_path)
    assert [song.name for song in result.songs] == ["openewld/Somebody/Good"]
    assert why in result.refused["Somebody/Bad"]


def test_a_cut_file_never_stops_the_reader(tmp_path: Path):
    """Wherever a download broke off, and whichever byte is wrong, the other songs are read and this one is read or named."""
    write(tmp_path, "Good", GOOD)
    path = write(tmp_path, "Bad", GOOD)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(0, len(whole), 23)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole), 11)]
    for data in damaged:
        path.write_bytes(data)
        result = read_openewld(tmp_path)
        assert "openewld/Somebody/Good" in {song.name for song in result.songs}
        assert len(result.songs) + len(result.refused) == 2


def test_nothing_there(tmp_path: Path):
    """A folder without lead sheets is refused; an empty folder among full ones is named; a zip without a score too."""
    (tmp_path / "dataset/Somebody/Lost").mkdir(parents=True)
    with pytest.raises(CorpusProblem, match=r"expected files dataset/AUTHORS/TITLE/TITLE\.mxl"):
        read_openewld(tmp_path)
    path = write(tmp_path, "Hollow", GOOD)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README", "no score")
    assert read_openewld(tmp_path).refused == {
        "Somebody/Hollow": "expected a score in the zip file, got none",
        "Somebody/Lost": "expected a file .mxl in the folder, got none",
    }


def test_the_hand_made_sheets_are_well_formed():
    assert ElementTree.fromstring(GOOD).find("part") is not None


@needs_data
def test_the_real_corpus_has_the_known_statistics():
    """The numbers of data/README.md; 4 % more beats than there, as short ending brackets are played as they sound."""
    result = read_openewld(corpus_folder("openewld"))
    found = figures_of(result)
    assert (found.tunes, len(result.refused)) == (270, 0)
    assert found.beats_per_bar == {4: 192, 3: 63, 2: 13, 6: 2}
    assert found.note_in_chord_mean == pytest.approx(0.797, abs=0.003)
    assert found.note_in_chord_pooled == pytest.approx(0.794, abs=0.003)
    assert 42_058 <= result.total_frames / 4 <= 42_058 * 1.06
    assert found.silent_melody == pytest.approx(0.06, abs=0.01)
    assert found.no_chord == pytest.approx(0.013, abs=0.003)
    assert found.quarters_per_change == pytest.approx(3.5, abs=0.15)
    assert found.change_on_bar == pytest.approx(0.68, abs=0.01)
    assert found.notes_per_quarter == pytest.approx(0.83, abs=0.01)
    assert found.median_frames == 528
    assert result.unmapped_frames / result.total_frames < 0.005
