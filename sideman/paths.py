"""Where things lie: the shipped checkpoint, the cache of compiled programs. Pure."""

import os
from pathlib import Path

import inference

DEFAULT_CHECKPOINT = Path(inference.__file__).parent / "weights" / "online-small"


def compilation_cache() -> Path:
    """The user's cache folder for compiled programs (XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sideman" / "jax"
