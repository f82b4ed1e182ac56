"""What a plan costs as a session grows: nothing of it grows with the session but the plot."""

from inference.loop import Resident
from inference.planner import Bucket
from inference.toy_engine import ToyEngine
from schema.engine_messages import ModelInfo
from sideman.bench_session import SILENCE_BEATS, draw, measure, table
from tests.inference.driven import BUCKETS

MINUTES = 1.0


def report_of(buckets=BUCKETS):
    return measure(Resident(ModelInfo("toy", "online", 0.8), ToyEngine(4), buckets), MINUTES, stretches=2)


def test_every_frame_after_the_silence_has_a_plan_and_requests_stop_growing():
    """A minute at 120 BPM is 480 frames: the first 64, up to 256, and two halves, of which the first is behind."""
    report = report_of()
    assert [s.until_minutes for s in report.stretches] == [0.13, 0.5, 0.53, 1.0]
    listening = 4 * SILENCE_BEATS - 4 - 1  # plans begin four frames before the silence ends, for the frame after the tick
    assert sum(s.plans for s in report.stretches) == 480 - listening
    first, *_, last = report.stretches
    assert first.request_bytes < last.request_bytes < 1300
    assert last.rss_bytes > 0


def test_it_can_be_read_and_seen(tmp_path):
    report = report_of((Bucket(2, 1, 1), Bucket(2, 16, 1)))
    assert table(report).row_count == len(report.stretches)
    draw(tmp_path / "session.png", report)
    assert (tmp_path / "session.png").read_bytes().startswith(b"\x89PNG")
