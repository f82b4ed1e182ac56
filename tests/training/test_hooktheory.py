"""Hooktheory in the format of the SheetSage release: a tiny hand-made file. The real one needs a licence and is never here."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schema.chords import print_symbol
from schema.tokens import NUM_CHORDS, chord_of, note_hold, note_onset
from training.corpora import Conversion, CorpusProblem, Song
from training.hooktheory import read_hooktheory


def song_record(beats_per_bar: int = 4, beat_unit: int = 4, bars: int = 6) -> dict[str, Any]:
    """C and Am7 a bar each, a note on every beat."""
    num_beats = beats_per_bar * bars
    chords = [(0, [4, 3]), (9, [3, 4, 3])]
    return {
        "split": "TEST",
        "tags": ["AUDIO_AVAILABLE", "MELODY", "HARMONY"],
        "hooktheory": {"id": "x", "artist": "nobody", "song": "made up", "urls": {}},
        "annotations": {
            "num_beats": num_beats,
            "keys": [{"beat": 0, "tonic_pitch_class": 0, "scale_degree_intervals": [2, 2, 1, 2, 2, 2]}],
            "meters": [{"beat": 0, "beats_per_bar": beats_per_bar, "beat_unit": beat_unit}],
            "melody": [{"onset": beat, "offset": beat + 0.5, "octave": beat % 2, "pitch_class": 7} for beat in range(num_beats)],
            "harmony": [
                {
                    "onset": bar * beats_per_bar,
                    "offset": (bar + 1) * beats_per_bar,
                    "root_pitch_class": chords[bar % 2][0],
                    "root_position_intervals": chords[bar % 2][1],
                    "inversion": 1,
                }
                for bar in range(bars)
            ],
        },
    }


def read(folder: Path, **songs: Any) -> Conversion:
    (folder / "Hooktheory.json").write_text(json.dumps(songs))
    return read_hooktheory(folder)


def only(result: Conversion) -> Song:
    assert result.refused == {}
    (song,) = result.songs
    return song


def struck(song: Song) -> dict[int, str]:
    return {f: print_symbol(chord_of(int(v))) for f, v in enumerate(song.chords) if 1 <= v <= NUM_CHORDS}


def test_a_song(tmp_path: Path):
    """Notes from middle C, chords by root and intervals each counted from the tone before, inversions left aside."""
    song = only(read(tmp_path, abc=song_record()))
    assert (song.name, song.title, song.style, song.beats_per_bar) == ("hooktheory/abc", "made up nobody", "pop", 4)
    assert song.melody[:8].tolist() == [note_onset(67), note_hold(67), 0, 0, note_onset(79), note_hold(79), 0, 0]
    assert struck(song) == {16 * bar: ("C", "Am7")[bar % 2] for bar in range(6)}
    assert len(song.melody) == 96


def test_the_compressed_file(tmp_path: Path):
    """The release is one .json.gz: it is read as it is."""
    (tmp_path / "Hooktheory.json.gz").write_bytes(gzip.compress(json.dumps({"abc": song_record()}).encode()))
    assert only(read_hooktheory(tmp_path)).beats_per_bar == 4


@pytest.mark.parametrize(("beats_per_bar", "beat_unit", "bars", "expected"), [(3, 4, 6, 3), (6, 8, 6, 3), (12, 8, 4, 6), (2, 2, 6, 4)])
def test_metres(tmp_path: Path, beats_per_bar: int, beat_unit: int, bars: int, expected: int):
    """A beat is the note the metre's unit names."""
    song = only(read(tmp_path, abc=song_record(beats_per_bar, beat_unit, bars)))
    assert song.beats_per_bar == expected
    assert len(song.melody) == 4 * expected * bars


def test_a_change_of_metre_cuts_the_song(tmp_path: Path):
    """Each metre is a piece of its own; a bar the next metre cuts short ends its piece."""
    record = song_record(bars=12)
    record["annotations"]["meters"].append({"beat": 22, "beats_per_bar": 3, "beat_unit": 4})
    songs = read(tmp_path, abc=record).songs
    assert [(song.name, song.beats_per_bar, len(song.melody)) for song in songs] == [
        ("hooktheory/abc", 4, 88),
        ("hooktheory/abc+88", 3, 108),
    ]


