"""The worker's Unix socket: overlapping calls, damaged ones, and links that break."""

import asyncio
import logging

import msgspec
import pytest

from inference import server
from inference.errors import SocketProblem
from inference.loop import Resident
from inference.server import HEADER, MAX_PAYLOAD_BYTES, Worker, serve
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.codec import decode_answers, encode_call
from schema.engine_messages import ModelInfo, PlanCall, unpack_values
from tests.doubles import SOON_S
from tests.inference.jams import Jam, Move
from tests.inference.test_loop import BUCKETS, GatedEngine

INFO = ModelInfo("toy", "online", 1.0)


class Link:
    """A gateway's end of the socket, by hand."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, call_id, *requests):
        payload = encode_call(PlanCall(list(requests)))
        self.writer.write(HEADER.pack(len(payload), call_id) + payload)

    async def next(self):
        """Call id and answers of the next frame."""
        async with asyncio.timeout(SOON_S):
            length, call_id = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            return call_id, decode_answers(await self.reader.readexactly(length))

    async def ask(self, *requests):
        self.send(1, *requests)
        return (await self.next())[1]

    async def closed(self):
        async with asyncio.timeout(SOON_S):
            return await self.reader.read() == b""

    async def close(self):
        self.writer.close()
        await self.writer.wait_closed()


class House:
    """A worker on a socket, and links to it."""

    def __init__(self, path, engine):
        self.path, self.engine = path, engine
        self.worker = Worker([Resident(INFO, engine, BUCKETS)], lambda: 12345)
        self.links = []

    async def __aenter__(self):
        self.worker.start()
        self.server = await serve(self.worker, self.path)
        return self

    async def __aexit__(self, *_):
        self.engine.gate.set()
        for link in self.links:
            await link.close()
        self.server.close()
        self.worker.stop()

    async def link(self):
        self.links.append(Link(*await asyncio.open_unix_connection(self.path)))
        return self.links[-1]


@pytest.fixture
async def house(tmp_path):
    async with House(tmp_path / "w.sock", GatedEngine()) as house:
        yield house


def asked(name, seq=1):
    request = Jam(name, history=5, seed=len(name)).ask(Move())
    return msgspec.structs.replace(request, seq=seq, slack_ms=1e6)


async def test_an_empty_call_asks_how_the_worker_is(house):
    link = await house.link()
    await link.ask(asked("a"))
    state = (await link.ask()).worker
    assert (state.ready, state.models, state.slots, state.slots_used, state.waiting) == (True, [INFO], 4, 1, 0)
    assert (state.compiles_after_ready, state.rss_bytes) == (0, 12345)


async def test_replies_come_in_the_order_of_the_requests(house):
    link = await house.link()
    requests = [asked(name) for name in ("c", "aa", "bbb", "dddd", "e")]
    replies = (await link.ask(*requests)).replies
    assert [unpack_values(reply.chords) for reply in replies] == [plan_by_hand(request) for request in requests]


async def test_calls_overlap_and_each_is_answered_when_it_is_complete(house):
    """A question how the worker is does not wait for a plan under way, on the same link or another."""
    link, other = await house.link(), await house.link()
    house.engine.gate.clear()
    link.send(7, asked("a"))
    assert await asyncio.to_thread(house.engine.began.wait, SOON_S)
    link.send(8)
    other.send(9, asked("b"))
    assert (await link.next())[0] == 8
    house.engine.gate.set()
    assert (await link.next())[0] == 7
    assert (await other.next())[0] == 9


async def test_one_request_in_two_calls_is_planned_once_and_answered_twice(house):
    """Also twice in one call."""
    link, other = await house.link(), await house.link()
    house.engine.gate.clear()
    link.send(1, asked("a"), asked("b"))
    assert await asyncio.to_thread(house.engine.began.wait, SOON_S)
    other.send(2, asked("b"), asked("b"))
    other.send(3)
    assert (await other.next())[0] == 3  # so the call before is in
    house.engine.gate.set()
    (_, first), (_, second) = await link.next(), await other.next()
    assert second.replies == [first.replies[1]] * 2
    assert unpack_values(first.replies[1].chords) == plan_by_hand(asked("b"))


async def test_an_unknown_model_gets_a_sentence(house):
    answers = await (await house.link()).ask(msgspec.structs.replace(asked("a"), model="nobody"))
    assert answers.replies[0].problem == "expected one of the models toy, got 'nobody'"


async def test_an_engine_that_fails_once_refuses_its_plans_and_serves_on(house, caplog):
    link = await house.link()
    house.engine.broken = 1
    with caplog.at_level(logging.ERROR):
        assert [reply.problem for reply in (await link.ask(asked("a"), asked("b"))).replies] == ["computation failed"] * 2
    assert all(reply.chords for reply in (await link.ask(asked("a", 2), asked("b", 2))).replies)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (HEADER.pack(3, 1) + b"\xc1\xc1\xc1", "expected a PlanCall, got"),
        (HEADER.pack(1, 1) + b"\x07", "expected a PlanCall, got"),
        (HEADER.pack(MAX_PAYLOAD_BYTES + 1, 1), f"expected a call of at most {MAX_PAYLOAD_BYTES} bytes, got {MAX_PAYLOAD_BYTES + 1}"),
    ],
    ids=["garbage", "another type", "oversized"],
)
async def test_a_damaged_call_closes_its_link_alone(house, caplog, data, words):
    bad, good = await house.link(), await house.link()
    with caplog.at_level(logging.ERROR):
        bad.writer.write(data)
        assert await bad.closed()
    assert words in caplog.text
    assert (await good.ask(asked("a"))).replies[0].chords


async def test_a_payload_of_the_largest_size_is_read(house):
    """It is no PlanCall, so the link closes for that, not for its size."""
    link = await house.link()
    link.writer.write(HEADER.pack(MAX_PAYLOAD_BYTES, 1) + bytes(MAX_PAYLOAD_BYTES))
    assert await link.closed()


async def test_frames_may_arrive_in_any_pieces(house):
    link = await house.link()
    payload = encode_call(PlanCall([asked("a")]))
    for byte in HEADER.pack(len(payload), 5) + payload:
        link.writer.write(bytes([byte]))
        await link.writer.drain()
    assert (await link.next())[0] == 5


async def test_a_link_that_breaks_mid_call_leaves_the_others_served(house):
    """Its plan is made all the same; the answer goes nowhere."""
    leaving, staying = await house.link(), await house.link()
    house.engine.gate.clear()
    leaving.send(1, asked("a"))
    assert await asyncio.to_thread(house.engine.began.wait, SOON_S)
    staying.send(2, asked("b"))
    await leaving.close()
    house.engine.gate.set()
    assert (await staying.next())[1].replies[0].chords
    assert (await staying.ask(asked("a", 2))).replies[0].chords


async def test_a_socket_that_cannot_be_opened_is_a_sentence(tmp_path):
    worker = Worker([Resident(INFO, ToyEngine(1), BUCKETS)], lambda: 0)
    path = tmp_path / "missing" / "w.sock"
    with pytest.raises(SocketProblem) as caught:
        await serve(worker, path)
    assert str(caught.value).startswith(f"worker socket {path}: expected a path that can be created, got: ")
    assert str(caught.value).endswith("; choose another with --socket")


async def test_a_worker_that_leaves_says_so_answers_what_it_has_and_goes_when_nobody_asks_any_more(house, monkeypatch):
    monkeypatch.setattr(server, "QUIET_S", 0.1)
    link = await house.link()
    house.engine.gate.clear()
    link.send(1, asked("a"))
    assert await asyncio.to_thread(house.engine.began.wait, SOON_S)
    leaving = asyncio.create_task(house.worker.leave())
    link.send(2)
    call_id, answers = await link.next()
    assert (call_id, answers.worker.ready) == (2, False)
    house.engine.gate.set()
    call_id, answers = await link.next()
    assert (call_id, len(answers.replies)) == (1, 1)
    async with asyncio.timeout(SOON_S):
        await leaving


async def test_a_worker_without_gateways_goes_at_once(house, monkeypatch):
    monkeypatch.setattr(server, "QUIET_S", 10 * SOON_S)
    monkeypatch.setattr(server, "LEAVE_S", 10 * SOON_S)
    link = await house.link()
    await link.ask()
    leaving = asyncio.create_task(house.worker.leave())
    await link.ask()
    assert not leaving.done()
    await link.close()
    async with asyncio.timeout(SOON_S):
        await leaving
