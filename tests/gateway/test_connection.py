"""What hostile, silent and slow connections get, and that it costs the others nothing. Raw sockets, no client library."""

import asyncio
import socket
import struct
from contextlib import suppress

import pytest

from schema import codes
from schema.client_messages import Applied, Hello, Keep, Plan, Tick
from schema.codec import MSGPACK, encode
from tests.doubles import SOON_S

HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {MSGPACK}\r\n\r\n"
).encode()
MASK = b"\0\0\0\0"  # leaves the payload as it is
PING = b"\x89\x80" + MASK
FLOODS = {"ping": PING, "pong": b"\x8a\x80" + MASK, "text": b"\x81\x81" + MASK + b"x", "empty binary": b"\x82\x80" + MASK}


class RawClient:
    """A WebSocket client that only does what it is told."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def upgrade(self):
        self.writer.write(HANDSHAKE)
        assert b" 101 " in await self.reader.readuntil(b"\r\n\r\n")

    def send(self, message):
        payload = encode(message, MSGPACK)
        assert len(payload) < 126
        self.writer.write(bytes((0x82, 0x80 | len(payload))) + MASK + payload)

    async def frame(self):
        """The next WebSocket frame: opcode and payload."""
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", await self.reader.readexactly(2))
        return first & 15, await self.reader.readexactly(length)

    async def until_close(self):
        """Opcodes of all frames before the close frame, and its code and reason."""
        opcodes = []
        async with asyncio.timeout(SOON_S):
            while True:
                opcode, payload = await self.frame()
                if opcode == 8:
                    return opcodes, codes.Close(int.from_bytes(payload[:2], "big"), payload[2:].decode())
                opcodes.append(opcode)

    async def abort(self):
        """Vanish without a word."""
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def until_gone(self):
        """Read until the other end closes or resets."""
        async with asyncio.timeout(SOON_S):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass


@pytest.fixture
async def raw():
    """Makes raw clients of a house; all are closed at the end."""
    made = []

    async def connect(house, receive_buffer_bytes=None):
        endpoint = socket.socket()
        if receive_buffer_bytes:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        endpoint.setblocking(False)
        await asyncio.get_running_loop().sock_connect(endpoint, ("127.0.0.1", house.gateway.port))
        made.append(RawClient(*await asyncio.open_connection(sock=endpoint)))
        return made[-1]

    yield connect
    for client in made:
        await client.abort()


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_ends_its_connection_and_delays_nobody_else(house, raw, kind):
    """C5, C11: 4004 after the burst; a player beside it gets every plan in time."""
    flooder = await raw(house)
    await flooder.upgrade()
    async with house.client() as player:
        await player.ready()
        flooder.writer.write(FLOODS[kind] * 50_000)
        for frame in range(20):
            applied = Applied(frame - 1, frame) if frame else None
            async with asyncio.timeout(1.0):
                assert isinstance(await player.ask(Tick(frame, frame, applied=applied)), Plan)
        opcodes, close = await flooder.until_close()
    assert close in (codes.TOO_FAST, codes.TOO_MANY_ERRORS)
    assert len(opcodes) < 300  # the burst and the slice that went over it; the other 49,700 were never answered
    assert house.metric("closes_total", code="1011") == 0


async def test_a_flood_of_pings_is_closed_as_too_fast_even_if_it_is_not_read(house, raw):
    """C5: the connection is cut after the closing time, whoever reads."""
    flooder = await raw(house)
    await flooder.upgrade()
    flooder.writer.write(PING * 50_000)
    await house.until(lambda: house.metric("closes_total", code="4004") == 1)
    assert house.metric("sessions") == 0


async def test_too_many_bytes_end_the_connection(open_house, raw):
    """C5: few frames can be too much too."""
    house = await open_house(byte_burst=20_000, bytes_per_second=1024.0)
    flooder = await raw(house)
    await flooder.upgrade()
    flooder.writer.write((b"\x82\xfe\x3e\x80" + MASK + bytes(16_000)) * 2)
    assert (await flooder.until_close())[1] == codes.TOO_FAST


async def test_fragments_are_counted_although_control_frames_stand_between_them(open_house, raw):
    house = await open_house(max_fragments=4)
    client = await raw(house)
    await client.upgrade()
    client.writer.write(b"\x02\x80" + MASK + (PING + b"\x00\x80" + MASK) * 4)
    assert (await client.until_close())[1] == codes.TOO_BIG


async def test_a_silent_peer_is_pinged_and_closed_with_4003_while_one_that_answers_stays(open_house, raw):
    """C10: no sign of life."""
    house = await open_house(ping_after_s=0.1, pong_timeout_s=0.3, sweep_s=0.02)
    async with house.client() as player:
        await player.ready()
        silent = await raw(house)
        await silent.upgrade()
        silent.send(Hello())
        opcodes, close = await silent.until_close()
        assert (opcodes, close) == ([2, 9], codes.SILENT_CLIENT)  # welcome, ping
        assert isinstance(await player.ask(Tick(1, 0)), Plan)


async def test_a_client_that_never_applies_its_plans_is_closed_with_4002(open_house):
    """T5: plans are acknowledged by being applied."""
    house = await open_house(max_unacknowledged=2, unacknowledged_timeout_s=0.05, sweep_s=0.02)
    async with house.client() as client:
        await client.ready()
        for frame in range(2):
            assert isinstance(await client.ask(Tick(frame, frame)), Plan)
        await client.send(Tick(2, 2))
        assert await client.closed() == codes.SLOW_CLIENT


async def test_a_client_that_does_not_read_is_cut(open_house, raw):
    """C11: the writer never waits long for a peer that stopped reading."""
    much = {"message_burst": 10_000, "frame_burst": 100_000, "errors_before_close": 1000, "byte_burst": 10_000_000}
    house = await open_house(**much, send_timeout_s=0.05, sweep_s=0.02, send_buffer_bytes=2048, write_limit_bytes=512)
    client = await raw(house, receive_buffer_bytes=2048)
    await client.upgrade()
    for _ in range(900):
        client.send(Tick(1, 0))
    await house.until(lambda: house.metric("closes_total", code="4002") == 1)


async def test_a_peer_that_vanishes_frees_its_seat(house, raw):
    client = await raw(house)
    await client.upgrade()
    client.send(Hello())
    assert (await client.frame())[0] == 2
    assert house.metric("sessions") == 1
    await client.abort()
    await house.until(lambda: house.metric("sessions") == 0)
    assert house.metric("closes_total", code="1006") == 1


async def test_an_endless_opening_handshake_is_cut(open_house, raw):
    house = await open_house(max_handshake_bytes=2048)
    client = await raw(house)
    client.writer.write(b"GET / HTTP/1.1\r\n" + b"X-Padding: 0123456789\r\n" * 100)
    await client.until_gone()
    assert house.metric("refusals_total", code="handshake_size") == 1


async def test_a_half_open_handshake_is_cut_after_its_time(open_house, raw):
    house = await open_house(open_timeout_s=0.1)
    client = await raw(house)
    client.writer.write(b"GET / HTTP/1.1\r\n")
    await client.until_gone()


async def test_only_so_many_connections_shake_hands_at_a_time(open_house, raw):
    house = await open_house(max_pending_handshakes=1)
    first = await raw(house)
    await house.until(lambda: len(house.gateway._shaking_hands) == 1)
    second = await raw(house)
    await second.until_gone()
    assert house.metric("refusals_total", code="pending_handshakes") == 1
    await first.upgrade()
    third = await raw(house)
    await third.upgrade()


async def test_a_browser_on_the_players_port_gets_426(house, raw):
    client = await raw(house)
    client.writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.reader.readline()).split()[1] == b"426"
    await client.until_gone()


async def test_an_idle_connection_to_the_metrics_port_is_cut(open_house):
    house = await open_house(http_timeout_s=0.1, max_http_connections=1)
    clients = [RawClient(*await asyncio.open_connection("127.0.0.1", house.gateway.metrics_port)) for _ in range(2)]
    for client in clients:
        await client.until_gone()
        await client.abort()


async def test_a_reply_for_a_player_who_has_gone_is_dropped(house, raw):
    """C11: nobody else notices."""
    async with house.client() as player:
        await player.ready()
        async with house.client() as leaver:
            await leaver.ready()
            house.worker.hold = True
            await leaver.send(Tick(1, 0))
            async with asyncio.timeout(SOON_S):
                await house.worker.asked.wait()
        await house.until(lambda: house.metric("sessions") == 1)
        house.worker.release()
        answer = await player.ask(Tick(1, 0))
        assert isinstance(answer, (Plan, Keep))
