"""A tiny checkpoint on disk and the programs compiled for it, as the tests of the whole service have them."""

from tests.system.conftest import compiled, environment, tiny_checkpoint

__all__ = ["compiled", "environment", "tiny_checkpoint"]
