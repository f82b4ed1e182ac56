"""Songs of corpora from frame arrays on disk, converted once and memory-mapped after that. Shell.

Each corpus is an array (`NAME.npy`, int16 [2, frames]: melody and chords, song after song) and an index (`NAME.json`) with the
songs' places in it, what the conversion left out, the array's SHA-256 and a key. The key names the corpus files (path, size,
time), the code that read them and the vocabulary: what was made from anything else, or is damaged, is converted again.
"""

import hashlib
import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from schema import chords as schema_chords
from schema import grid as schema_grid
from schema import melody as schema_melody
from schema.tokens import vocabulary_hash
from training import corpora, scores
from training.corpora import CORPORA, Conversion, Song, in_reading_order, readers
from training.pop909 import CORRECTIONS, read_pop909

FORMAT = 1
SHARED_CODE = (corpora, scores, schema_chords, schema_grid, schema_melody)

Pop909Chords = Literal["cl", "chord_midi"]  # POP909-CL where it has a usable file, or POP909's own everywhere


class _Source(NamedTuple):
    """What one cache is made from."""

    name: str
    folders: tuple[Path, ...]
    code: str  # source file of the reader
    read: Callable[[], Conversion]


class _Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One song: frames [start, start + length) of the array."""

    name: str
    corpus: str
    style: str
    beats_per_bar: int
    start: int
    length: int
    title: str | None


class _Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `NAME.json` holds: a Conversion with places instead of songs."""

    key: str
    sha256: str
    corpus: str
    songs: list[_Place]
    refused: dict[str, str]
    replaced: dict[str, str]
    total_frames: int
    unmapped_frames: int
    unbarred_frames: int
    short_frames: int


def cached_songs(data: Path, names: Iterable[str], cache: Path, *, pop909_chords: Pop909Chords) -> list[Song]:
    """The songs of the named corpora below `data`, in the order of CORPORA; prints what was read and what was left out.

    Raises CorpusProblem if a corpus is not there.
    """
    songs: list[Song] = []
    for name in in_reading_order(names):
        conversion = _cached(_source(data, name, pop909_chords), cache)
        print(conversion.summary(), flush=True)
        songs += conversion.songs
    return songs


def _source(data: Path, name: str, pop909_chords: Pop909Chords) -> _Source:
    folder = data / CORPORA[name].folder
    read = readers()[name]
    code = str(inspect.getsourcefile(read))
    if name != "pop909":
        return _Source(name, (folder,), code, lambda: read(folder))
    if pop909_chords == "cl":
        return _Source("pop909-cl", (folder, data / CORRECTIONS), code, lambda: read_pop909(folder, "corrected"))
    return _Source("pop909-chord_midi", (folder,), code, lambda: read_pop909(folder, "chord_midi"))


def _cached(source: _Source, cache: Path) -> Conversion:
    """The conversion kept in `cache` if it is whole and of these files, else a new one, which is kept."""
    key = _key(source)
    array_file, index_file = cache / f"{source.name}.npy", cache / f"{source.name}.json"
    if index_file.exists():
        try:
            if (found := _load(array_file, index_file, key)) is not None:
                return found
            print(f"{source.name} or its reader has changed since {index_file} was written: it is converted again", flush=True)
        except (OSError, EOFError, ValueError, msgspec.DecodeError, RecursionError) as problem:
            print(f"{index_file} or the array beside it is damaged ({problem}): {source.name} is converted again", flush=True)
    _keep(source.read(), array_file, index_file, key)
    kept = _load(array_file, index_file, key)
    assert kept is not None
    return kept


def _load(array_file: Path, index_file: Path, key: str) -> Conversion | None:
    """None if the cache has another key. Raises OSError, ValueError or msgspec.DecodeError if it is damaged."""
    index = msgspec.json.decode(index_file.read_bytes(), type=_Index)
    if index.key != key:
        return None
    if (found := _sha256(array_file)) != index.sha256:
        raise ValueError(f"expected {array_file.name} with SHA-256 {index.sha256[:12]}, got {found[:12]}")
    frames = np.asarray(np.load(array_file, mmap_mode="r"))
    songs = []
    for place in index.songs:
        melody, chords = frames[:, place.start : place.start + place.length]
        songs.append(Song(place.name, place.corpus, place.style, place.beats_per_bar, melody, chords, place.title))
    return Conversion(
        index.corpus,
        songs,
        index.refused,
        index.replaced,
        index.total_frames,
        index.unmapped_frames,
        index.unbarred_frames,
        index.short_frames,
    )


def _keep(conversion: Conversion, array_file: Path, index_file: Path, key: str) -> None:
    """Write array and index, each under another name first: no reader meets half a file, and the index comes last."""
    array_file.parent.mkdir(parents=True, exist_ok=True)
    empty = np.zeros((2, 0), np.int16)
    frames = np.concatenate([empty, *(np.stack([song.melody, song.chords]) for song in conversion.songs)], axis=1)
    written = array_file.with_name(f"{array_file.name}.{os.getpid()}.tmp")
    with written.open("wb") as file:
        np.save(file, frames)
    starts = np.cumsum([0, *(len(song.melody) for song in conversion.songs)]).tolist()
    index = _Index(
        key=key,
        sha256=_sha256(written),
        corpus=conversion.corpus,
        songs=[
            _Place(song.name, song.corpus, song.style, song.beats_per_bar, start, len(song.melody), song.title)
            for song, start in zip(conversion.songs, starts, strict=False)
        ],
        refused=conversion.refused,
        replaced=conversion.replaced,
        total_frames=conversion.total_frames,
        unmapped_frames=conversion.unmapped_frames,
        unbarred_frames=conversion.unbarred_frames,
        short_frames=conversion.short_frames,
    )
    written.replace(array_file)
    written = index_file.with_name(f"{index_file.name}.{os.getpid()}.tmp")
    written.write_bytes(msgspec.json.format(msgspec.json.encode(index), indent=1))
    written.replace(index_file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _key(source: _Source) -> str:
    """Hash of all that decides what a conversion gives."""
    digest = hashlib.sha256(f"{FORMAT} {vocabulary_hash()}".encode())
    for module in SHARED_CODE:
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(source.code).read_bytes())
    for folder in source.folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                facts = path.stat()
                digest.update(f"{path.relative_to(folder.parent).as_posix()}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()
