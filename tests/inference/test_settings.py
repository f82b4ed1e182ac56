"""Default settings hold together."""

from pathlib import Path

from inference.settings import WorkerSettings


def test_buckets_serve_every_request():
    """Steps of one and of four decisions for every number of rows; a class for a tick and one for a whole history."""
    settings = WorkerSettings(Path("c"), Path("s"))
    assert len(set(settings.buckets)) == len(settings.buckets)
    assert {bucket.positions for bucket in settings.buckets} == {1, 4, 64}
    assert {bucket.decisions for bucket in settings.buckets if bucket.positions == 1} == {1, 4}
    assert all(bucket.decisions == 1 for bucket in settings.buckets if bucket.positions > 1)
    assert max(bucket.rows for bucket in settings.buckets) == settings.slots == 32


def test_no_bucket_copies_the_cache_by_having_one_row_and_one_decision():
    settings = WorkerSettings(Path("c"), Path("s"))
    assert all(bucket.rows > 1 or bucket.decisions > 1 for bucket in settings.buckets)
