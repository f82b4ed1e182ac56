"""POP909 in its public layout, with and without POP909-CL: tiny hand-made copies, and the real ones where SIDEMAN_DATA names them."""

import shutil
import zipfile
from pathlib import Path

import mido
import pytest

from schema.chords import parse_symbol
from schema.tokens import NUM_CHORDS, chord_hold, chord_of, chord_onset, first_break, note_hold, note_onset
from tests.training.corpus_figures import corpus_folder, figures_of, needs_data
from tests.training.pop909_scores import EIGHT, TICKS, Score, every_bar, midi_track, only, quarters, struck
from training.corpora import CorpusProblem
from training.pop909 import read_pop909


def test_tempo_changes_are_followed(tmp_path: Path):
    """Notes lie on the grid through tempo changes in mid-file, of the melody's track or another."""
    Score(quarters(0, 32), every_bar(*EIGHT), tempi=[(0, 0.5), (10, 0.75), (21, 0.3)]).write(tmp_path)
    song = only(read_pop909(tmp_path))
    expected = [v for row in range(32) for v in (note_onset(60 + row % 5), note_hold(60 + row % 5), 0, 0)]
    assert song.melody.tolist() == expected
    assert (song.name, song.corpus, song.style, song.beats_per_bar) == ("pop909/001", "pop909", "pop", 4)
    assert struck(song) == {0: "C", 16: "Am", 32: "F", 48: "G7", 64: "C", 80: "Am", 96: "F", 112: "G7"}


def test_chord_rows(tmp_path: Path):
    """Equal labels in a row are one chord, rows without length are skipped, N is no chord, ends are rounded to the beat, the rest is N."""
    rows = [(0, 4, "C:maj"), (4, 8.2, "C:maj/5"), (8.2, 8.2, "D:min"), (8.2, 11.9, "N"), (11.9, 16, "D:min7"), (16, 20, "D:min7")]
    Score(quarters(0, 24), rows).write(tmp_path)
    song = only(read_pop909(tmp_path))
    c, d = parse_symbol("C").chord, parse_symbol("Dm7").chord
    assert c is not None
    assert d is not None
    expected = [chord_onset(c)] + [chord_hold(c)] * 31 + [0] * 16 + [chord_onset(d)] + [chord_hold(d)] * 31 + [0] * 16
    assert song.chords.tolist() == expected
    assert first_break(song.chords.tolist(), NUM_CHORDS) is None


def test_a_chord_that_runs_already_is_struck_at_frame_0(tmp_path: Path):
    """An intro without melody is left out, back to the bar line before the first note; the chord that sounds there is struck there."""
    Score(quarters(14, 32), [(0, 24, "C:maj"), (24, 32, "G:maj")], downbeats=(0, 4, 8)).write(tmp_path)
    song = only(read_pop909(tmp_path))
    assert struck(song) == {0: "C", 48: "G"}
    assert song.melody[:9].tolist() == [0] * 8 + [note_onset(64)]


def test_a_triplet_song_has_dotted_quarters(tmp_path: Path):
    """Where onsets fit thirds of a row, the row is a dotted quarter: six frames, four rows make 12/8."""
    notes = [(row + third / 3, row + (third + 1) / 3, 60 + third) for row in range(32) for third in range(3)]
    Score(notes, every_bar(*EIGHT)).write(tmp_path)
    song = only(read_pop909(tmp_path))
    assert song.beats_per_bar == 6
    assert song.melody.tolist() == [value for p in (60, 61, 62) for value in (note_onset(p), note_hold(p))] * 32
    assert list(struck(song)) == [24 * bar for bar in range(8)]


def test_a_pickup_keeps_its_place_in_the_bar(tmp_path: Path):
    """Bars begin where most chords change; a pickup, before the first row of the file even, lies late in the bar before."""
    Score([(0, 0.5, 67), *quarters(1, 33)], every_bar(*EIGHT, first=1), rows=range(1, 49)).write(tmp_path)
    song = only(read_pop909(tmp_path))
    assert song.melody[:18].tolist() == [0] * 12 + [note_onset(67), note_hold(67), 0, 0, note_onset(61), note_hold(61)]
    assert min(struck(song)) == 16
    assert len(song.melody) % 16 == 0


