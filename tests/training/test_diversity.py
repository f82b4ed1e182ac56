"""The Vendi score counts what is different."""

import numpy as np
import pytest

from training.diversity import vendi


def test_all_alike_count_as_one_and_all_apart_as_many():
    assert vendi(np.ones((5, 4)) / 2) == pytest.approx(1.0, abs=1e-6)
    assert vendi(np.eye(6)) == pytest.approx(6.0, abs=1e-6)


def test_two_kinds_count_as_two_however_often_they_come():
    assert vendi(np.repeat(np.eye(2), 7, axis=0)) == pytest.approx(2.0, abs=1e-6)
    uneven = np.eye(2)[[0] * 9 + [1]]
    assert 1.0 < vendi(uneven) < 2.0
