"""Ranks, recalls and F1 by hand."""

import numpy as np
import pytest

from training.retrieval import detection, retrieval


def test_every_melody_finds_its_chords():
    found = retrieval(np.eye(12))
    assert found["recall_at_1"] == found["mean_average_precision"] == 1.0
    assert found["pool"] == 12


def test_ranks_by_hand():
    """Rows: own chords first, second of two; columns: the first melody's chords are found, the second's come second."""
    found = retrieval(np.array([[0.9, 0.1], [0.8, 0.2]]))
    assert found["recall_at_1"] == pytest.approx(3 / 4)
    assert found["mean_average_precision"] == pytest.approx((1 + 1 / 2 + 1 + 1) / 4)


def test_a_model_that_says_the_same_of_all_finds_nothing():
    """Ties are no answers."""
    assert retrieval(np.zeros((20, 20)))["recall_at_10"] == 0.0


def test_detection_by_hand():
    found = detection(np.array([0.9, 0.8, 0.4]), np.array([0.6, 0.1, 0.2]))
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)


def test_who_calls_nothing_real_has_no_f1():
    assert detection(np.zeros(4), np.zeros(4))["f1"] == 0.0
