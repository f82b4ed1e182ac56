"""RS 200: tiny hand-made songs in its two notations, and the real corpus where SIDEMAN_DATA names it."""

from pathlib import Path

import pytest

from schema.chords import UnknownChord, parse_symbol, print_symbol
from schema.tokens import NUM_CHORDS, NUM_PITCHES, chord_of
from tests.training.corpus_figures import corpus_folder, figures_of, needs_data
from training.corpora import Conversion, CorpusProblem, Song
from training.rs200 import chord_of_numeral, read_rs200

FOUR_BARS = "I | IV | V7 | I |"


def write(folder: Path, name: str, melody: str, harmony: str) -> None:
    for kind, suffix, text in (("rs200_melody", "mel", melody), ("rs200_harmony_exp", "txt", harmony)):
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{name}_dt.{suffix}").write_text(text)


def read(folder: Path, melody: str, harmony: str) -> Conversion:
    write(folder, "song", melody, harmony)
    return read_rs200(folder)


def only(result: Conversion) -> Song:
    assert result.refused == {}
    (song,) = result.songs
    return song


def onsets(song: Song) -> dict[int, int]:
    return {f: int(v) - 1 for f, v in enumerate(song.melody) if 1 <= v <= NUM_PITCHES}


def struck(song: Song) -> dict[int, str]:
    return {f: print_symbol(chord_of(int(v))) for f, v in enumerate(song.chords) if 1 <= v <= NUM_CHORDS}


def test_degrees_steps_and_octaves(tmp_path: Path):
    """Steps share the measure equally; each degree is the nearest to the last, a tritone goes up, `^` and `v` move by octaves."""
    melody = "% My Song\n[C] [OCT=4] 1.3. 5^1v57 | 4_- | #4nb7= | 1 |"
    song = only(read(tmp_path, melody, "[C] " + FOUR_BARS))
    assert song.title == "My Song"
    assert onsets(song) == {0: 60, 4: 64, 8: 67, 10: 84, 12: 67, 14: 71, 16: 77, 32: 78, 34: 82, 48: 84}


def test_notes_last_to_the_next_at_most_eight_frames(tmp_path: Path):
    """Only onsets are written."""
    song = only(read(tmp_path, "[C] 1... 2... | R*3 | 3 | " + "| " * 4, "[C] " + FOUR_BARS + "| | | | |"))
    assert [frame for frame in range(80) if song.melody[frame]] == [*range(16), *range(64, 72)]
    assert onsets(song) == {0: 60, 8: 62, 64: 64}
    assert len(song.melody) == 80  # bars after the last note are left out


def test_metres_keys_signatures_and_comments(tmp_path: Path):
    """Directives hold from their place on: a key ends a mode signature, `n` undoes it for a note; warnings and comments mean nothing."""
    melody = "[A] [..b..bb] [12/8] 1.3 n3.. 6.. 7.. | [D] 1.3 = ... | " + "1 | " * 4
    harmony = "Warning: 'B' is defined but never used\n% by hand\n[A] i . | [D] I | . | | V64 I . . | R | "
    song = only(read(tmp_path, melody, harmony))
    assert song.beats_per_bar == 6
    assert [pitch % 12 for pitch in onsets(song).values()][:5] == [9, 0, 1, 5, 7]
    assert [pitch % 12 for pitch in onsets(song).values()][5:7] == [2, 6]
    assert struck(song) == {0: "Am", 24: "D", 96: "A", 102: "D"}
    assert not song.chords[120:].any()


def test_intros_and_endings_without_a_melody_are_left_out(tmp_path: Path):
    """The song begins with the measure of its first note; the chord that runs there is struck there."""
    song = only(read(tmp_path, "[C] R*3 | ..1. | " + "1 | " * 4 + "R*9 |", "[C] V | | | | I | " + "| " * 12))
    assert struck(song) == {0: "G", 16: "C"}
    assert min(onsets(song)) == 8
    assert len(song.melody) == 80


def test_a_measure_in_another_metre_cuts_the_song(tmp_path: Path):
    """After an odd measure another piece begins; measures of no whole beats and free ones are counted."""
    melody = "[C] " + "1 | " * 4 + "[2/4] 1 | [4/4] " + "1 | " * 4 + "[7/8] 1 | [0] 1 | [4/4]" + "1 | " * 4
    result = read(tmp_path, melody, "[C] I | " + "| " * 14)
    assert [(song.name, len(song.melody)) for song in result.songs] == [("rs200/song", 64), ("rs200/song+72", 64), ("rs200/song+152", 64)]
    assert (result.unbarred_frames, result.short_frames) == (16, 8)


