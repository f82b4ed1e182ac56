"""Where things lie: the shipped checkpoints, the built page, the caches of compiled programs and converted corpora. Pure."""

import os
from pathlib import Path

import inference

_WEIGHTS = Path(inference.__file__).parent / "weights"
DEFAULT_CHECKPOINT = _WEIGHTS / "rl-m-small"
DEFAULT_OFFLINE_CHECKPOINT = _WEIGHTS / "offline-small"
SHIPPED_CHECKPOINTS = (  # the first is what a player gets who chooses none
    DEFAULT_CHECKPOINT,
    _WEIGHTS / "rl-s-small",
    _WEIGHTS / "online-small",
    DEFAULT_OFFLINE_CHECKPOINT,
)
_PAGE = Path(__file__).parent / "page"  # where `make page` builds the web client, and where a wheel has it


def built_page() -> Path | None:
    """The web client, if it has been built: that takes Node, which not every machine has."""
    return _PAGE if (_PAGE / "index.html").is_file() else None


def compilation_cache() -> Path:
    """The user's cache folder for compiled programs (XDG_CACHE_HOME, else ~/.cache)."""
    return _cache() / "jax"


def frames_cache() -> Path:
    """The same for converted corpora."""
    return _cache() / "frames"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sideman"
