"""A tiny checkpoint on disk and the programs compiled for it, for the tests that start from them."""

import os

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
    """Compiled programs, kept from process to process of a run; with xdist each worker's folder is in that of the run."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache" / "sideman" / "jax"


@pytest.fixture(scope="session")
def environment(compiled):
    """Of a process that finds `compiled` as its user's cache."""
    return {**os.environ, "XDG_CACHE_HOME": str(compiled.parent.parent)}