def test_gaps_joins_and_unknown_chords(tmp_path: Path):
    """A gap is no chord, the same chord again is no onset, a chord outside the vocabulary cuts the song."""
    record = song_record(bars=12)
    harmony = record["annotations"]["harmony"]
    harmony[1] |= {"root_pitch_class": 0, "root_position_intervals": [4, 3]}
    harmony[3]["offset"] = 14
    harmony[5]["root_position_intervals"] = [1, 1, 1]
    harmony[11]["root_position_intervals"] = [2, 5]
    result = read(tmp_path, abc=record)
    first, second = result.songs
    assert struck(first) == {0: "C", 48: "Am7", 64: "C"}
    assert not first.chords[56:64].any()
    assert second.name == "hooktheory/abc+96"
    assert struck(second)[80] == "Asus2"
    assert result.unmapped_frames == 16


def damaged(*path: Any, value: Any) -> dict[str, Any]:
    record = copy.deepcopy(song_record())
    inner: Any = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return record


DAMAGED: list[tuple[Any, str]] = [
    (None, "expected a song as an object, got NoneType"),
    ({}, "expected tags as a list"),
    (damaged("tags", value=["MELODY"]), "got no HARMONY"),
    (damaged("tags", value=["MELODY", "HARMONY", "TEMPO_CHANGES"]), "got the tag TEMPO_CHANGES"),
    (damaged("annotations", value=[]), "expected annotations as an object, got list"),
    (damaged("annotations", "melody", value=[]), "expected melody as a list with entries, got []"),
    (damaged("annotations", "harmony", value=None), "expected harmony as a list with entries, got NoneType"),
    (damaged("annotations", "meters", value=[{"beat": 0, "beats_per_bar": 4}]), "expected a whole number as beat_unit, got None"),
    (damaged("annotations", "meters", 0, "beat_unit", value=3), "expected meters of one beat_unit, 2, 4, 8 or 16, got [3]"),
    (damaged("annotations", "meters", 0, "beats_per_bar", value=0), "expected beats_per_bar from 1 on"),
    (damaged("annotations", "meters", 0, "beats_per_bar", value=13), "a bar of 52 frames is no whole number of beats from 2 to 12"),
    (damaged("annotations", "melody", 0, "onset", value="0"), "expected a number as onset, got '0'"),
    (damaged("annotations", "melody", 0, "onset", value=True), "expected a number as onset, got True"),
    (damaged("annotations", "melody", 0, "onset", value=-1), "onsets from 0 on, got others"),
    (damaged("annotations", "melody", 0, "octave", value=30), "expected pitches from 0 to 127"),
    (damaged("annotations", "melody", 0, "pitch_class", value=1.5), "expected a whole number as pitch_class, got 1.5"),
    (damaged("annotations", "harmony", 0, "root_position_intervals", value="43"), "expected root_position_intervals as a list"),
    (damaged("annotations", "num_beats", value=10**9), "expected at most 4000 beats"),
    (damaged("annotations", "melody", 0, "offset", value=float("inf")), "Infinity"),
]


@pytest.mark.parametrize(("record", "why"), DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_songs_are_refused(tmp_path: Path, record: Any, why: str):
    """A song that makes no sense is refused with its reason; the others are read."""
    result = read(tmp_path, good=song_record(), bad=record)
    assert [song.name for song in result.songs] == ["hooktheory/good"]
    assert why in result.refused["bad"]


def test_damaged_files_are_refused(tmp_path: Path):
    """No file, half a download, another kind of file and an empty one: one sentence with the file's name."""
    with pytest.raises(CorpusProblem, match=r"expected Hooktheory\.json or Hooktheory\.json\.gz in .*, got neither"):
        read_hooktheory(tmp_path)
    packed = tmp_path / "Hooktheory.json.gz"
    whole = gzip.compress(json.dumps({"abc": song_record()}).encode())
    for data in (whole[: len(whole) // 2], b"", b"not gzip", gzip.compress(b"{"), whole[:20] + b"????" + whole[24:]):
        packed.write_bytes(data)
        with pytest.raises(CorpusProblem, match=r"Hooktheory\.json\.gz.*"):
            read_hooktheory(tmp_path)
    for text in ("[]", "{}", "7", "null"):
        (tmp_path / "Hooktheory.json").write_text(text)
        with pytest.raises(CorpusProblem, match="expected songs by id"):
            read_hooktheory(tmp_path)
