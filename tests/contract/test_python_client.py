"""The Python client and the real gateway keep their promises to each other, connections lost between them included."""

import pytest

from schema.engine_messages import unpack_values
from sideman_client.client import connect
from sideman_client.codec import JSON, MSGPACK
from sideman_client.generated.messages import ChordRun, Configure, NoteEvent, Plan, Timing
from sideman_client.opening import Backoff
from tests.doubles import plan_by_hand

AT_ONCE = Backoff(first_s=0.0, attempts=5)
MUCH = {"messages_per_second": 10_000.0, "message_burst": 10_000, "frames_per_second": 10_000.0, "frame_burst": 10_000}
SLOW = Configure(bpm=20.0, silence_beats=1)


async def planned(client, frame):
    """Every second time play a note in the frame before, every fourth a short one; tick, and wait for the plan."""
    if frame % 2:
        client.jam.note(NoteEvent(frame - 1, 60 + frame % 12, True))
    if frame % 4 == 3:
        client.jam.note(NoteEvent(frame - 1, 60 + frame % 12, False))
    tick = await client.send_tick(frame)
    assert tick is not None
    async for message in client:
        if getattr(message, "seq", None) == tick.seq:
            assert isinstance(message, Plan), message
            return


def lose_connections(house):
    """As if a cable were pulled: no close frame (1006)."""
    for player in house.gateway._players.values():
        player._connection.transport.abort()


async def back_again(house, client):
    lose_connections(house)
    await house.until(lambda: client.reconnects == 1)


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_a_lost_connection_changes_no_plan(open_house, subprotocol):
    """H1, H5, H7, C10: after 1006 the client comes back, and the worker is asked what it would have been asked without the loss."""
    house = await open_house(**MUCH)
    house.worker.plan = plan_by_hand
    asked = []
    for lost in (False, True):
        del house.worker.requests[:]
        async with connect(house.url, subprotocol=subprotocol, backoff=AT_ONCE) as client:
            await client.configure(SLOW)
            seed = client.welcome.seed
            for frame in range(40):
                if frame == 20 and lost:
                    await back_again(house, client)
                await planned(client, frame)
        assert {request.seed for request in house.worker.requests} == {seed}
        asked.append([(r.first_frame, r.window_start, unpack_values(r.chords), unpack_values(r.melody)) for r in house.worker.requests])
    assert asked[0] == asked[1]


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_the_busiest_jam_there_can_be_is_resumed(open_house, subprotocol):
    """H2, C5: a new chord and a new note in every frame make a history that is cut to fit one message, so 1009 never comes."""
    house = await open_house(**MUCH)
    async with connect(house.url, subprotocol=subprotocol, backoff=AT_ONCE) as client:
        await client.configure(SLOW)
        chords = [ChordRun(frame, 1, ("F#m7b5", "Bbm7b5")[frame % 2], [42, 60], True) for frame in range(700)]
        client.jam.receive(Plan(1, 0, 700, chords, Timing(0.0, 0.0, 0.0, 0, 0.0, 0)))
        for frame in range(700):
            client.jam.note(NoteEvent(frame, 60 + frame % 12, True))
        client.jam.begin_frame(700)
        await back_again(house, client)
        await planned(client, 702)
        client.raise_failure()
    assert house.metric("closes_total", code="1009") == 0
    assert house.metric("refusals_total", code="bad_history") == 0
    (request,) = house.worker.requests
    assert len(set(unpack_values(request.melody))) > 12
    assert len(set(unpack_values(request.chords)[-100:])) >= 3
