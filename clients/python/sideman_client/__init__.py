"""Sideman's Python client: play a melody, get chords, live. `connect` opens a session; `play` and `midi` are optional parts."""

from sideman_client.client import SidemanClient, State, connect
from sideman_client.codec import JSON, MSGPACK, decode, encode
from sideman_client.errors import (
    BadOption,
    CannotConnect,
    ClosedByGateway,
    ConnectionLost,
    EventOutOfOrder,
    NoAnswer,
    NotConnected,
    SettingRefused,
    SidemanError,
    UnreadableMessage,
    UnreadableTune,
)
from sideman_client.generated import FRAMES_PER_BEAT
from sideman_client.generated.chords import CHORD_TONES, NO_CHORD
from sideman_client.generated.messages import (
    Configure,
    Configured,
    Error,
    GatewayMessage,
    History,
    Keep,
    Moving,
    NoteEvent,
    Plan,
    Settings,
    Tick,
    Welcome,
)
from sideman_client.jam import Jam, Note, Sounding
from sideman_client.opening import Backoff

__all__ = [
    "CHORD_TONES",
    "FRAMES_PER_BEAT",
    "JSON",
    "MSGPACK",
    "NO_CHORD",
    "Backoff",
    "BadOption",
    "CannotConnect",
    "ClosedByGateway",
    "Configure",
    "Configured",
    "ConnectionLost",
    "Error",
    "EventOutOfOrder",
    "GatewayMessage",
    "History",
    "Jam",
    "Keep",
    "Moving",
    "NoAnswer",
    "NotConnected",
    "Note",
    "NoteEvent",
    "Plan",
    "SettingRefused",
    "Settings",
    "SidemanClient",
    "SidemanError",
    "Sounding",
    "State",
    "Tick",
    "UnreadableMessage",
    "UnreadableTune",
    "Welcome",
    "connect",
    "decode",
    "encode",
]
