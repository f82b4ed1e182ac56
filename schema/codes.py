"""Every error code and close code, with what the receiver should do. Pure.

Close codes tell a client without any table what to do: 4000-4499 (and 1001, 1006, 1011 to 1013) come back with backoff,
4500-4999 (and what RFC 6455 says about a broken message) do not. 1011 is a bug of ours.
"""

from enum import StrEnum
from typing import NamedTuple


class ErrorCode(StrEnum):
    """Codes of `error` messages; the session stays open and unchanged."""

    BAD_MESSAGE = "bad_message"
    UNKNOWN_TYPE = "unknown_type"
    BAD_FIELD = "bad_field"
    HELLO_FIRST = "hello_first"
    FRAME_BACKWARDS = "frame_backwards"
    FRAME_JUMP = "frame_jump"
    BAD_EVENT = "bad_event"
    UNKNOWN_PLAN = "unknown_plan"
    BAD_HISTORY = "bad_history"
    BAD_SETTING = "bad_setting"
    UNKNOWN_MODEL = "unknown_model"
    SLOW_DOWN = "slow_down"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class CodeInfo(NamedTuple):
    """One row of the table in PROTOCOL.md."""

    meaning: str
    advice: str
    retry: bool  # whether sending the same thing again can succeed


ERRORS: dict[ErrorCode, CodeInfo] = {
    ErrorCode.BAD_MESSAGE: CodeInfo("not a readable message of the chosen subprotocol", "mend the encoder", False),
    ErrorCode.UNKNOWN_TYPE: CodeInfo("the field `type` names no client message", "use one of the listed types", False),
    ErrorCode.BAD_FIELD: CodeInfo(
        "a field is unknown, missing, of another type or out of range", "mend the field at the given path", False
    ),
    ErrorCode.HELLO_FIRST: CodeInfo("something other than one `hello` opened the session", "send `hello` once, first", False),
    ErrorCode.FRAME_BACKWARDS: CodeInfo("a tick for a frame that is already past", "send one tick per frame, rising", False),
    ErrorCode.FRAME_JUMP: CodeInfo("a tick far ahead of the last one", "send `history`, then tick on", False),
    ErrorCode.BAD_EVENT: CodeInfo(
        "a note event outside the frames this tick may report", "stamp events from the last tick's frame to this one's", False
    ),
    ErrorCode.UNKNOWN_PLAN: CodeInfo("the tick applies a plan this session does not know", "send `history`, then tick on", False),
    ErrorCode.BAD_HISTORY: CodeInfo(
        "a history with gaps, overlaps or a hold of a chord that is not running", "mend the runs at the given path", False
    ),
    ErrorCode.BAD_SETTING: CodeInfo("settings that do not go together", "mend the named setting", False),
    ErrorCode.UNKNOWN_MODEL: CodeInfo("no such model here", "choose one that `welcome` lists", False),
    ErrorCode.SLOW_DOWN: CodeInfo("more messages than the limits allow", "wait, then go on", True),
    ErrorCode.BUSY: CodeInfo("another `harmonize` of this session is under way", "wait for its last part, then send again", True),
    ErrorCode.UNAVAILABLE: CodeInfo("no worker answered in time", "send again in a few seconds", True),
    ErrorCode.INTERNAL: CodeInfo("a bug of ours; the message was not applied", "go on; report it with the time", True),
}


class Close(NamedTuple):
    """A close code with its short reason, sent to the peer as it stands."""

    code: int
    reason: str


BYE = Close(1000, "bye")
TOO_BIG = Close(1009, "message over the size limit: send less at once")
BUG = Close(1011, "internal error: reconnect, send history, report it with the time")
RESTARTING = Close(1012, "server restarting: reconnect and send history")
FULL_HOUSE = Close(1013, "all seats taken: try again in a few seconds")
SLOW_CLIENT = Close(4002, "plans were not applied for too long: reconnect and send history")
SILENT_CLIENT = Close(4003, "no sign of life: reconnect and send history")
TOO_FAST = Close(4004, "more messages than the limits allow: slow down, reconnect, send history")
NO_HELLO = Close(4502, "no hello in time: send hello first")
UNKNOWN_PROTOCOL = Close(4504, "choose the subprotocol sideman.v1.msgpack or sideman.v1.json")
TOO_MANY_ERRORS = Close(4507, "too many errors: mend the client")

CLOSES = (BYE, TOO_BIG, BUG, RESTARTING, FULL_HOUSE, SLOW_CLIENT, SILENT_CLIENT, TOO_FAST, NO_HELLO, UNKNOWN_PROTOCOL, TOO_MANY_ERRORS)


def should_reconnect(code: int) -> bool:
    """C10: whether a client that was closed with this code (1006: no code came) should come back, with backoff."""
    return code in (1001, 1006, 1011, 1012, 1013) or 4000 <= code < 4500


class ProtocolError(ValueError):
    """The peer broke a rule. Facts are attributes; the sentence says expected, got, what to do."""

    def __init__(self, code: ErrorCode, *, field: str, expected: str, got: str, seq: int | None = None) -> None:
        super().__init__(code, field, expected, got, seq)
        self.code = code
        self.field = field
        self.expected = expected
        self.got = got
        self.seq = seq

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}expected {self.expected}, got {self.got}; {ERRORS[self.code].advice}"
