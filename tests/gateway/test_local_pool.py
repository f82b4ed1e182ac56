"""The link to a worker over a real Unix socket: answers, give-ups, reconnecting, broken frames."""

import asyncio

import pytest
import uvloop

from gateway.local_pool import FRAME, LocalPool, _Link, log_bug
from gateway.settings import GatewaySettings
from schema.engine_messages import PlanRequest, unpack_values
from tests.doubles import FakeWorker, plan_by_hand

SOON_S = 10.0  # a test that waits this long has failed


def request(seq=1, session="s", slack_ms=5000.0):
    return PlanRequest(session, seq, "toy", 1, 0, 1, 16, b"", b"", 0.8, 4, 0, 0, 0, slack_ms)


class Ears:
    """Collects what the pool says and lets tests wait for it."""

    def __init__(self):
        self.said = asyncio.Queue()
        self.states = asyncio.Queue()

    def plan_ready(self, reply):
        self.said.put_nowait(reply)

    def plan_given_up(self, given_up):
        self.said.put_nowait(given_up)

    def worker_changed(self, worker, state):
        self.states.put_nowait(state)

    async def next(self):
        async with asyncio.timeout(SOON_S):
            return await self.said.get()

    async def next_state(self):
        async with asyncio.timeout(SOON_S):
            return await self.states.get()

    async def until_connected(self):
        while await self.next_state() is None:
            pass

    async def until_lost(self):
        while await self.next_state() is not None:
            pass


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "worker.sock")


@pytest.fixture
def ears():
    return Ears()


def pool_on(path, ears, **given):
    return LocalPool(GatewaySettings(**{"workers": (path,), "reconnect_s": 0.02, "describe_s": 60.0, **given}), ears)


async def test_a_request_comes_back_as_its_reply(path, ears):
    async with FakeWorker(path), pool_on(path, ears) as pool:
        await ears.until_connected()
        pool.submit(request())
        reply = await ears.next()
    assert (reply.session, reply.seq) == ("s", 1)
    assert unpack_values(reply.chords) == plan_by_hand(request())


async def test_a_worker_says_how_it_is_when_connected_and_when_asked_again(path, ears):
    worker = FakeWorker(path)
    worker.ready = False
    async with worker, pool_on(path, ears, describe_s=0.01) as pool:
        assert not (await ears.next_state()).ready
        worker.ready = True
        while not (await ears.next_state()).ready:
            pass
        assert [model.name for model in pool.describe()[path].models] == ["toy", "toy-s"]


async def test_a_frozen_worker_does_not_count_until_it_answers_again(path, ears, caplog):
    async with FakeWorker(path) as worker, LocalPool(GatewaySettings(workers=(path,), describe_s=0.02), ears) as pool:
        await ears.until_connected()
        worker.frozen = True
        await ears.until_lost()
        assert pool.describe() == {}
        worker.release()
        await ears.until_connected()
        assert pool.describe()[path].ready
    assert "silent for 4 questions" in caplog.text


async def test_before_the_worker_is_there_requests_are_unavailable_and_afterwards_they_work(path, ears):
    async with pool_on(path, ears) as pool:
        pool.submit(request(1))
        assert (await ears.next()).reason == "unavailable"
        async with FakeWorker(path):
            await ears.until_connected()
            pool.submit(request(2))
            assert (await ears.next()).seq == 2


async def test_a_worker_that_dies_gives_up_what_it_had_and_is_found_again(path, ears):
    async with FakeWorker(path) as worker, pool_on(path, ears) as pool:
        await ears.until_connected()
        worker.hold = True
        pool.submit(request(1))
        async with asyncio.timeout(SOON_S):
            await worker.asked.wait()
        await worker.stop()
        assert (await ears.next()).reason == "unavailable"
        await ears.until_lost()
        assert pool.describe() == {}
        worker.hold = False
        await worker.start()
        await ears.until_connected()
        pool.submit(request(2))
        assert (await ears.next()).chords


async def test_a_request_that_is_not_answered_in_its_slack_is_late(path, ears):
    async with FakeWorker(path) as worker, pool_on(path, ears) as pool:
        await ears.until_connected()
        worker.drop = True
        pool.submit(request(1, slack_ms=20.0))
        assert (await ears.next()).reason == "late"
        assert pool.open_breakers() == 1


