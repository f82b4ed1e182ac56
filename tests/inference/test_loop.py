"""The device thread: every request answered once, failures survived, nothing of one model in another."""

import logging
import queue
import threading

import msgspec
import pytest

from inference.loop import DeviceLoop, Resident, answer
from inference.planner import Bucket
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.engine_messages import OFFLINE, ModelInfo, unpack_values
from tests.doubles import SOON_S
from tests.inference.jams import Jam, Move, whole_melody

BUCKETS = (Bucket(1, 1, 4), Bucket(4, 1, 1), Bucket(4, 16, 1))


class GatedEngine(ToyEngine):
    """A toy engine whose calls wait for the gate; `broken` calls raise first."""

    def __init__(self, slots=4):
        super().__init__(slots)
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.broken = 0

    def run(self, works, bucket):
        self.began.set()
        assert self.gate.wait(SOON_S)
        if self.broken:
            self.broken -= 1
            raise ZeroDivisionError
        return super().run(works, bucket)


class Device:
    """A running loop over engines by model name, and what it delivered."""

    def __init__(self, **engines):
        self.delivered = queue.SimpleQueue()
        self.loop = DeviceLoop(
            [Resident(ModelInfo(name, "online", 1.0), engine, BUCKETS) for name, engine in engines.items()], self.delivered.put
        )
        self.loop.start()

    def replies(self, count):
        found = []
        while len(found) < count:
            found += self.delivered.get(timeout=SOON_S)
        assert len(found) == count
        return found


@pytest.fixture
def engine():
    return GatedEngine()


@pytest.fixture
def device(engine):
    device = Device(toy=engine, other=ToyEngine(2))
    yield device
    engine.gate.set()
    device.loop.stop()
    assert device.delivered.empty()


def asked(name, model="toy", **move):
    jam = Jam(name, history=5, seed=len(name))
    return msgspec.structs.replace(jam.ask(Move(**move)), model=model, slack_ms=1e6)


def test_requests_of_several_models_are_answered_each_by_its_own(device):
    requests = [asked("a"), asked("b", model="other"), asked("c")]
    device.loop.submit(requests)
    plans = {reply.session: unpack_values(reply.chords) for reply in device.replies(3)}
    assert plans == {request.session: plan_by_hand(request) for request in requests}


def test_the_earliest_deadline_goes_first_whatever_its_model(device, engine):
    """A whole melody that has half a minute does not delay a live plan: it goes on when nothing is more urgent."""
    engine.gate.clear()
    device.loop.submit([asked("first")])
    assert engine.began.wait(SOON_S)
    slow = [msgspec.structs.replace(asked(name), slack_ms=2e6) for name in ("slow", "slower")]
    device.loop.submit([*slow, asked("urgent", model="other")])
    engine.gate.set()
    assert [reply.session for reply in device.replies(4)][:2] == ["first", "urgent"]


def test_an_offline_model_is_asked_as_one():
    """The whole melody is known to it, and it may have no chord at all."""
    resident = Resident(ModelInfo("all", OFFLINE, 1.0), ToyEngine(2, offline=True), BUCKETS)
    request = whole_melody("a", [60, 64])
    (reply,) = answer(resident, [request])
    assert unpack_values(reply.chords) == plan_by_hand(request, offline=True)


def test_what_comes_while_the_device_computes_is_batched_next(device, engine):
    engine.gate.clear()
    device.loop.submit([asked("a", lookahead=2)])
    assert engine.began.wait(SOON_S)
    device.loop.submit([asked("b")])
    device.loop.submit([asked("c")])
    engine.gate.set()
    assert {reply.session: reply.batch for reply in device.replies(3)} == {"a": 1, "b": 2, "c": 2}


def test_an_unknown_model_gets_a_sentence(device):
    device.loop.submit([asked("a", model="nobody"), asked("b")])
    problems = {reply.session: reply.problem for reply in device.replies(2)}
    assert problems == {"a": "expected one of the models toy, other, got 'nobody'", "b": ""}


def test_a_bad_request_gets_a_sentence_and_the_thread_lives(device):
    """An odd number of bytes once ended the thread: no request of any session was answered any more."""
    device.loop.submit([msgspec.structs.replace(asked("a"), melody=b"\0" * 9)])
    (refusal,) = device.replies(1)
    assert refusal.problem.startswith("expected two bytes a frame")
    device.loop.submit([asked("b")])
    assert device.replies(1)[0].chords


def test_a_failed_call_refuses_its_plans_and_the_next_are_made(device, engine, caplog):
    engine.broken = 1
    request = asked("a")
    with caplog.at_level(logging.ERROR):
        device.loop.submit([request])
        (refusal,) = device.replies(1)
    assert (refusal.problem, refusal.chords) == ("computation failed", b"")
    assert "a batch of 1 rows failed" in caplog.text
    device.loop.submit([request])
    assert unpack_values(device.replies(1)[0].chords) == plan_by_hand(request)


def test_compiles_after_ready_are_counted(device, engine):
    assert device.loop.compiles_after_ready == 0
    engine.compiled += 2
    assert device.loop.compiles_after_ready == 2


def test_stop_ends_the_thread_whatever_still_waits(engine):
    device = Device(toy=engine)
    engine.gate.clear()
    device.loop.submit([asked("a")])
    assert engine.began.wait(SOON_S)
    device.loop.submit([asked("b")])
    stopping = threading.Thread(target=device.loop.stop)
    stopping.start()
    engine.gate.set()
    stopping.join(SOON_S)
    assert not stopping.is_alive()


def test_answer_plans_on_the_calling_thread(engine):
    """All requests of a list, batched; two of one session: the older is superseded."""
    resident = Resident(ModelInfo("toy", "online", 1.0), engine, BUCKETS)
    jam = Jam("a", history=4)
    requests = [jam.ask(Move()), jam.ask(Move()), asked("b")]
    replies = {(reply.session, reply.seq): reply for reply in answer(resident, requests)}
    assert replies["a", 1].problem == "superseded"
    assert unpack_values(replies["a", 2].chords) == plan_by_hand(requests[1])
    assert replies["b", 1].batch == 2
