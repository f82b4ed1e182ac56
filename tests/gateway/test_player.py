"""A player on the real server with a fake worker, spoken to by the real WebSocket client. Tests wait for messages, never for time."""

import json

import msgspec
import pytest

from schema import codes
from schema.client_messages import Applied, Bye, Configure, Error, History, Keep, NoteEvent, Plan, SymbolRun, Tick
from schema.codec import JSON, MSGPACK
from tests.doubles import SLOW_TEMPO

# ---- the way of a tick ----


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
async def test_hello_is_welcomed_and_ticks_are_answered(house, subprotocol):
    """C1, C4, T3: both subprotocols say the same."""
    async with house.client(subprotocol) as client:
        welcome = await client.hello()
        assert welcome.models == ["toy", "toy-s"]
        assert (welcome.settings.model, welcome.settings.temperature) == ("toy", 0.8)
        assert welcome.limits.max_message_bytes == 16_384
        assert await client.ask(Tick(1, 0)) == Keep(1, "listening")
        await client.ask(SLOW_TEMPO)
        plan = await client.ask(Tick(2, 1, [NoteEvent(1, 60, True)], round_trip_ms=12.0))
        assert isinstance(plan, Plan)
        assert (plan.seq, plan.first_frame, plan.chords[0].symbol) == (2, 2, "C")
        assert plan.timing.gateway_ms > 0
        assert (await client.ask(Tick(3, 2, applied=Applied(2, 2)))).seq == 3
    assert house.metric("plans_total", outcome="fresh", model="toy") == 2
    assert house.metric("plans_total", outcome="keep_listening", model="toy") == 1
    assert house.metric("round_trip_seconds_count", model="toy") == 1
    assert house.metric("round_trip_budget_ratio_sum", model="toy") == pytest.approx(0.012 / 0.75)
    assert house.metric("sessions_started_total") == 1
    assert house.metric("messages_total", type="tick") == 3


async def test_bye_closes_with_1000_and_frees_the_seat(open_house):
    """C9: bye is answered by closing."""
    house = await open_house(max_sessions=1)
    for _ in range(2):
        async with house.client() as client:
            await client.hello()
            await client.send(Bye())
            assert await client.closed() == codes.BYE
        await house.until(lambda: house.metric("sessions") == 0)
    assert house.metric("closes_total", code="1000") == 2


async def test_two_sessions_know_nothing_of_each_other(house):
    async with house.client() as one, house.client(JSON) as two:
        first, second = await one.hello(), await two.hello()
        assert first.session != second.session
        assert first.seed != second.seed
        await one.ask(SLOW_TEMPO)
        assert await two.ask(Tick(7, 0)) == Keep(7, "listening")
        assert (await one.ask(Tick(1, 40))).first_frame == 41
        assert (await two.ask(Tick(8, 1))).seq == 8
    assert {request.session for request in house.worker.requests} == {first.session}


async def test_a_bug_in_one_session_ends_that_session_only(house, caplog):
    """A reply that no worker may give closes its session with 1011 and a fixed text; the others go on."""
    async with house.client() as one, house.client() as two:
        await one.ready()
        await two.ready()
        house.worker.plan = lambda request: [] if request.session == broken else [0] * request.lookahead_frames
        broken = next(iter(house.gateway._players))
        results = [await client.ask(Tick(1, 0)) for client in (two,)]
        assert isinstance(results[0], Plan)
        await one.send(Tick(1, 0))
        assert await one.closed() == codes.BUG
        assert isinstance(await two.ask(Tick(2, 1)), Plan)
    assert "a bug of ours" in caplog.text


# ---- the worker ----


async def test_without_worker_ticks_are_kept_as_unavailable_and_plans_come_back_with_it(house):
    """P6: a stopped worker costs no connection."""
    async with house.client() as client:
        await client.ready()
        await house.worker.stop()
        await house.until_lost()
        assert await client.ask(Tick(1, 0)) == Keep(1, "unavailable")
        assert (await house.get("/readyz"))[0] == 503
        await house.worker.start()
        await house.until_ready()
        assert isinstance(await client.ask(Tick(2, 1)), Plan)
        assert (await house.get("/readyz")) == (200, "ready\n")


async def test_a_worker_that_does_not_answer_in_time_is_late(house):
    """P6, T3: every tick is answered even if its plan is not."""
    async with house.client() as client:
        await client.hello()
        await client.ask(Configure(bpm=300.0, silence_beats=0))
        house.worker.drop = True
        assert await client.ask(Tick(1, 0)) == Keep(1, "late")


async def test_a_worker_with_a_problem_makes_a_keep(house):
    async with house.client() as client:
        await client.ready()
        house.worker.problem = "no such model"
        assert await client.ask(Tick(1, 0)) == Keep(1, "unavailable")


