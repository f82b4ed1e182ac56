"""ABC as in the Nottingham files: tiny tunes of our own, and the real corpus where SIDEMAN_DATA names it."""

from pathlib import Path

import pytest

from schema.chords import parse_symbol, print_symbol
from schema.tokens import NUM_CHORDS, NUM_PITCHES, chord_of, note_hold, note_onset
from tests.training.corpus_figures import corpus_folder, figures_of, needs_data
from training.corpora import Conversion, CorpusProblem, Song
from training.nottingham import chord_of_symbol, read_nottingham

HEAD = "T:A Tune\n% made up for this test\nM:4/4\nL:1/4\nK:C\n"
FOUR = '"C"CDEF|GABc|dcBA|GFED|'


def write(folder: Path, *tunes: str, name: str = "reels") -> Path:
    (folder / "ABC_cleaned").mkdir(exist_ok=True)
    path = folder / "ABC_cleaned" / f"{name}.abc"
    path.write_text("".join(f"X: {number}\n{tune}\n\n" for number, tune in enumerate(tunes, start=1)))
    return path


def read(folder: Path, *tunes: str) -> Conversion:
    write(folder, *tunes)
    return read_nottingham(folder)


def only(result: Conversion) -> Song:
    assert result.refused == {}
    (song,) = result.songs
    return song


def onsets(song: Song) -> dict[int, int]:
    return {f: int(v) - 1 for f, v in enumerate(song.melody) if 1 <= v <= NUM_PITCHES}


def struck(song: Song) -> dict[int, str]:
    return {f: print_symbol(chord_of(int(v))) for f, v in enumerate(song.chords) if 1 <= v <= NUM_CHORDS}


def letters(song: Song) -> str:
    """The first note of each bar of four, as a letter."""
    return "".join("C.D.EF.G.A.B"[pitch % 12] for frame, pitch in onsets(song).items() if frame % 16 == 0)


def test_a_plain_tune(tmp_path: Path):
    """Octaves, lengths, rests, ties (also after a space), stacks and symbols, on the grid."""
    song = only(read(tmp_path, HEAD + '"C"C,c/2c\'/ z/g3/2|"F"[FA]2- [FA]2 -|A4|' + FOUR))
    assert list(onsets(song).items())[:5] == [(0, 48), (4, 72), (6, 84), (10, 79), (16, 69)]
    assert song.melody[8:10].tolist() == [0, 0]
    assert song.melody[16:48].tolist() == [note_onset(69), *[note_hold(69)] * 31]
    assert struck(song) == {0: "C", 16: "F", 48: "C"}
    assert (song.name, song.title, song.style, song.beats_per_bar) == ("nottingham/reels/1", "A Tune", "folk", 4)


def test_keys_and_accidentals(tmp_path: Path):
    """A key holds until the next, an accidental to the bar line and in its octave."""
    body = 'K:D\n"D"FC ^G=F|FcG_B|\nK:Am\nFC^FF|\nK:Bbmaj\nBEAe|\nK:F#m\nFCGD|\nK:Ador\nFCGD|'
    song = only(read(tmp_path, HEAD + body))
    degrees = [pitch % 12 for pitch in onsets(song).values()]
    assert degrees == [6, 1, 8, 5, 6, 1, 7, 10, 5, 0, 6, 6, 10, 3, 9, 3, 6, 1, 8, 2, 6, 0, 7, 2]


def test_tuplets_and_default_lengths(tmp_path: Path):
    """Triplets fall on frames 0, 1, 3 of a beat; without L: a note is an eighth, in metres under 3/4 a sixteenth."""
    triplets = only(read(tmp_path, 'M:4/4\nK:C\n"C"(3cde (3fga (cd) ef|' + "c8|" * 4))
    assert list(onsets(triplets))[:10] == [0, 1, 3, 4, 5, 7, 8, 10, 12, 14]
    small = only(read(tmp_path, 'M:2/4\nK:C\n"C"cded cded|' + "c8|" * 8))
    assert list(onsets(small))[:8] == list(range(8))
    assert small.beats_per_bar == 2


