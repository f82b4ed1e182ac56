"""The checkpoint's promise: what `manifest.json` says and how it is checked. Pure.

A checkpoint is a directory with the weights (an Orbax tree in `weights/`) and `manifest.json`. Orbax restores most
damaged files without complaint, so every file is checked against its SHA-256 before it is opened.
"""

from collections.abc import Mapping

import msgspec

MANIFEST_NAME = "manifest.json"
WEIGHTS_FOLDER = "weights"
FORMAT = 1


class ModelSizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shape of the network; axis letters as in `inference/model.py`."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_width: int
    melody_head_width: int
    dropout: float = 0.0
    listening_layers: int = 0  # bidirectional layers over the whole melody; offline models have some


class DataSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One corpus the weights were trained on."""

    name: str
    licence: str
    songs: int
    frames: int


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan at temperature 1 that the loaded weights must reproduce before they serve (`engine_messages.golden_request`).

    The seed is one for which no choice was close, so that other devices may round differently.
    """

    melody: list[int]  # melody values of frames 0 .. n-1
    seed: int
    chords: list[int]  # the planned chord values


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a loader must know, and everything a user may ask about the weights."""

    format: int
    model: str
    variant: str
    sizes: ModelSizes
    vocabulary: str
    dtype: str
    step: int
    files: dict[str, str]  # path below the checkpoint's folder -> SHA-256
    data: list[DataSource]
    metrics: dict[str, float]
    golden: Golden
    temperature: float  # suggested default


class DamagedCheckpoint(ValueError):
    """A checkpoint that must not be served; the text says what was expected, what was found and what to do."""

    def __init__(self, where: str, expected: str, got: str) -> None:
        super().__init__(where, expected, got)
        self.where, self.expected, self.got = where, expected, got

    def __str__(self) -> str:
        return (
            f"checkpoint {self.where}: expected {self.expected}, got {self.got}: "
            "restore the checkpoint from its source or choose another with --checkpoint"
        )


def decode_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest. Raises DamagedCheckpoint."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DamagedCheckpoint(where, f"a readable {MANIFEST_NAME}", str(problem)) from None
    if manifest.format != FORMAT:
        raise DamagedCheckpoint(where, f"manifest format {FORMAT}", f"format {manifest.format}")
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """Indented JSON, for people too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def check(manifest: Manifest, found: Mapping[str, str], vocabulary: str, where: str) -> None:
    """Compare the promise with the files found (path -> SHA-256) and this build's vocabulary. Raises DamagedCheckpoint."""
    if manifest.vocabulary != vocabulary:
        raise DamagedCheckpoint(where, f"vocabulary {vocabulary[:12]}", f"{manifest.vocabulary[:12]}, written by another version")
    for path in sorted(set(manifest.files) | set(found)):
        if path not in found:
            raise DamagedCheckpoint(where, f"the file {path}", "no such file")
        if path not in manifest.files:
            raise DamagedCheckpoint(where, "only files named in the manifest", f"the extra file {path}")
        if manifest.files[path] != found[path]:
            raise DamagedCheckpoint(where, f"{path} with SHA-256 {manifest.files[path][:12]}", f"{found[path][:12]}")
