"""The real server on loopback: its door, its ports, and how it leaves. Tests wait for messages, never for time."""

import asyncio

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.errors import NoSuchAddress, PortInUse
from gateway.relief import THRESHOLDS, Level
from gateway.server import Gateway
from gateway.settings import GatewaySettings
from schema import codes
from schema.client_messages import History, Keep, Moving, Plan, SymbolRun, Tick
from schema.codec import JSON, MSGPACK
from tests.doubles import SLOW_TEMPO, SOON_S

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


async def test_under_load_newcomers_wait_outside_and_players_play_on(open_house):
    """P12: plans come rarer; nobody who plays is closed, not even who still waits for a first chord; who holds chords may come back."""
    house = await open_house(sweep_s=0.01, describe_s=0.01)
    async with house.client() as player, house.client() as listener:
        await player.ready()
        assert isinstance(await player.ask(Tick(1, 0)), Plan)
        await listener.hello()
        assert await listener.ask(Tick(1, 0)) == Keep(1, "listening")
        house.worker.late_share = THRESHOLDS[Level.SHORT]
        await house.until(lambda: house.metric("relief_level") == Level.SHORT)
        answers = [await player.ask(Tick(seq, seq - 1)) for seq in range(2, 6)]
        assert [isinstance(answer, Plan) for answer in answers] == [False, True, False, True]
        assert answers[0] == Keep(2, "busy")
        assert sum(run.length for run in answers[1].chords) == 12
        assert await listener.ask(Tick(2, 1)) == Keep(2, "listening")
        async with house.client() as newcomer:
            await newcomer.hello()
            await newcomer.send(Tick(1, 0))
            assert await newcomer.closed() == codes.FULL_HOUSE
        async with house.client() as returning:
            await returning.hello()
            await returning.send(History(frame=5, first_frame=0, chords=[SymbolRun(0, 6, "C")]))
            assert isinstance(await returning.ask(Tick(1, 6)), Plan)


async def test_where_hardly_a_slot_is_left_newcomers_wait_outside_and_nothing_is_spared(open_house):
    """They would push those out who play, again and again."""
    house = await open_house(sweep_s=0.01, describe_s=0.01)
    async with house.client() as player:
        await player.ready()
        assert isinstance(await player.ask(Tick(1, 0)), Plan)
        house.worker.crowded = True
        await house.until(lambda: house.gateway.relief.crowded)
        assert [isinstance(await player.ask(Tick(seq, seq - 1)), Plan) for seq in range(2, 6)] == [True] * 4
        async with house.client() as newcomer:
            await newcomer.hello()
            await newcomer.send(Tick(1, 0))
            assert await newcomer.closed() == codes.FULL_HOUSE


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


async def test_health_readiness_and_metrics_are_on_the_other_port(house):
    assert await house.get("/healthz") == (200, "the event loop answers\n")
    assert await house.get("/readyz?verbose") == (200, "ready\n")
    status, text = await house.get("/metrics")
    assert (status, "sideman_worker_slots 64.0" in text) == (200, True)
    assert await house.get("/metrics", method="HEAD") == (200, "")
    assert (await house.get("/debug"))[0] == 404
    assert (await house.get("/healthz", method="POST"))[0] == 405
    assert (await house.get("/watch/nobody"))[0] == 405
    assert (await house.get("/watch/nobody", method="POST"))[0] == 404
    assert (await house.get("/" + "x" * 5000))[0] == 431
    assert (await house.get("/ and more"))[0] == 400


async def test_an_operator_watches_a_session_by_its_name_until_it_ends(house):
    async with house.client() as client:
        session = (await client.hello()).session
        await client.ask(SLOW_TEMPO)
        assert await house.get(f"/watch/{session}", method="POST") == (200, 'watched="1"\n')
        assert await house.get("/watch/latest", method="POST") == (200, 'watched="1"\n')
        await client.ask(Tick(1, 0))
    assert house.metric("watched_plans_total", watched="1", outcome="fresh") == 1
    await house.until(lambda: house.metric("sessions") == 0)
    for name in (session, "latest"):
        assert (await house.get(f"/watch/{name}", method="POST"))[0] == 404