async def test_the_newest_tick_waits_and_older_ones_are_superseded(house):
    """T6: one tick under way, one waiting."""
    async with house.client() as client:
        await client.ready()
        house.worker.hold = True
        await client.send(Tick(1, 0), Tick(2, 1), Tick(3, 2))
        assert await client.next() == Keep(2, "superseded")
        house.worker.release()
        assert [(await client.next()).seq for _ in range(2)] == [1, 3]


# ---- refused messages ----

REFUSED = [
    (b"\xc1", "bad_message", ""),
    (b"", "bad_message", ""),
    ({"type": "dance"}, "unknown_type", "$.type"),
    ({"no": "type"}, "unknown_type", "$.type"),
    ({"type": "tick", "seq": 1, "frame": 5, "colour": 1}, "bad_field", "$.tick.colour"),
    ({"type": "tick", "seq": 1}, "bad_field", "$.tick.frame"),
    ({"type": "tick", "seq": 1, "frame": -1}, "bad_field", "$.tick.frame"),
    ({"type": "tick", "seq": 1, "frame": "5"}, "bad_field", "$.tick.frame"),
    ({"type": "tick", "seq": 2**60, "frame": 5}, "bad_field", "$.tick.seq"),
    ({"type": "tick", "seq": 1, "frame": 5, "events": [{"frame": 5, "pitch": 128, "on": True}]}, "bad_field", "$.tick.events[0].pitch"),
    ({"type": "configure", "bpm": 1000}, "bad_field", "$.configure.bpm"),
    ({"type": "hello"}, "hello_first", "$.type"),
    (Tick(9, 3), "frame_backwards", "$.tick.frame"),
    (Tick(9, 4 + 257), "frame_jump", "$.tick.frame"),
    (Tick(9, 5, [NoteEvent(3, 60, True)]), "bad_event", "$.tick.events[0].frame"),
    (Tick(9, 5, applied=Applied(77, 5)), "unknown_plan", "$.tick.applied.seq"),
    (History(10, 0, chords=[SymbolRun(0, 3, "C")]), "bad_history", None),
    (Configure(commit_beats=8, lookahead_beats=1), "bad_setting", "$.configure.commit_beats"),
    (Configure(model="nobody"), "unknown_model", "$.configure.model"),
]


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
@pytest.mark.parametrize(("message", "code", "field"), REFUSED, ids=[f"{code}-{index}" for index, (_, code, _) in enumerate(REFUSED)])
async def test_a_refused_message_gets_one_error_and_changes_nothing(house, message, code, field, subprotocol):
    """C2, E1, E2: code, path and advice; the session goes on as if nothing had been sent."""
    if isinstance(message, dict):
        message = json.dumps(message) if subprotocol == JSON else msgspec.msgpack.encode(message)
    elif isinstance(message, bytes) and subprotocol == JSON:
        message = "{" + message.decode("latin-1")
    async with house.client(subprotocol) as client:
        await client.ready()
        await client.ask(Tick(4, 4))
        error = await client.ask(message)
        assert isinstance(error, Error)
        assert error.code == code
        assert field is None or error.field == field
        assert "expected" in error.message
        assert not error.retry
        assert (await client.ask(Tick(5, 5))).seq == 5
    assert house.metric("refusals_total", code=code) == 1


async def test_something_before_hello_is_refused_and_hello_still_works(house):
    """C3: hello comes first."""
    async with house.client() as client:
        error = await client.ask(Tick(3, 0))
        assert (error.code, error.seq) == ("hello_first", 3)
        await client.hello()


async def test_text_on_a_binary_connection_is_a_bad_message(house):
    """C1: the subprotocol says which kind of message."""
    async with house.client() as client:
        await client.hello()
        assert (await client.ask('{"type":"bye"}')).code == "bad_message"


async def test_the_fifth_refused_message_closes_with_4507(house):
    """C6: five within a minute."""
    async with house.client() as client:
        await client.hello()
        await client.send(*[b"\xc1"] * 5)
        assert [(await client.next()).code for _ in range(5)] == ["bad_message"] * 5
        assert await client.closed() == codes.TOO_MANY_ERRORS


async def test_a_hasty_client_is_told_to_slow_down_and_closed_if_it_goes_on(open_house):
    """C5: slow_down first, 4004 if it does not help."""
    house = await open_house(message_burst=1, messages_per_second=1.0, slow_downs_before_close=3)
    async with house.client() as client:
        await client.hello()
        error = await client.ask(Tick(1, 0))
        assert (error.code, error.retry) == ("slow_down", True)
        await client.send(Tick(2, 1), Tick(3, 2), Tick(4, 3))
        assert await client.closed() == codes.TOO_FAST


async def test_a_message_over_the_limit_closes_with_1009(house):
    """C5: refused by its announced length."""
    async with house.client() as client:
        await client.hello()
        await client.send(b"\x00" * 16_385)
        assert (await client.closed()).code == 1009


async def test_too_many_fragments_close_with_1009(open_house):
    house = await open_house(max_fragments=4)
    async with house.client() as client:
        await client.hello()
        await client.socket.send(iter([b"x"] * 5))
        assert (await client.closed()).code == 1009
