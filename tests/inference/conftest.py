"""Tiny checkpoints on disk and the programs compiled for them, as the tests of the whole service have them."""

from tests.system.conftest import compiled, environment, tiny_checkpoint, tiny_offline_checkpoint

__all__ = ["compiled", "environment", "tiny_checkpoint", "tiny_offline_checkpoint"]
