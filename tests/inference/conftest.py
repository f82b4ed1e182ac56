"""A tiny checkpoint on disk, for the tests that start from one."""

import pytest

from tests.tiny import write_tiny_checkpoint


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """Written once and never changed: copy it to damage it."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    write_tiny_checkpoint(folder)
    return folder
