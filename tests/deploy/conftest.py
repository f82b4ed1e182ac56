"""Tiny checkpoints, as the system tests have them."""

from tests.system.conftest import compiled, environment, tiny_checkpoint, tiny_offline_checkpoint

__all__ = ["compiled", "environment", "tiny_checkpoint", "tiny_offline_checkpoint"]