NUMERALS = {
    "I": "C", "ii": "Dm", "bVII": "Bb", "#IV": "F#", "V6": "G", "IV64": "F", "iii64": "Em", "I7": "Cmaj7", "IV7": "Fmaj7", "V7": "G7",
    "bVII7": "Bbmaj7", "II7": "D7", "Id7": "C7", "IVd43": "F7", "ii65": "Dm7", "v7": "Gm7", "i42": "Cm7", "iio6": "Ddim", "viih7": "Bm7b5",
    "viix42": "Bdim7", "Va": "Gaug", "Va7": "G7#5", "Vs4": "Gsus4", "V7s4": "G7sus4", "v7s4": "G7sus4", "V7b9": "G7b9", "V9": "G9",
    "Id9": "C9", "ii9": "Dm9", "I9": "Cmaj9", "V11": "F", "ii11": "C", "V/V": "D", "V65/ii": "A7", "viix7/vi": "G#dim7", "V/bVI": "Eb",
    "V42/IV": "C7", "ii/V": "Am",
}  # fmt: skip


@pytest.mark.parametrize(("numeral", "symbol"), NUMERALS.items())
def test_numerals(numeral: str, symbol: str):
    """Roman numerals in C as lead-sheet symbols."""
    assert chord_of_numeral(numeral, 0) == parse_symbol(symbol).chord


@pytest.mark.parametrize("numeral", ["V+11", "bVIb5", "Id7#9", "V/?", "?", "IVh", "iid", "V11s4", "I7s4", "viih9"])
def test_numerals_without_a_chord(numeral: str):
    """What the vocabulary does not have, and what is no numeral, stays a label and cuts the song."""
    assert chord_of_numeral(numeral, 0) == numeral
    with pytest.raises(UnknownChord):
        parse_symbol(numeral)


@pytest.mark.parametrize(
    ("melody", "harmony", "why"),
    [
        ("[C] R*4 |", "[C] | | | |", "the melody file holds rests only"),
        ("[C] 1 | 1 | ", "[C] I |", "expected as many measures in melody and harmony, got 2 and 1"),
        ("[C] 1 | 1", "[C] I | I |", "expected a bar line at the end"),
        ("1 | 1 |", "[C] I | I |", "expected a key such as [C] before the first note"),
        ("[C] 1 |", "I |", "expected a key such as [C] before the first numeral"),
        ("[C] 1 x |", "[C] I |", "expected scale degrees and dots, got 'x'"),
        ("[H] 1 |", "[C] I |", "got [H]"),
        ("[C] [OCT=9] 1 ^7^7 |", "[C] I |", "expected pitches from 0 to 127"),
        ("[C] [4/0] 1 |", "[C] I |", "Fraction(16, 0)"),
        ("[C] 1 |", "", "expected as many measures"),
        ("[C] 1 | R*99999999 | 1 |", "[C] I |", "expected at most 1000 empty measures"),
        ("", "", "rests only"),
    ],
)
def test_damaged_songs_are_refused(tmp_path: Path, melody: str, harmony: str, why: str):
    """A song that makes no sense is refused with its reason; the others are read."""
    write(tmp_path, "good", "[C] " + "1 | " * 4, "[C] " + FOUR_BARS)
    result = read(tmp_path, melody, harmony)
    assert [song.name for song in result.songs] == ["rs200/good"]
    assert why in result.refused["song"]


def test_a_half_download_is_named(tmp_path: Path):
    """A melody without harmony and a harmony without melody are refused by name."""
    for name in ("a", "b", "c"):
        write(tmp_path, name, "[C] " + "1 | " * 4, "[C] " + FOUR_BARS)
    (tmp_path / "rs200_melody/a_dt.mel").unlink()
    (tmp_path / "rs200_harmony_exp/b_dt.txt").unlink()
    result = read_rs200(tmp_path)
    assert [song.name for song in result.songs] == ["rs200/c"]
    assert result.refused["a"] == "expected a melody file, got only a harmony file"
    assert "b_dt.txt" in result.refused["b"]
    with pytest.raises(CorpusProblem, match=r"expected files rs200_melody/SONG_ANALYST\.mel"):
        read_rs200(tmp_path / "rs200_harmony_exp")


@needs_data
def test_the_real_corpus_has_the_known_statistics():
    """The numbers of data/README.md; six songs have no melody, one is in 9/8."""
    result = read_rs200(corpus_folder("rs200"))
    found = figures_of(result)
    assert (found.tunes, len(result.refused)) == (173, 7)
    assert found.beats_per_bar == {4: 147, 6: 20, 3: 6}
    assert found.note_in_chord_mean == pytest.approx(0.672, abs=0.003)
    assert found.note_in_chord_pooled == pytest.approx(0.670, abs=0.003)
    assert result.total_frames / 4 == pytest.approx(66_770, rel=0.005)
    assert found.silent_melody == pytest.approx(0.35, abs=0.01)
    assert found.no_chord == pytest.approx(0.003, abs=0.002)
    assert found.quarters_per_change == pytest.approx(4.6, abs=0.1)
    assert found.change_on_bar == pytest.approx(0.74, abs=0.01)
    assert found.notes_per_quarter == pytest.approx(0.80, abs=0.01)
    assert found.median_frames == pytest.approx(1432, abs=16)  # before cutting exactly that
    assert result.unmapped_frames / result.total_frames < 0.005