def test_downbeats_break_a_tie(tmp_path: Path):
    """Where as many chords change on one row of the bar as on another, the file's downbeats decide."""
    rows = [(0, 5, "C:maj"), (5, 8, "F:maj"), (8, 13, "G:maj"), (13, 32, "C:maj")]
    Score(quarters(5, 32), rows, downbeats=(1, 5, 9)).write(tmp_path / "late")
    Score(quarters(5, 32), rows, downbeats=(0, 4, 8)).write(tmp_path / "early")
    assert only(read_pop909(tmp_path / "late")).melody[0] == note_onset(60)
    assert only(read_pop909(tmp_path / "early")).melody[4] == note_onset(60)


def test_three_rows_a_bar(tmp_path: Path):
    """A strong row every third makes 3/4; a file that marks none is taken for 4/4."""
    waltz = every_bar(*EIGHT, rows=3)
    Score(quarters(0, 24), waltz, strong_every=3).write(tmp_path / "waltz")
    song = only(read_pop909(tmp_path / "waltz"))
    assert (song.beats_per_bar, len(song.melody)) == (3, 96)
    home = Score(quarters(0, 32), every_bar(*EIGHT)).write(tmp_path / "plain")
    beats = home / "beat_midi.txt"
    beats.write_text(beats.read_text().replace(" 1.0 ", " 0.0 "))
    assert only(read_pop909(tmp_path / "plain")).beats_per_bar == 4


def test_an_unmapped_chord_cuts_the_song(tmp_path: Path):
    """A label without a chord is never rewritten: it parts the song, the rest begins on a bar line, short rests are left out."""
    labels = [(0, 20, "C:maj"), (20, 22, "C:13"), (22, 42, "F:maj"), (42, 44, "X"), (44, 48, "G:maj")]
    Score(quarters(0, 48), labels).write(tmp_path)
    result = read_pop909(tmp_path)
    assert [song.name for song in result.songs] == ["pop909/001", "pop909/001+96"]
    first, second = result.songs
    assert (len(first.melody), len(second.melody)) == (80, 72)
    assert second.melody[0] == note_onset(60 + 24 % 5)
    assert [chord_of(int(v)) for v in (first.chords[-1], second.chords[0])] == [parse_symbol("C").chord, parse_symbol("F").chord]
    assert second.chords[0] > NUM_CHORDS  # F was struck in the part that was cut away
    assert (result.unmapped_frames, result.total_frames) == (16, 192)


