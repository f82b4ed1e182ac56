"""Stand-ins for the things at the edges: a worker that answers by hand, a client by hand, and a gateway between them. Shell."""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from schema import codes
from schema.chords import Chord
from schema.client_messages import Configure, Hello, Welcome
from schema.codec import MSGPACK, decode_call, decode_gateway, encode, encode_answers
from schema.engine_messages import OFFLINE, ModelInfo, PlanAnswers, PlanReply, PlanRequest, WorkerState, pack_values, unpack_values
from schema.grid import place_in_bar
from schema.tokens import NOTHING, NUM_CHORDS, NUM_PITCHES, chord_hold, chord_onset, held, is_onset, pitch_of

FRAME = struct.Struct("<IQ")
C_MAJOR = Chord(0, "maj")
MODELS = (ModelInfo("toy", "Online", 0.8), ModelInfo("toy-s", "RL-S", 1.0))
OFFLINE_MODEL = ModelInfo("toy-offline", OFFLINE, 0.8)


def plan_by_hand(request: PlanRequest) -> list[int]:
    """A legal plan: what is committed stays, then C major is held and struck again on bar lines."""
    known = unpack_values(request.chords)
    chords = known[request.first_frame - request.window_start :]
    running = known[-1] if known else NOTHING
    for frame in range(request.first_frame + len(chords), request.first_frame + request.lookahead_frames):
        on_bar_line = place_in_bar(frame, request.beats_per_bar, request.bar_line) == 0
        plain = held(running, NUM_CHORDS) == chord_hold(C_MAJOR)
        running = chord_hold(C_MAJOR) if plain and not on_bar_line else chord_onset(C_MAJOR)
        chords.append(running)
    return chords[: max(request.lookahead_frames, len(chords))]


def harmonize_by_hand(request: PlanRequest) -> list[int]:
    """What an offline model might answer: the major chord on the note that is heard, struck with it and held as long; N in rests."""
    chords, melody = unpack_values(request.chords), unpack_values(request.melody)
    first = request.first_frame - request.window_start
    for note in melody[len(chords) : first + request.lookahead_frames]:
        pitch = pitch_of(note)
        struck = NOTHING if pitch is None else chord_onset(Chord(pitch % 12, "maj"))
        goes_on = held(chords[-1], NUM_CHORDS) if chords else NOTHING
        chords.append(goes_on if not is_onset(note, NUM_PITCHES) and goes_on == held(struck, NUM_CHORDS) else struck)
    return chords[first:]


