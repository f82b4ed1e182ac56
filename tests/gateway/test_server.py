"""The real server on loopback against a fake worker, spoken to by the real WebSocket client. Tests wait for messages, never for time."""

import asyncio
import json

import msgspec
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.errors import Judged, NoHello, NoSuchAddress, PortInUse
from gateway.server import Gateway, close_for
from gateway.settings import GatewaySettings
from schema import codes
from schema.client_messages import Applied, Bye, Configure, Error, History, Keep, Moving, NoteEvent, Plan, SymbolRun, Tick
from schema.codec import JSON, MSGPACK
from tests.doubles import SLOW_TEMPO, SOON_S

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
    assert house.metric("plans_total", outcome="fresh") == 2
    assert house.metric("plans_total", outcome="keep_listening") == 1
    assert house.metric("round_trip_seconds_count") == 1
    assert house.metric("round_trip_budget_ratio_sum") == pytest.approx(0.012 / 0.75)
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
        house.worker.plan = lambda request: [0] if request.session == broken else [0] * request.lookahead_frames
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


# ---- the door ----


async def test_no_hello_in_time_closes_with_4502(open_house):
    """C3: refused messages do not extend the time; who said hello may take as long as they like."""
    house = await open_house(hello_timeout_s=0.05)
    async with house.client() as polite, house.client() as rude:
        await polite.hello()
        await rude.send(Tick(1, 0))
        assert await rude.closed() == codes.NO_HELLO
        assert await polite.ask(Tick(1, 0)) == Keep(1, "listening")


async def test_without_a_subprotocol_the_connection_is_opened_and_closed_with_4504(house):
    """C1: the close code says what is wrong."""
    async with house.client(None) as client:
        assert await client.closed() == codes.UNKNOWN_PROTOCOL


async def test_if_both_are_offered_messagepack_is_taken(house):
    """C1: whatever the client's order."""
    async with connect(house.url, subprotocols=[JSON, MSGPACK], proxy=None) as socket:
        assert socket.subprotocol == MSGPACK


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1.evil", "https://localhost", "HTTP://LOCALHOST", ""],
)
async def test_pages_of_other_sites_are_refused_with_403(house, origin):
    """C7: exact matches only."""
    with pytest.raises(InvalidStatus) as refused:
        async with house.client(additional_headers={"Origin": origin}):
            pass
    assert refused.value.response.status_code == 403
    assert b"listed origin" in refused.value.response.body
    assert house.metric("refusals_total", code="origin") == 1


@pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:5173", "http://127.0.0.1:8080", "https://jam.example"])
async def test_local_and_listed_pages_may_connect(open_house, origin):
    """C7: the default lets this machine's pages in."""
    house = await open_house(origins=("local", "https://jam.example"))
    async with house.client(origin=origin) as client:
        await client.hello()


async def test_a_full_house_opens_and_closes_with_1013(open_house):
    """C8: a browser cannot read an HTTP refusal."""
    house = await open_house(max_sessions=1)
    async with house.client() as first:
        await first.hello()
        async with house.client() as second:
            assert await second.closed() == codes.FULL_HOUSE
        assert isinstance(await first.ask(Tick(1, 0)), Keep)
    assert house.metric("closes_total", code="1013") == 1


async def test_handshakes_over_the_rate_of_an_address_are_cut(open_house):
    house = await open_house(address_handshake_burst=1, address_handshakes_per_second=0.1)
    async with house.client() as client:
        await client.hello()
        with pytest.raises((OSError, websockets.InvalidHandshake, websockets.InvalidMessage)):
            async with house.client():
                pass
    assert house.metric("refusals_total", code="handshake_rate") == 1


async def test_before_any_worker_came_there_are_no_seats(open_house):
    """C8: without a model there is nothing to welcome anyone to."""
    house = await open_house(workers=("/nowhere/worker.sock",))
    async with house.client() as client:
        assert await client.closed() == codes.FULL_HOUSE
    status, text = await house.get("/readyz")
    assert (status, text) == (503, "expected a ready worker, got none at /nowhere/worker.sock; start one\n")


# ---- leaving ----


async def test_a_gateway_that_leaves_says_moving_and_closes_with_1012(house):
    """C9: everybody is told first."""
    async with house.client() as one, house.client(JSON) as two:
        await one.ready()
        await two.ready()
        leaving = asyncio.create_task(house.gateway.__aexit__(None, None, None))
        for client in (one, two):
            assert await client.next() == Moving(50)
            assert await client.closed() == codes.RESTARTING
        await leaving
    with pytest.raises(ConnectionRefusedError):
        await house.client().__aenter__()


async def test_a_gateway_that_leaves_goes_as_soon_as_the_last_player_has_gone(open_house):
    """C9: `moving` gives time, and nobody waits for nobody."""
    house = await open_house(moving_s=100.0)
    async with house.client() as client:
        await client.ready()
        leaving = asyncio.create_task(house.gateway.__aexit__(None, None, None))
        assert await client.next() == Moving(100_000)
        assert (await house.get("/readyz"))[1] == "expected a gateway that stays, got one that is leaving\n"
        assert isinstance(await client.ask(Tick(1, 0)), Plan)
    async with asyncio.timeout(SOON_S):
        await leaving


# ---- ports and the map of errors ----


@pytest.mark.parametrize("taken", ["port", "metrics_port"])
async def test_a_port_in_use_is_a_sentence_and_leaves_nothing_open(house, taken):
    port = getattr(house.gateway, taken)
    settings = GatewaySettings(**{"port": 0, "metrics_port": 0, taken: port})
    with pytest.raises(PortInUse, match=f"127.0.0.1:{port} is in use"):
        await Gateway(settings).__aenter__()
    assert (await house.get("/healthz"))[0] == 200


async def test_a_host_that_is_not_ours_is_a_sentence():
    with pytest.raises(NoSuchAddress, match="expected an address of this machine"):
        await Gateway(GatewaySettings(host="203.0.113.7", port=0, metrics_port=0)).__aenter__()


@pytest.mark.parametrize(
    ("problem", "close"),
    [
        (NoHello(), codes.NO_HELLO),
        (Judged(codes.TOO_FAST), codes.TOO_FAST),
        (TimeoutError(), codes.SLOW_CLIENT),
        (ZeroDivisionError(), codes.BUG),
    ],
)
def test_the_one_map_from_errors_to_close_codes(problem, close):
    """C10: what is not foreseen is a bug of ours."""
    assert close_for(problem) == close


async def test_health_readiness_and_metrics_are_on_the_other_port(house):
    assert await house.get("/healthz") == (200, "the event loop answers\n")
    assert await house.get("/readyz?verbose") == (200, "ready\n")
    status, text = await house.get("/metrics")
    assert (status, "sideman_worker_slots 64.0" in text) == (200, True)
    assert await house.get("/metrics", method="HEAD") == (200, "")
    assert (await house.get("/debug"))[0] == 404
    assert (await house.get("/healthz", method="POST"))[0] == 405
    assert (await house.get("/" + "x" * 5000))[0] == 431
    assert (await house.get("/ and more"))[0] == 400