def test_keys_pressed_twice_and_releases_without_a_key(tmp_path: Path):
    """A key struck again while it sounds begins a new note; a release of nothing is nothing; an open note is left out."""
    home = Score(quarters(0, 24), every_bar(*EIGHT)).write(tmp_path)
    midi = mido.MidiFile(home / "001.mid")
    more = [mido.Message("note_on", note=72, velocity=9), mido.Message("note_on", note=72, velocity=9, time=TICKS)]
    more += [mido.Message("note_off", note=72, time=TICKS), mido.Message("note_off", note=72), mido.Message("note_on", note=50, velocity=9)]
    end = midi.tracks[1].pop()
    midi.tracks[1] += [more[0].copy(time=TICKS // 2), *more[1:], end]
    midi.save(home / "001.mid")
    melody = only(read_pop909(tmp_path)).melody
    assert melody[96:104].tolist() == [note_onset(72), *[note_hold(72)] * 3] * 2
    assert not (melody == note_onset(50)).any()


def test_nothing_there(tmp_path: Path):
    """A missing folder and an empty one are refused with what to do."""
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(CorpusProblem) as caught:
            read_pop909(folder)
        assert str(caught.value) == (
            f"expected the folders POP909/001 .. POP909/909 in {folder}, got none: point to the unpacked POP909 data set"
        )
    (tmp_path / "POP909").mkdir()
    (tmp_path / "POP909/001").write_text("a file where a folder belongs")
    with pytest.raises(CorpusProblem, match="got none"):
        read_pop909(tmp_path)


HEADER = b"MThd\0\0\0\6\0\1\0\1\1\xe0"
TEXT_DAMAGE = {
    "beat_midi.txt": [
        ("", "expected at least 8 rows of three numbers in beat_midi.txt"),
        ("0 1 1\n1 0 0\n", "expected at least 8 rows of three numbers in beat_midi.txt"),
        ("1 1 1\n" * 9, "expected rising seconds in beat_midi.txt"),
        ("".join(f"{i / 1e9} 1 1\n" for i in range(9)), "expected at most 100000 frames"),
        ("inf 1 1\n" * 9, "expected rising seconds in beat_midi.txt"),
        ("x y z\n" * 9, "could not convert"),
    ],
    "chord_midi.txt": [
        ("", "expected chord rows in chord_midi.txt, got none"),
        ("9 3 C:maj\n", "expected chord rows in chord_midi.txt, got none"),
        ("0 1\n", "not enough values"),
        ("0 inf C:maj\n", "infinity"),
    ],
}
MIDI_DAMAGE = [
    b"",
    b"RIFF" * 20,
    HEADER[:9],
    HEADER + b"MTrk\0\0\0\6\0\xff\x59\x02\x40\x07",
    HEADER + b"MTrk\0\0\0\5\0\xff\x51\x01\x40",
    HEADER[:12] + b"\0\0" + b"MTrk\0\0\0\x0b\0\x90\x40\x40\x40\x80\x40\0\0\xff\x2f",
]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three good songs, the second to be spoilt."""
    for number in ("001", "002", "003"):
        Score(quarters(0, 32), every_bar(*EIGHT)).write(tmp_path, number)
    return tmp_path


def reason(library: Path) -> str:
    """Why the second song was refused, the others having been read."""
    result = read_pop909(library)
    assert [song.name for song in result.songs] == ["pop909/001", "pop909/003"]
    assert list(result.refused) == ["002"]
    assert result.refused["002"]
    return result.refused["002"]


@pytest.mark.parametrize("name", ["002.mid", "beat_midi.txt", "chord_midi.txt"])
def test_a_half_download_is_named(library: Path, name: str):
    """A song with a missing file is refused by the name of that file; the others are read."""
    (library / "POP909/002" / name).unlink()
    assert name in reason(library)


@pytest.mark.parametrize(("name", "text", "why"), [(name, *case) for name, cases in TEXT_DAMAGE.items() for case in cases])
def test_damaged_text_is_refused(library: Path, name: str, text: str, why: str):
    """A song with empty, short or senseless text files is refused with its reason; the others are read."""
    (library / "POP909/002" / name).write_text(text)
    assert why in reason(library)


@pytest.mark.parametrize("data", MIDI_DAMAGE, ids=range(len(MIDI_DAMAGE)))
def test_a_damaged_midi_file_is_refused(library: Path, data: bytes):
    """A cut, foreign or senseless MIDI file is refused with its reason; the others are read."""
    (library / "POP909/002/002.mid").write_bytes(data)
    assert reason(library)


def test_a_cut_midi_file_never_stops_the_reader(library: Path):
    """Wherever a MIDI file was cut off, the other songs are read."""
    path = library / "POP909/002/002.mid"
    whole = path.read_bytes()
    for length in range(0, len(whole), 41):
        path.write_bytes(whole[:length])
        result = read_pop909(library)
        assert {"pop909/001", "pop909/003"} <= {song.name for song in result.songs}
        assert len(result.songs) + len(result.refused) == 3


def test_songs_that_do_not_fit_are_refused(tmp_path: Path):
    """No melody track, no notes in it, a metre that is no whole number of beats, and the songs off any grid: each with its reason."""
    good = Score(quarters(0, 32), every_bar(*EIGHT))
    Score(good.notes, good.chords, track="PIANO").write(tmp_path, "001")
    Score([], good.chords).write(tmp_path, "002")
    thirds = [(row + third / 3, row + (third + 1) / 3, 60) for row in range(24) for third in range(3)]
    Score(thirds, every_bar(*EIGHT, rows=3), strong_every=3).write(tmp_path, "003")
    good.write(tmp_path, "014")
    shutil.copytree(tmp_path / "POP909/014", tmp_path / "POP909/not a number")
    result = read_pop909(tmp_path)
    assert result.songs == []
    assert result.refused == {
        "001": "expected a track named MELODY, got ['', 'PIANO']",
        "002": "expected notes in the track MELODY, got none",
        "003": "a bar of 18 frames is no whole number of beats from 2 to 12",
        "014": "melody lies off any grid",
    }


def corrected(folder: Path, score: Score, blocks: list[tuple[float, float, tuple[int, ...]]], *, shift: float, number: str = "001") -> Path:
    """A file of POP909-CL: the notes of `score` and block chords, all `shift` beats earlier, 480 ticks a beat."""
    home = folder.parent / "pop909_cl/POP909_processed"
    home.mkdir(parents=True, exist_ok=True)
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600_000)]))
    for name, notes in (("piano", score.notes), ("MIDI 01", [(s, e, p) for s, e, pitches in blocks for p in pitches])):
        events = []
        for start, end, pitch in notes:
            events.append((round((start - shift) * 480), mido.Message("note_on", note=pitch, velocity=90)))
            events.append((round((end - shift) * 480), mido.Message("note_off", note=pitch)))
        events.sort(key=lambda item: (item[0], item[1].type == "note_on"))
        midi.tracks.append(midi_track(name, events))
    path = home / f"{number}.mid"
    midi.save(path)
    return path


C_UNDER, AM_UNDER, G7_UNDER, C_AND_E = (48, 52, 55), (45, 48, 52), (43, 47, 50, 53), (48, 52)


@pytest.fixture
def pop909(tmp_path: Path) -> Path:
    folder = tmp_path / "pop909"
    folder.mkdir()
    return folder


def test_corrected_chords_lie_on_the_grid_of_pop909(pop909: Path):
    """POP909-CL's chords replace those of chord_midi.txt, moved by the constant between the two grids, whole beats or not."""
    tune = [60, 62, 67, 64, 65, 71, 59, 69, 72, 57]
    score = Score([(row, row + 0.5, tune[row * 3 % 10]) for row in range(4, 36)], every_bar(*["D:maj"] * 9))
    blocks = [(4 + 4 * bar, 8 + 4 * bar, (C_UNDER, AM_UNDER)[bar % 2]) for bar in range(7)] + [(32, 34, C_UNDER), (34, 36, G7_UNDER)]
    score.write(pop909)
    corrected(pop909, score, blocks, shift=2.5)
    result = read_pop909(pop909)
    song = only(result)
    assert "001" not in result.replaced
    assert struck(song) == {16 * bar: ("C", "Am")[bar % 2] for bar in range(7)} | {120: "G7"}
    assert struck(only(read_pop909(pop909, "chord_midi"))) == {0: "D"}


def test_a_block_that_names_no_chord_cuts_the_song(pop909: Path):
    """Two notes are no chord: the song is cut there, never filled with a guess."""
    score = Score([(row, row + 0.5, 60 + row * 7 % 12) for row in range(48)], every_bar(*["D:maj"] * 12), range(60))
    score.write(pop909)
    corrected(pop909, score, [(0, 20, C_UNDER), (20, 24, C_AND_E), (24, 48, AM_UNDER)], shift=0)
    result = read_pop909(pop909)
    assert [(song.name, len(song.melody)) for song in result.songs] == [("pop909/001", 80), ("pop909/001+96", 96)]
    assert (result.unmapped_frames, result.short_frames, result.total_frames) == (16, 0, 192)


def test_without_a_usable_correction_chord_midi_is_read_and_said(pop909: Path):
    """No POP909-CL, an empty one, a file missing, cut, of other notes or without chords: `chord_midi.txt`, each named with the reason."""
    scores = {n: Score([(row, row + 0.5, 60 + row * 7 % 12) for row in range(32)], every_bar(*EIGHT)) for n in ("001", "002", "003", "004")}
    for number, score in scores.items():
        score.write(pop909, number)
    assert "chord_midi.txt is read everywhere" in read_pop909(pop909).replaced["pop909_cl"]
    assert "pop909_cl" not in read_pop909(pop909, "chord_midi").replaced
    (pop909.parent / "pop909_cl/POP909_processed").mkdir(parents=True)
    assert "got no MIDI file" in read_pop909(pop909).replaced["pop909_cl"]
    blocks = [(4 * bar, 4 * bar + 4, AM_UNDER) for bar in range(8)]
    cut = corrected(pop909, scores["001"], blocks, shift=0)
    cut.write_bytes(cut.read_bytes()[:60])
    other = Score([(row / 3 + row * row % 5 / 7, row + 0.4, 60 + row % 3) for row in range(32)], [])
    corrected(pop909, other, blocks, shift=0, number="002")
    corrected(pop909, scores["003"], [], shift=0, number="003")
    result = read_pop909(pop909)
    assert len(result.songs) == 4
    assert {struck(song)[0] for song in result.songs} == {"C"}
    reasons = [result.replaced[number] for number in scores]
    assert all(reason.startswith("chord_midi.txt instead of POP909-CL: ") for reason in reasons)
    for reason, part in zip(reasons, ["expected a", "notes lie on POP909's", "only one track with notes", "no such file"], strict=True):
        assert part in reason


def test_titles_come_from_the_index(pop909: Path):
    """Titles are the second column of index.xlsx; a damaged one is said and costs only the titles."""
    Score(quarters(0, 32), every_bar(*EIGHT)).write(pop909)
    cells = "".join(f"<c t='inlineStr'><is><t>{text}</t></is></c>" for text in ("001", "Moon River"))
    sheet = f"<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData><row>{cells}</row></sheetData></worksheet>"
    with zipfile.ZipFile(pop909 / "POP909/index.xlsx", "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    result = read_pop909(pop909, "chord_midi")
    assert only(result).title == "Moon River"
    assert result.replaced == {}
    (pop909 / "POP909/index.xlsx").write_bytes(b"PK half")
    result = read_pop909(pop909, "chord_midi")
    assert only(result).title is None
    assert result.replaced["index.xlsx"].startswith("no titles, ")


@needs_data
def test_the_real_corpus_has_the_known_statistics():
    """POP909 read here has the numbers measured independently (data/README.md): a misread beat or phase would move them."""
    result = read_pop909(corpus_folder("pop909"), "chord_midi")
    found = figures_of(result)
    assert (found.tunes, len(result.refused)) == (813, 6)
    assert found.beats_per_bar == {4: 765, 3: 26, 6: 22}
    assert found.note_in_chord_mean == pytest.approx(0.722, abs=0.003)
    assert found.note_in_chord_pooled == pytest.approx(0.723, abs=0.003)
    assert found.silent_melody == pytest.approx(0.31, abs=0.01)
    assert found.quarters_per_change == pytest.approx(2.7, abs=0.1)
    assert found.change_on_bar == pytest.approx(0.57, abs=0.01)
    assert found.median_frames == pytest.approx(1072, abs=16)


@needs_data
def test_the_real_corrections_have_the_known_statistics():
    """With POP909-CL: 367 without chords, 553 and 658 without a usable score, all others on POP909's grid (data/README.md)."""
    result = read_pop909(corpus_folder("pop909"))
    found = figures_of(result)
    assert list(result.replaced) == ["367", "553", "658"]
    assert found.tunes == 813
    assert found.note_in_chord_mean == pytest.approx(0.736, abs=0.003)
    assert found.note_in_chord_pooled == pytest.approx(0.736, abs=0.003)
    assert found.quarters_per_change == pytest.approx(2.9, abs=0.05)
    assert found.change_on_bar == pytest.approx(0.62, abs=0.01)
    assert found.no_chord == pytest.approx(0.004, abs=0.001)
    assert result.unmapped_frames / result.total_frames < 0.005
