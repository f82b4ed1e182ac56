"""A tiny checkpoint on disk and the programs compiled for it, for the tests that start from them."""

import pytest

from tests.tiny import write_tiny_checkpoint


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """Written once and never changed: copy it to damage it."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    write_tiny_checkpoint(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_offline_checkpoint(tmp_path_factory):
    """One that hears the whole melody first; never changed either."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny-offline"
    write_tiny_checkpoint(folder, variant="offline", name="tiny-offline")
    return folder


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Compiled programs, kept from process to process."""
    return tmp_path_factory.getbasetemp() / "cache" / "sideman" / "jax"