def test_a_pickup_and_the_short_bar_at_a_repeat(tmp_path: Path):
    """Silence before the pickup; the short last bar of a part and the pickup of the next are one bar."""
    song = only(read(tmp_path, HEAD + '|:G|"C"CCCC|DDDD|EEE:|:A|"F"FFFF|GGG:|'))
    assert len(song.melody) == 16 * 11 - 4
    assert song.melody[:13].tolist() == [0] * 12 + [note_onset(67)]
    assert letters(song) == "CDECDEFGFG"
    assert struck(song) == {16: "C", 112: "F"}


def test_repeats_and_endings(tmp_path: Path):
    """`|:`, `:|`, `::`, bars in a row with nothing between, and first and second endings."""
    repeats = read(tmp_path, HEAD + '"C"C4|:D4:||:E4|[1F4:|[2G4||A4|: || |:B4|c4::d4:|')
    assert letters(only(repeats)) == "CDDEFEGABCBCDD"
    jumped = read(tmp_path, HEAD + '"C"C4|D4|1E4:|2F4||G4|')
    assert "expected ABC music" in jumped.refused["reels/1"]


A, B = 'P:A\n"C"C4|D4|\n', "P:B\nE4|F4|\n"
REPEATED_A, REPEATED_B = A.replace("D4|", "D4:|"), B.replace("F4|", "F4:|")


@pytest.mark.parametrize(
    ("order", "body", "expected"),
    [
        ("", A + B, "CDEF"),
        ("", REPEATED_A + REPEATED_B, "CDCDEFEF"),
        ("Y:ABA\n", A + B, "CDEFCD"),
        ("Y: A B A\n", A + B, "CDEFCD"),
        ("P:BA\n", A + B, "EFCD"),
        ("Y:AAB\n", REPEATED_A + REPEATED_B, "CDCDEFEF"),  # the order spells out a repeat that is written
        ("Y:AAB\n", A + REPEATED_B, "CDCDEFEF"),
        ("Y:AABB\n", A.replace("P:A\n", "") + B, "CDCDEFEF"),  # the first part is not marked
    ],
)
def test_parts(tmp_path: Path, order: str, body: str, expected: str):
    """Parts run in the order of Y:, or as written, each with its repeats."""
    assert letters(only(read(tmp_path, order + HEAD + body))) == expected


def test_chords_of_the_second_time(tmp_path: Path):
    """Two symbols in a row are for the first and the second time through; a blank one is no change; a chord lasts over bar lines."""
    song = only(read(tmp_path, HEAD + '|:"G""Em"G4|" "A4|"(D7)"B4:|'))
    assert struck(song) == {0: "G", 32: "D7", 48: "Em", 80: "D7"}


SYMBOLS = {"Em": "Em", "D7": "D7", "D/f+": "D", "Gm/bb": "Gm", "Gd": "Gdim", "D#d": "D#dim", "Ca": "Caug", "Fa7": "F7#5", "E7b9": "E7b9",
           "C6": "C6", "Dm6": "Dm6", "Bb": "Bb", "F#m7": "F#m7", "A7/c+": "A7"}  # fmt: skip


@pytest.mark.parametrize(("text", "symbol"), SYMBOLS.items())
def test_symbols(text: str, symbol: str):
    """This corpus's spelling: `d` and `a` are diminished and augmented, `+` and `b` after a bass are sharp and flat."""
    assert chord_of_symbol(text) == parse_symbol(symbol).chord


@pytest.mark.parametrize("text", ["From the top", "H7", "C13", "C//", "c"])
def test_texts_that_are_no_symbols(text: str):
    """They stay labels and cut the song."""
    assert chord_of_symbol(text) == text


def test_a_change_of_metre_cuts_the_tune(tmp_path: Path):
    """M: and L: in mid-tune: each metre is a piece of its own; 9/8 cannot be kept."""
    result = read(tmp_path, HEAD + FOUR + "\nM:6/8\nL:1/8\n" + "cdedcd|" * 6, '% slip\nM:9/8\nL:1/8\nK:C\n"C"' + "c9|" * 6)
    assert [(song.name, song.beats_per_bar) for song in result.songs] == [("nottingham/reels/1", 4), ("nottingham/reels/1+64", 3)]
    assert result.refused == {"reels/2": "a bar of 18 frames is no whole number of beats from 2 to 12"}


