"""The cache of converted corpora: the same songs as the readers give, and never stale or damaged ones."""

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.tiny_corpus import TEST, TRAIN, VALID, write_tiny_corpus
from training import frames
from training.corpora import CorpusProblem, Song
from training.frames import cached_songs
from training.pop909 import read_pop909

HEADLINE = "pop909 (MIT (transcriptions and labels; the songs are by others)): 5 tunes in 5 pieces"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_tiny_corpus(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Chords asked for, one entry for each time POP909's own files are read."""
    asked: list[str] = []

    def read(folder: Path, chords: str):
        asked.append(chords)
        return read_pop909(folder, chords)

    monkeypatch.setattr(frames, "read_pop909", read)
    return asked


def songs_of(data: Path, chords: frames.Pop909Chords = "chord_midi") -> list[Song]:
    return cached_songs(data, ["pop909"], data.parent / "frames", pop909_chords=chords)


def assert_same(one: list[Song], other: list[Song]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert (a.name, a.corpus, a.style, a.beats_per_bar, a.title) == (b.name, b.corpus, b.style, b.beats_per_bar, b.title)
        for mine, yours in ((a.melody, b.melody), (a.chords, b.chords)):
            assert mine.dtype == yours.dtype == np.int16
            np.testing.assert_array_equal(mine, yours)


def test_songs_come_from_the_disk_as_the_reader_gave_them(data: Path, conversions: list[str], capsys):
    """Read once, kept, and from then on mapped from the file: the same records, the same counts printed, read-only."""
    first = songs_of(data)
    said = capsys.readouterr().out
    assert said.startswith(HEADLINE)
    second = songs_of(data)
    assert capsys.readouterr().out == said
    assert conversions == ["chord_midi"]
    assert_same(first, read_pop909(data / "pop909", "chord_midi").songs)
    assert_same(first, second)
    assert isinstance(second[0].melody.base.base if second[0].melody.base is not None else None, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        second[0].melody[0] = 1
    assert sorted(path.name for path in (data.parent / "frames").iterdir()) == ["pop909-chord_midi.json", "pop909-chord_midi.npy"]


def test_each_choice_of_chords_has_a_cache_of_its_own(data: Path, conversions: list[str], capsys):
    """Changing between the two never converts again; POP909-CL that is not there is said."""
    for _ in range(2):
        songs_of(data, "cl")
        songs_of(data)
    assert conversions == ["corrected", "chord_midi"]
    assert "chord_midi.txt is read everywhere" in capsys.readouterr().out


def test_a_changed_corpus_is_converted_again(data: Path, conversions: list[str], capsys):
    """A file more, a file less or a later time of change: what was kept is not used."""
    songs_of(data)
    (data / "pop909/POP909/001/chord_midi.txt").unlink()
    assert len(songs_of(data)) == 4
    os.utime(data / "pop909/POP909/002/chord_midi.txt", ns=(1, 1))
    songs_of(data)
    assert len(conversions) == 3
    said = capsys.readouterr().out
    assert said.count("pop909-chord_midi or its reader has changed since") == 2
    assert "  1 refused: " in said


def test_a_new_file_of_pop909_cl_counts_for_its_chords_only(data: Path, conversions: list[str], capsys):
    """The corrections lie in a folder of their own."""
    songs_of(data)
    songs_of(data, "cl")
    folder = data / "pop909_cl/POP909_processed"
    folder.mkdir(parents=True)
    (folder / "001.mid").write_bytes(b"none")
    songs_of(data)
    songs_of(data, "cl")
    assert conversions == ["chord_midi", "corrected", "corrected"]


def test_another_reader_or_vocabulary_is_another_key(data: Path, conversions: list[str], monkeypatch, tmp_path: Path):
    """What other code made of the same files is not used."""
    songs_of(data)
    monkeypatch.setattr(frames, "vocabulary_hash", lambda: "another")
    songs_of(data)
    (tmp_path / "reader.py").write_text("# changed\n")
    monkeypatch.setattr(frames.inspect, "getsourcefile", lambda _: str(tmp_path / "reader.py"))
    songs_of(data)
    assert len(conversions) == 3


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def swap_field(path: Path) -> None:
    index = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    del index["songs"][0]["start"]
    path.with_suffix(".json").write_bytes(msgspec.json.encode(index))


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda array: array.write_bytes(array.read_bytes()[:-10]),
        lambda array: array.write_bytes(b""),
        lambda array: array.unlink(),
        lambda array: array.with_suffix(".json").write_bytes(b"{"),
        lambda array: array.with_suffix(".json").write_bytes(b"\xff"),
        swap_field,
    ],
    ids=["a bit", "cut short", "empty", "no array", "no JSON", "no text", "a field"],
)
def test_a_damaged_cache_is_rebuilt_and_said(data: Path, conversions: list[str], capsys, damage):
    """Whatever is wrong with either file."""
    whole = songs_of(data)
    kept = [(song.melody.copy(), song.chords.copy()) for song in whole]
    damage(data.parent / "frames/pop909-chord_midi.npy")
    capsys.readouterr()
    rebuilt = songs_of(data)
    said = capsys.readouterr().out
    assert "pop909-chord_midi.json or the array beside it is damaged (" in said
    assert "): pop909-chord_midi is converted again\n" in said
    for song, (melody, chords) in zip(rebuilt, kept, strict=True):
        np.testing.assert_array_equal(song.melody, melody)
        np.testing.assert_array_equal(song.chords, chords)
    songs_of(data)
    assert len(conversions) == 2
    assert "converted again" not in capsys.readouterr().out


def test_a_corpus_of_which_nothing_is_left(data: Path, capsys):
    """Every song refused: no songs, and the reasons are counted."""
    for number in (*TRAIN, *VALID, *TEST):
        (data / "pop909/POP909" / number / "chord_midi.txt").write_text("")
    assert songs_of(data) == songs_of(data) == []
    assert "  5 refused: expected chord rows in chord_midi.txt, got none\n" in capsys.readouterr().out


def test_unknown_and_missing_corpora_are_refused(data: Path):
    with pytest.raises(CorpusProblem, match=r"expected names of corpora from pop909, .*, got wikifonia"):
        cached_songs(data, ["wikifonia"], data / "frames", pop909_chords="cl")
    with pytest.raises(CorpusProblem, match=r"rs200"):
        cached_songs(data, ["rs200"], data / "frames", pop909_chords="cl")
