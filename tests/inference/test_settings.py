"""Default settings hold together."""

from inference.drafts import FRAMES_A_CHECK
from inference.settings import LIVE, OFFLINE


def test_buckets_serve_every_live_request():
    """Steps of one and of four decisions for every number of rows; a class for a tick and one for a whole history."""
    assert len(set(LIVE.buckets)) == len(LIVE.buckets)
    assert {bucket.positions for bucket in LIVE.buckets} == {1, 4, 16, 64}
    assert {bucket.decisions for bucket in LIVE.buckets if bucket.positions == 1} == {1, 4}
    assert all(bucket.decisions == 1 for bucket in LIVE.buckets if bucket.positions > 1)
    assert max(bucket.rows for bucket in LIVE.buckets) <= LIVE.slots


def test_checks_decide_a_frame_behind_each_position():
    """Only sizes of which it is known how many frames they decide."""
    assert all(check.at_once and check.positions == check.decisions for check in LIVE.checks)
    assert {check.positions for check in LIVE.checks} == set(FRAMES_A_CHECK)


def test_buckets_serve_every_whole_melody():
    """Few rows, given chords at once, chords decided one or eight at once."""
    assert {(bucket.positions, bucket.decisions) for bucket in OFFLINE.buckets} == {(1, 1), (1, 8), (64, 1)}
    assert max(bucket.rows for bucket in OFFLINE.buckets) <= OFFLINE.slots
