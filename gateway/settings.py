"""Every limit and time of the gateway in one frozen record, from arguments and the environment. Pure.

Environment: SIDEMAN_<NAME>, for example SIDEMAN_PORT=9000; lists are separated by commas. Arguments win over it.
Where a reason says [M], it was measured (see DECISIONS).
"""

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from gateway.admission import Allowance, Rate
from gateway.errors import SettingsError
from schema.client_messages import MAX_HISTORY_FRAMES, Limits

PREFIX = "SIDEMAN_"
FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
OFF = "off"
LOCAL_ORIGIN = "local"  # stands for http://localhost and http://127.0.0.1 with any port
_LOCAL_PAGE = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?")
Number = TypeVar("Number", int, float)


def _within(default: Number, low: Number, high: Number) -> Number:
    """A field that must lie in [low, high]; typed as its value, because that is what reading it gives."""
    made: Any = field(default=default, metadata={"low": low, "high": high})
    return made  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewaySettings:
    """All settings with their defaults; times in seconds, sizes in bytes, rates per second."""

    # Where to listen
    host: str = "127.0.0.1"  # address; loopback, because a proxy with TLS belongs in front of anything else
    port: int = _within(8765, 0, 65535)  # players' port; 0 takes any free one
    metrics_host: str = "127.0.0.1"  # address of that port; its own setting, so that opening the players' port never opens it
    metrics_port: int = _within(9765, 0, 65535)  # health and metrics, a port of its own so that it is never public by accident
    workers: tuple[str, ...] = ("/tmp/sideman-worker.sock",)  # paths of the workers' Unix sockets
    origins: tuple[str, ...] = (LOCAL_ORIGIN,)  # pages that may connect, exact matches; programs send no Origin and always may
    page: str | None = None  # folder with the built web client, served at / on the players' port; none: only WebSockets are answered
    reuse_port: int = _within(0, 0, 1)  # 1: the next gateway may listen on the same port before this one leaves
    backlog: int = _within(1024, 1, 65535)  # connections waiting for accept; a thousand players may come back at once

    # Opening handshake
    open_timeout_s: float = _within(3.0, 0.1, 60.0)  # s; honest clients need less than one, the library's 10 s held 70 MB for attackers [M]
    max_pending_handshakes: int = _within(64, 1, 10_000)  # connections; bounds what half-open ones can hold
    max_handshake_bytes: int = _within(16_384, 512, 1_048_576)  # bytes of request line and headers together; browsers send under 2,000
    handshakes_per_second: float = _within(200.0, 1.0, 100_000.0)  # per second, whole process; one costs about 0.5 ms [M]
    handshake_burst: int = _within(400, 1, 100_000)  # at once, whole process; a room full of players coming back
    address_handshakes_per_second: float = _within(10.0, 0.1, 100_000.0)  # per second and address; more is a script
    address_handshake_burst: int = _within(40, 1, 100_000)  # at once and address; one office behind one address
    hello_timeout_s: float = _within(3.0, 0.05, 60.0)  # s from open to `hello` (C3)

    # The page
    max_page_answers: int = _within(64, 1, 10_000)  # files under way at once; a page is a dozen, the largest half a megabyte
    page_timeout_s: float = _within(60.0, 0.1, 3600.0)  # s for one file; half a megabyte on a line of 100 kbit/s

    # Seats
    max_sessions: int = _within(2000, 1, 100_000)  # sessions; half of them playing fill one core [M]
    max_sessions_per_address: int = _within(64, 1, 100_000)  # sessions; one address cannot take the house

    # What a connection may send
    max_message_bytes: int = _within(16_384, 4096, 1_048_576)  # bytes (C5); 256 frames of history fit, at least a tick of 64 events
    max_fragments: int = _within(16, 1, 4096)  # WebSocket frames of one message; no honest client fragments small messages
    read_queue_high: int = _within(16, 1, 1024)  # messages decoded later; then reading pauses
    read_queue_low: int = _within(4, 0, 1024)  # messages; then reading goes on
    messages_per_second: float = _within(25.0, 1.0, 10_000.0)  # per second; 300 BPM is 20 ticks, the rest is for `configure`
    message_burst: int = _within(50, 1, 10_000)  # at once; two seconds of a stalled network
    frames_per_second: float = _within(100.0, 1.0, 100_000.0)  # WebSocket frames, control frames too; a flood freezes the loop [M]
    frame_burst: int = _within(200, 1, 100_000)  # WebSocket frames at once
    bytes_per_second: float = _within(32_768.0, 1024.0, 1e9)  # bytes; four times an honest peak
    byte_burst: int = _within(65_536, 16_384, 1_000_000_000)  # bytes at once; a history after a reconnect, and some
    slow_downs_before_close: int = _within(40, 1, 10_000)  # refusals for haste within the error window, then 4004 (C5)
    errors_before_close: int = _within(5, 1, 1000)  # refused messages within the window, then 4507 (C6)
    error_window_s: float = _within(60.0, 1.0, 3600.0)  # s; a broken front end stops soon

    # What a connection must take
    receive_buffer_bytes: int = _within(8192, 1024, 4_194_304)  # bytes in the kernel; bounds what one read can bring [M]
    send_buffer_bytes: int = _within(16_384, 2048, 4_194_304)  # bytes in the kernel; the default swallows 10 minutes of plans [M]
    write_limit_bytes: int = _within(4096, 512, 1_048_576)  # bytes in the process before a send waits
    send_timeout_s: float = _within(1.0, 0.01, 60.0)  # s for one message, then the connection is cut
    max_unacknowledged: int = _within(8, 1, 1000)  # plans not applied; then no more are sent (4002 follows)
    unacknowledged_timeout_s: float = _within(5.0, 0.01, 600.0)  # s in that state, then 4002

    # Signs of life and leaving
    ping_after_s: float = _within(10.0, 0.05, 600.0)  # s of silence before a ping; proxies cut idle connections at 30 s
    pong_timeout_s: float = _within(10.0, 0.05, 600.0)  # s of further silence, then 4003
    tcp_timeout_s: float = _within(10.0, 1.0, 600.0)  # s until the kernel gives up unacknowledged data
    close_timeout_s: float = _within(1.0, 0.01, 60.0)  # s for the closing handshake, then the connection is cut
    moving_s: float = _within(1.0, 0.0, 120.0)  # s between `moving` and 1012 (C9): time to open the next connection first
    closes_per_second: float = _within(200.0, 1.0, 100_000.0)  # per second while leaving; no herd at the next gateway

    # The link to the workers
    calls_in_flight: int = _within(64, 1, 1024)  # live calls per worker; many on a Unix socket, 1 where a call is dear
    requests_per_call: int = _within(128, 1, 128)  # requests; what one batch can use
    max_answer_bytes: int = _within(1_048_576, 1024, 67_108_864)  # bytes; ten times the largest honest answer
    reconnect_s: float = _within(1.0, 0.01, 60.0)  # s, longest pause between two tries to reach a worker
    describe_s: float = _within(1.0, 0.01, 60.0)  # s between two questions how a worker is
    loop_late_s: float = _within(0.02, 0.001, 1.0)  # s; deadlines noticed later than this are our own fault, not the worker's

    # Metrics
    client_groups: tuple[str, ...] = ("sideman web", "sideman play", "sideman bench")  # beginnings of client names, told apart in metrics

    # Log and traces
    log_format: str = "text"  # or json, a line an event
    log_level: str = "info"  # or debug, warning, error: what is below it is not written
    traces: str = "off"  # or an OTLP endpoint over HTTP, such as http://127.0.0.1:4318/v1/traces
    traces_share: float = _within(0.01, 0.0, 1.0)  # of the ticks that went well; late and cut ones are always told

    # Housekeeping
    sweep_s: float = _within(0.5, 0.01, 10.0)  # s between two looks at silent and slow connections and at the loop's delay
    http_header_bytes: int = _within(4096, 512, 65_536)  # bytes of a request to the metrics port
    http_timeout_s: float = _within(3.0, 0.1, 60.0)  # s for a request to the metrics port
    max_http_connections: int = _within(32, 1, 1000)  # connections to the metrics port

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check(spec, getattr(self, spec.name))
        if self.read_queue_low > self.read_queue_high:
            expected = f"at most read_queue_high = {self.read_queue_high}"
            raise SettingsError("read_queue_low", expected=expected, got=str(self.read_queue_low))
        if self.log_format not in FORMATS:
            raise SettingsError("log_format", expected=" or ".join(FORMATS), got=repr(self.log_format))
        if self.log_level not in LEVELS:
            raise SettingsError("log_level", expected=" or ".join(LEVELS), got=repr(self.log_level))
        if self.byte_burst < self.max_message_bytes:
            raise SettingsError("byte_burst", expected=f"at least max_message_bytes = {self.max_message_bytes}", got=str(self.byte_burst))

    def allows(self, origin: str) -> bool:
        """C7: whether pages of this origin may connect; exact matches only, and `local` for this machine's own pages."""
        return origin in self.origins or (LOCAL_ORIGIN in self.origins and _LOCAL_PAGE.fullmatch(origin) is not None)

    def limits(self) -> Limits:
        """What `welcome` tells a client about all this."""
        return Limits(
            max_message_bytes=self.max_message_bytes,
            messages_per_second=self.messages_per_second,
            message_burst=self.message_burst,
            max_events_per_tick=64,
            history_frames=MAX_HISTORY_FRAMES,
        )

    def allowance(self) -> Allowance:
        """What one connection may send."""
        return Allowance(
            messages=Rate(self.messages_per_second, self.message_burst),
            received_bytes=Rate(self.bytes_per_second, self.byte_burst),
            frames=Rate(self.frames_per_second, self.frame_burst),
            slow_downs=self.slow_downs_before_close,
            errors=self.errors_before_close,
            window_s=self.error_window_s,
        )