async def test_a_shorter_deadline_moves_the_timer_forward(path, ears):
    async with FakeWorker(path) as worker, pool_on(path, ears) as pool:
        await ears.until_connected()
        worker.drop = True
        pool.submit(request(1, "slow", slack_ms=60_000.0))
        pool.submit(request(2, "quick", slack_ms=20.0))
        assert (await ears.next()).session == "quick"


def test_a_deadline_that_is_due_at_once_does_not_end_the_link(path, ears):
    """uvloop gives another kind of handle for a moment that is now: once it had no time to compare with, and every link fell."""

    async def two_at_once():
        async with FakeWorker(path) as worker, pool_on(path, ears) as pool:
            await ears.until_connected()
            worker.drop = True
            pool.submit(request(1, "now", slack_ms=1e-6))
            pool.submit(request(2, "then", slack_ms=1.0))
            assert [(await ears.next()).reason for _ in range(2)] == ["late", "late"]
            worker.drop = False
            pool.submit(request(3, "after"))
            assert (await ears.next()).chords

    uvloop.run(two_at_once())


async def test_what_queues_up_goes_out_in_one_call(path, ears):
    async with FakeWorker(path) as worker, pool_on(path, ears, calls_in_flight=1) as pool:
        await ears.until_connected()
        for number in range(10):
            pool.submit(request(number, f"s{number}"))
        assert pool.waiting() == 9
        assert {(await ears.next()).seq for _ in range(10)} == set(range(10))
        assert worker.calls == [1, 9]


async def test_an_answer_that_cannot_be_read_ends_the_link_and_the_next_one_works(path, ears, caplog):
    async with FakeWorker(path) as worker, pool_on(path, ears) as pool:
        await ears.until_connected()
        worker.garbled = True
        pool.submit(request(1))
        assert (await ears.next()).reason == "unavailable"
        worker.garbled = False
        await ears.until_lost()
        await ears.until_connected()
        pool.submit(request(2))
        assert (await ears.next()).seq == 2
    assert "gateway and worker must be of the same version" in caplog.text


async def test_an_answer_over_the_limit_ends_the_link_before_it_is_read(path, ears, caplog):
    async with FakeWorker(path) as worker, pool_on(path, ears, max_answer_bytes=1024) as pool:
        await ears.until_connected()
        worker.problem = "x" * 2000
        pool.submit(request(1))
        assert (await ears.next()).reason == "unavailable"
    assert "expected at most 1024 bytes" in caplog.text


async def test_with_two_workers_the_other_one_answers_what_a_dead_one_had(tmp_path, ears):
    paths = (str(tmp_path / "a.sock"), str(tmp_path / "b.sock"))
    async with FakeWorker(paths[0]) as a, FakeWorker(paths[1]) as b, pool_on("", ears, workers=paths) as pool:
        await ears.until_connected()
        await ears.until_connected()
        a.hold = b.hold = True
        pool.submit(request(1))
        async with asyncio.timeout(SOON_S):
            waits = {asyncio.create_task(worker.asked.wait()) for worker in (a, b)}
            _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
        dead, alive = (a, b) if a.requests else (b, a)
        alive.hold = False
        await dead.stop()
        assert (await ears.next()).chords
        assert [r.seq for r in alive.requests] == [1]


async def test_frames_may_arrive_in_any_pieces():
    answers = []
    link = _Link("w", 100, lambda call_id, payload: answers.append((call_id, payload)))
    stream = FRAME.pack(3, 7) + b"abc" + FRAME.pack(0, 8) + FRAME.pack(1, 9) + b"z"
    for index in range(len(stream)):
        link.data_received(stream[index : index + 1])
    link.data_received(stream)
    assert answers == [(7, b"abc"), (8, b""), (9, b"z")] * 2


async def test_a_task_that_ends_by_a_bug_is_logged(caplog):
    async def broken():
        raise ZeroDivisionError

    task = asyncio.create_task(broken())
    await asyncio.wait([task])
    log_bug(task)
    assert "ZeroDivisionError" in caplog.text