class FakeWorker:
    """A worker's end of the link on a Unix socket; use as an async context manager.

    Switches: `drop` leaves calls unanswered, `hold` keeps them until `release`, `problem` answers with that sentence, `plan` and,
    for offline models, `harmonize` make the chords, `garbled` sends an answer that is no PlanAnswers, `swapped` answers in the
    wrong order, `late_share` and `crowded` are what it says of its load.
    """

    def __init__(self, path: str, models: Sequence[ModelInfo] = MODELS) -> None:
        self.path = path
        self.ready = True
        self.late_share = 0.0
        self.crowded = False
        self.drop = False
        self.hold = False
        self.garbled = False
        self.swapped = False
        self.problem = ""
        self.plan = plan_by_hand
        self.harmonize = harmonize_by_hand
        self.requests: list[PlanRequest] = []
        self.calls: list[int] = []  # requests in each call
        self.asked = asyncio.Event()  # set whenever a call with requests came in
        self._models = list(models)
        self._held: list[tuple[asyncio.StreamWriter, int, list[PlanRequest]]] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self.frozen = False  # answers nothing at all until `release`
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        """Stop listening and end all connections, as a worker that died."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._held.clear()
        for writer in list(self._writers):
            writer.close()
            await writer.wait_closed()

    def release(self) -> None:
        """Answer everything that was held."""
        self.hold = self.frozen = False
        held_back, self._held = self._held, []
        for writer, call_id, requests in held_back:
            self._answer(writer, call_id, requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                length, call_id = FRAME.unpack(await reader.readexactly(FRAME.size))
                self._take(writer, call_id, decode_call(await reader.readexactly(length)).requests)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _take(self, writer: asyncio.StreamWriter, call_id: int, requests: list[PlanRequest]) -> None:
        if requests:
            self.requests += requests
            self.calls.append(len(requests))
            self.asked.set()
        if self.frozen or (requests and self.hold):
            self._held.append((writer, call_id, requests))
        elif not (requests and self.drop):
            self._answer(writer, call_id, requests)

    def _answer(self, writer: asyncio.StreamWriter, call_id: int, requests: list[PlanRequest]) -> None:
        if writer.is_closing():
            return
        replies = [self._reply(request, len(requests)) for request in requests]
        if self.swapped:
            replies.reverse()
        payload = b"\xc1" if self.garbled and requests else encode_answers(PlanAnswers(replies, self._state()))
        writer.write(FRAME.pack(len(payload), call_id) + payload)

    def _reply(self, request: PlanRequest, batch: int) -> PlanReply:
        if self.problem:
            return PlanReply(request.session, request.seq, problem=self.problem)
        is_offline = any(model.name == request.model and model.is_offline for model in self._models)
        chords = pack_values(self.harmonize(request) if is_offline else self.plan(request))
        return PlanReply(request.session, request.seq, chords, steps=1, reused=0.5, batch=batch, queue_ms=0.1, device_ms=0.2)

    def _state(self) -> WorkerState:
        waiting = len(self._held)
        return WorkerState(
            ready=self.ready,
            models=self._models,
            slots=64,
            slots_used=len(self.requests) % 64,
            waiting=waiting,
            compiles_after_ready=0,
            rss_bytes=1_000_000,
            late_share=self.late_share,
            crowded=self.crowded,
        )


SOON_S = 20.0  # a test that waits this long has failed
SLOW_TEMPO = Configure(bpm=20.0, silence_beats=0, commit_beats=1)  # 600 ms for a plan: enough on a busy machine


class Client:
    """A player by hand: sends what it is told, reads one message at a time."""

    def __init__(self, socket, subprotocol):
        self.socket = socket
        self.subprotocol = subprotocol

    async def send(self, *messages):
        for message in messages:
            raw = message if isinstance(message, (str, bytes)) else encode(message, self.subprotocol)
            await self.socket.send(raw)

    async def next(self):
        async with asyncio.timeout(SOON_S):
            return decode_gateway(await self.socket.recv(), self.subprotocol)

    async def ask(self, *messages):
        await self.send(*messages)
        return await self.next()

    async def closed(self):
        """The close code and reason, after whatever messages still come; None if no close frame came."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as end:
            return end.rcvd and codes.Close(end.rcvd.code, end.rcvd.reason)

    async def hello(self):
        welcome = await self.ask(Hello(client="test"))
        assert isinstance(welcome, Welcome)
        return welcome

    async def ready(self):
        """Say hello and choose settings that bring a plan for every tick."""
        await self.hello()
        await self.ask(SLOW_TEMPO)
        return self


class House:
    """A running gateway, its worker, and connections to it."""

    def __init__(self, gateway, worker):
        self.gateway = gateway
        self.worker = worker

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.gateway.port}"

    @asynccontextmanager
    async def client(self, subprotocol=MSGPACK, **options):
        offered = [subprotocol] if subprotocol else None
        async with connect(self.url, subprotocols=offered, compression=None, proxy=None, close_timeout=1, **options) as socket:
            yield Client(socket, subprotocol)

    def metric(self, name, **labels):
        return self.gateway.metrics.registry.get_sample_value(f"sideman_{name}", labels)

    async def get(self, path, method="GET"):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.metrics_port)
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            async with asyncio.timeout(SOON_S):
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        return int(head.split()[1]), body.decode()

    async def until(self, holds):
        """Let the loop run until something holds; each turn is a request the loop answers."""
        async with asyncio.timeout(SOON_S):
            while not holds():
                await self.get("/healthz")

    async def until_ready(self):
        await self.until(lambda: self.gateway.pool.describe())

    async def until_lost(self):
        await self.until(lambda: not self.gateway.pool.describe())