def load(environment: Mapping[str, str], **given: object) -> GatewaySettings:
    """Defaults, then the environment, then `given` (None means: not given). Raises SettingsError."""
    specs = {spec.name: spec for spec in fields(GatewaySettings)}
    values: dict[str, Any] = {
        name: _parse(spec, environment[PREFIX + name.upper()]) for name, spec in specs.items() if PREFIX + name.upper() in environment
    }
    for name, value in given.items():
        if name not in specs:
            raise SettingsError(name, expected="a known setting", got="an unknown name")
        if value is not None:
            values[name] = value
    return GatewaySettings(**values)


def _parse(spec: "Field[Any]", text: str) -> object:
    if isinstance(spec.default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(spec.default, str) or spec.default is None:
        return text
    number: type[int] | type[float] = int if isinstance(spec.default, int) else float
    try:
        return number(text)
    except ValueError:
        raise SettingsError(PREFIX + spec.name.upper(), expected=_expected(spec), got=repr(text)) from None


def _check(spec: "Field[Any]", value: object) -> None:
    """Types and bounds of one value; a whole number will do where a fraction is expected."""
    if isinstance(spec.default, tuple):
        right = isinstance(value, tuple) and bool(value) and all(isinstance(part, str) and part for part in value)
    elif spec.default is None:
        right = value is None or (isinstance(value, str) and bool(value))
    elif isinstance(spec.default, str):
        right = isinstance(value, str) and bool(value)
    else:
        number = isinstance(value, int) or (isinstance(value, float) and isinstance(spec.default, float))
        right = number and not isinstance(value, bool) and spec.metadata["low"] <= value <= spec.metadata["high"]
    if not right:
        raise SettingsError(spec.name, expected=_expected(spec), got=repr(value))


def _expected(spec: "Field[Any]") -> str:
    if isinstance(spec.default, tuple):
        return "a list with at least one entry"
    if isinstance(spec.default, str) or spec.default is None:
        return "a text"
    kind = "a whole number" if isinstance(spec.default, int) else "a number"
    return f"{kind} from {spec.metadata['low']} to {spec.metadata['high']}"
