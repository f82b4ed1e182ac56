"""How busy the device is: shares and waits of the last second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.load import Load


def test_before_anything_happened_nothing_is_busy():
    load = Load()
    assert (load.utilisation(5.0), load.wait_p90_ms(5.0)) == (0.0, 0.0)


def test_the_share_is_of_the_last_second_only():
    """A call that began before counts with its part; what came before is forgotten."""
    load = Load()
    load.computed(0.0, 0.5)
    load.computed(0.9, 1.2)
    assert load.utilisation(1.2) == pytest.approx(0.3 + 0.3)
    assert load.utilisation(2.0) == pytest.approx(0.2)
    assert load.utilisation(2.3) == 0.0


@given(st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)), max_size=60))
def test_the_share_is_one_at_most(spans):
    """Calls follow one another."""
    load, now = Load(), 0.0
    for pause, length in spans:
        load.computed(now + pause, now + pause + length)
        now += pause + length
    assert 0.0 <= load.utilisation(now) <= 1.0 + 1e-9


def test_nine_of_ten_waited_no_longer():
    load = Load()
    for index in range(1, 11):
        load.waited(0.5, float(index), late=False)
    assert load.wait_p90_ms(0.6) == 9.0
    load.waited(1.4, 50.0, late=False)
    assert load.wait_p90_ms(1.45) == 10.0
    assert load.wait_p90_ms(1.6) == 50.0
    assert load.wait_p90_ms(2.5) == 0.0


def test_the_share_of_late_ones_is_of_the_last_second():
    load = Load()
    assert load.late_share(0.0) == 0.0
    for index in range(4):
        load.waited(0.5 + index / 10, 90.0, late=index == 0)
    assert load.late_share(0.9) == 0.25
    assert load.late_share(1.55) == 0.0
