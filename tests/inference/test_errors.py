"""Every sentence a worker says to its operator."""

import pytest

from inference.errors import GoldenMismatch, PortProblem, SameName, SocketProblem, WorkerProblem

TAIL = "the weights do not fit this version; choose another with --checkpoint"
SENTENCES = [
    (
        GoldenMismatch("/c", [1, 2, 3, 4], [1, 9, 3, 8]),
        f"checkpoint /c: expected the manifest's golden plan, got 2 of 4 other chords: {TAIL}",
    ),
    (GoldenMismatch("/c", [1, 2, 3], []), f"checkpoint /c: expected the manifest's golden plan, got 3 of 3 other chords: {TAIL}"),
    (
        SocketProblem("/s", "Permission denied"),
        "worker socket /s: expected a path that can be created, got: Permission denied; choose another with --socket",
    ),
    (
        PortProblem("::1", 9, "Permission denied"),
        "worker metrics on ::1:9: expected a free port, got: Permission denied; choose another with --metrics-port",
    ),
    (SameName(("a", "a")), "expected models of different names, got a, a; leave out all but one --checkpoint of each name"),
]


@pytest.mark.parametrize(("problem", "sentence"), SENTENCES)
def test_sentences(problem, sentence):
    assert isinstance(problem, WorkerProblem)
    assert str(problem) == sentence