DAMAGED = {
    "": "expected music after the field K:, got none",
    "K:C\n": "expected music after the field K:, got none",
    "K:H\nCCCC|": "expected a key such as D or Em, got 'H'",
    "M:four\nK:C\nCCCC|": "expected a metre such as 6/8, got 'four'",
    "M:4/0\nK:C\nCCCC|": "expected a metre such as 6/8",
    "L:x\nK:C\nCCCC|": "Invalid literal for Fraction",
    "K:C\nC/0CCC|": "expected a length such as 3/2, got /0",
    "K:C\nCC?C|": "expected ABC music, got '?C|'",
    "K:C\n[C?]|": "expected notes in brackets, got [C?]",
    "K:C\n[|]": "expected ABC music",
    "K:C\n\"C\"C4": "got no such stretch",
    "K:C\n" + "CDEF|" * 8: "expected bars with chords, got none",
    'Y:AQ\nK:C\nP:A\n"C"' + "CDEF|" * 8: "expected the parts A Q, got no part Q",
    'K:C\n"C"' + "C,,,,,,CDE|" * 8: "expected pitches from 0 to 127, got -12",
}  # fmt: skip


@pytest.mark.parametrize(("tune", "why"), DAMAGED.items(), ids=range(len(DAMAGED)))
def test_damaged_tunes_are_refused(tmp_path: Path, tune: str, why: str):
    """A tune that makes no sense is refused with its reason; the others of the file are read."""
    result = read(tmp_path, HEAD + FOUR, tune, HEAD + FOUR)
    assert [song.name for song in result.songs] == ["nottingham/reels/1", "nottingham/reels/3"]
    assert why in result.refused["reels/2"]


def test_damaged_files_are_named(tmp_path: Path):
    """An empty file, one that cannot be opened, one of another kind and one cut in the middle: named, and the others are read."""
    write(tmp_path, HEAD + FOUR)
    write(tmp_path, name="empty")
    (tmp_path / "ABC_cleaned/folder.abc").mkdir()
    (tmp_path / "ABC_cleaned/binary.abc").write_bytes(bytes(range(128, 256)) * 9)
    cut = write(tmp_path, HEAD + FOUR, HEAD + FOUR, name="cut")
    cut.write_text(cut.read_text()[:-20])
    result = read_nottingham(tmp_path)
    assert [song.name for song in result.songs] == ["nottingham/cut/1", "nottingham/reels/1"]
    assert set(result.refused) == {"empty.abc", "folder.abc", "binary.abc", "cut/2"}
    assert result.refused["empty.abc"] == "expected tunes that begin with X:, got none"


def test_one_number_twice(tmp_path: Path):
    """Tunes of one file with the same number are both read."""
    path = write(tmp_path, HEAD + FOUR, HEAD + FOUR)
    path.write_text(path.read_text().replace("X: 2", "X: 1"))
    assert [song.name for song in read_nottingham(tmp_path).songs] == ["nottingham/reels/1", "nottingham/reels/1 at 2"]


def test_nothing_there(tmp_path: Path):
    with pytest.raises(CorpusProblem, match=r"expected files ABC_cleaned/\*\.abc in .*, got none: point to the Nottingham data set"):
        read_nottingham(tmp_path)


@needs_data
def test_the_real_corpus_has_the_known_statistics():
    """The numbers of data/README.md; thirteen tunes have no chords, twelve are in 9/8, one has a bracket that never closes."""
    result = read_nottingham(corpus_folder("nottingham"))
    found = figures_of(result)
    assert (found.tunes, len(result.refused)) == (908, 26)
    assert sum(why == "expected bars with chords, got none" for why in result.refused.values()) == 13
    assert found.beats_per_bar == {4: 483, 3: 385, 2: 37, 6: 3}
    assert found.note_in_chord_mean == pytest.approx(0.791, abs=0.003)
    assert found.note_in_chord_pooled == pytest.approx(0.789, abs=0.003)
    assert result.total_frames / 4 == pytest.approx(115_214, rel=0.01)
    assert found.silent_melody == pytest.approx(0.02, abs=0.005)
    assert found.no_chord == pytest.approx(0.023, abs=0.003)
    assert found.quarters_per_change == pytest.approx(3.2, abs=0.15)
    assert found.change_on_bar == pytest.approx(0.69, abs=0.01)
    assert found.notes_per_quarter == pytest.approx(1.39, abs=0.01)
    assert found.median_frames == 512
    assert result.unmapped_frames == 0
