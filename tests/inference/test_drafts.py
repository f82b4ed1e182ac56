"""Whether drafts are checked at once: what decides most frames a second."""

import pytest

from inference.__main__ import worthwhile_checks
from inference.drafts import FRAMES_A_CHECK, fastest_check
from inference.planner import Bucket
from inference.settings import EngineSettings

FOUR, EIGHT = Bucket(1, 4, 4, True), Bucket(1, 8, 8, True)


@pytest.mark.parametrize(
    ("four_s", "eight_s", "best"),
    [
        (1.0, 1.0, EIGHT),  # a call costs what a step costs: the longest
        (1.2, 2.5, FOUR),
        (1.9, 1.9, EIGHT),
        (2.0, 2.7, FOUR),
        (2.3, 2.7, None),  # dearer than the steps it saves
    ],
)
def test_what_decides_most_frames_a_second_is_used(four_s, eight_s, best):
    assert FRAMES_A_CHECK == {4: 2.1, 8: 2.5}
    assert fastest_check(1.0, {FOUR: four_s, EIGHT: eight_s}) == best
    assert fastest_check(0.001, {FOUR: four_s / 1000, EIGHT: eight_s / 1000}) == best


def test_without_checks_there_is_nothing_to_choose():
    assert fastest_check(1.0, {}) is None


class Clockwork:
    """An engine whose calls take as long as they are told to, by a clock that only they move."""

    def __init__(self, took_s):
        self.took_s = took_s
        self.now = 0.0

    def run(self, works, bucket):
        assert works == []
        self.now += self.took_s[bucket]
        return []


@pytest.mark.parametrize(("check_s", "chosen"), [(0.020, ()), (0.012, (EIGHT,))])
def test_a_device_is_asked_what_its_calls_take(monkeypatch, check_s, chosen):
    """Four steps of 5 ms in a call of 20; a check of eight pays below 12.5 ms."""
    buckets = (Bucket(1, 1, 1), Bucket(1, 1, 4), Bucket(8, 1, 4), Bucket(1, 64, 1))
    engine = Clockwork({Bucket(1, 1, 4): 0.020, FOUR: 0.020, EIGHT: check_s})
    monkeypatch.setattr("time.perf_counter", lambda: engine.now)
    assert worthwhile_checks(engine, EngineSettings(4, buckets, checks=(FOUR, EIGHT))) == chosen
