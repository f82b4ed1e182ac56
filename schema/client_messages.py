"""Messages between client and gateway, as typed values; every bound is checked while decoding. Pure.

Frames are numbers on the session's grid (frame 0 is a bar line). Fields without a default must be sent.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PROTOCOL_VERSION = 1
SUBPROTOCOLS = ("sideman.v1.msgpack", "sideman.v1.json")
MAX_FRAME = 10_000_000
MAX_SEQ = 2**53 - 1
MAX_HISTORY_FRAMES = 1024

Frame = Annotated[int, Meta(ge=0, le=MAX_FRAME)]
Length = Annotated[int, Meta(ge=1, le=MAX_HISTORY_FRAMES)]
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Pitch = Annotated[int, Meta(ge=0, le=127)]
Name = Annotated[str, Meta(max_length=64)]
Symbol = Annotated[str, Meta(min_length=1, max_length=16)]
Milliseconds = Annotated[float, Meta(ge=0, le=3_600_000)]
Bpm = Annotated[float, Meta(ge=20, le=300)]
BeatsPerBar = Annotated[int, Meta(ge=2, le=12)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
LookaheadBeats = Annotated[int, Meta(ge=1, le=8)]
CommitBeats = Annotated[int, Meta(ge=0, le=8)]
SilenceBeats = Annotated[int, Meta(ge=0, le=16)]
Density = Literal["unspecified", "sparse", "calm", "medium", "lively", "busy"]
Style = Literal["unspecified", "pop", "standards", "rock", "folk"]
Voicing = Literal["led", "close"]
KeepReason = Literal["listening", "late", "busy", "superseded", "unavailable"]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Common shape of everything on the wire: frozen, unknown fields refused, defaults left out."""


# ---- client -> gateway ----


class Hello(Message, frozen=True, tag="hello"):
    """Opens the session; the first message of a connection, sent once."""

    client: Name = ""
    token: Annotated[str, Meta(max_length=2048)] = ""


class Configure(Message, frozen=True, tag="configure"):
    """Changes settings, any of them at any time; fields left out, or null, keep their value."""

    bpm: Bpm | None = None
    beats_per_bar: BeatsPerBar | None = None
    model: Name | None = None
    temperature: Temperature | None = None
    lookahead_beats: LookaheadBeats | None = None
    commit_beats: CommitBeats | None = None
    silence_beats: SilenceBeats | None = None
    density: Density | None = None
    style: Style | None = None
    voicing: Voicing | None = None


class NoteEvent(Message, frozen=True):
    """A key going down (`on`) or up, stamped with the frame in which it happened (rounded down)."""

    frame: Frame
    pitch: Pitch
    on: bool
    velocity: Annotated[int, Meta(ge=0, le=127)] = 80


class Applied(Message, frozen=True):
    """The plan that sounds now (`seq` of the plan) and the first frame in which it sounded."""

    seq: Seq
    from_frame: Frame


class Tick(Message, frozen=True, tag="tick"):
    """One per frame, at its start: frames below `frame` are complete, `events` are those since the last tick."""

    seq: Seq
    frame: Frame
    events: Annotated[list[NoteEvent], Meta(max_length=64)] = []
    applied: Applied | None = None
    round_trip_ms: Milliseconds | None = None  # last round trip measured


class MelodyRun(Message, frozen=True):
    """One note (`pitch`) over `length` frames from `start`."""

    start: Frame
    length: Length
    pitch: Pitch


class SymbolRun(Message, frozen=True):
    """One chord over `length` frames from `start`; `onset` is false where it was running before."""

    start: Frame
    length: Length
    symbol: Symbol
    onset: bool = True


class PendingPlan(Message, frozen=True):
    """The plan a client still holds: `seq` as it came, chords from any frame not later than `frame + 1` of its History."""

    seq: Seq
    committed_until: Frame
    chords: Annotated[list[SymbolRun], Meta(min_length=1, max_length=64)]


class History(Message, frozen=True, tag="history"):
    """The session so far, up to and including `frame`'s chord; replaces whatever the gateway knew.

    `melody` covers the frames [first_frame, frame), `chords` exactly [first_frame, frame]; gaps in the melody are
    silence, gaps in the chords are refused (no chord is the symbol N). Send as many of the last 256 or more frames as fit
    one message (`limits.max_message_bytes`); fewer only shorten what the model remembers.
    """

    frame: Frame
    first_frame: Frame
    melody: Annotated[list[MelodyRun], Meta(max_length=1024)] = []
    chords: Annotated[list[SymbolRun], Meta(max_length=1024)] = []
    plan: PendingPlan | None = None
    seed: Seed | None = None
    bar_line: Frame = 0
    warm_start: Annotated[list[SymbolRun], Meta(max_length=64)] = []  # as a plan brought it


class Harmonize(Message, frozen=True, tag="harmonize"):
    """Asks for chords under a whole melody of frames [0, `frames`), by the model that hears all of it first.

    `chords` are those of the first frames that are settled already, from frame 0 on without gaps; they come back as they are.
    """

    seq: Seq
    frames: Length
    melody: Annotated[list[MelodyRun], Meta(max_length=1024)] = []
    chords: Annotated[list[SymbolRun], Meta(max_length=1024)] = []
    bar_line: Frame = 0


class Reset(Message, frozen=True, tag="reset"):
    """Forgets melody, chords and plans; settings and seed stay. The grid begins anew; the next tick may carry any frame of it."""


class Bye(Message, frozen=True, tag="bye"):
    """Ends the session; the gateway closes with 1000."""


ClientMessage = Hello | Configure | History | Tick | Harmonize | Reset | Bye


# ---- gateway -> client ----


class Settings(Message, frozen=True, omit_defaults=False):
    """All settings of a session, as they stand."""

    bpm: Bpm = 120.0
    beats_per_bar: BeatsPerBar = 4
    model: Name = ""
    temperature: Temperature = 0.8
    lookahead_beats: LookaheadBeats = 4
    commit_beats: CommitBeats = 2
    silence_beats: SilenceBeats = 8
    density: Density = "unspecified"
    style: Style = "unspecified"
    voicing: Voicing = "led"


class Limits(Message, frozen=True, omit_defaults=False):
    """What this gateway accepts from one connection."""

    max_message_bytes: int
    messages_per_second: float
    message_burst: int
    max_events_per_tick: int
    history_frames: int


class Welcome(Message, frozen=True, tag="welcome", omit_defaults=False):
    """Answer to `hello`: who the session is, what may be chosen, and what holds until it is changed."""

    session: str
    seed: Seed
    version: int
    models: list[str]
    settings: Settings
    limits: Limits


class Configured(Message, frozen=True, tag="configured", omit_defaults=False):
    """Answer to `configure` and `reset`: all settings, and the first frame whose plan follows them."""

    settings: Settings
    from_frame: int


class ChordRun(Message, frozen=True, omit_defaults=False):
    """One chord over `length` frames from `start`: its symbol and the pitches to play, the first of them the bass."""

    start: int
    length: int
    symbol: str
    pitches: list[int]
    onset: bool


class Timing(Message, frozen=True, omit_defaults=False):
    """Where the time went, in milliseconds, and how the plan was made."""

    gateway_ms: float  # tick received to plan handed to the socket
    queue_ms: float  # waiting in the worker
    device_ms: float  # computing
    steps: int  # dependent decode steps this plan needed
    reused: float  # share of the window that was already known to the worker
    batch: int  # plans that were computed together
    unrefined: int = 0  # frames at the end for which time ran out: as the plan before had them, or the running chord


class Plan(Message, frozen=True, tag="plan"):
    """Chords for [first_frame, first_frame + frames): those below `committed_until` will not change any more."""

    seq: int  # of the tick that is answered; also the name of the plan
    first_frame: int
    committed_until: int
    chords: list[ChordRun]
    timing: Timing
    warm_start: list[SymbolRun] = []  # of the silence; never to sound, only to be sent back in `history`


class Keep(Message, frozen=True, tag="keep", omit_defaults=False):
    """No new plan for this tick: play on with the one you have."""

    seq: int
    reason: KeepReason


class Harmonized(Message, frozen=True, tag="harmonized", omit_defaults=False):
    """A part of the answer to `harmonize`: chords of [first_frame, until). Parts adjoin; the last one ends with the melody."""

    seq: int
    first_frame: int
    until: int
    frames: int  # of the whole melody
    chords: list[ChordRun]


class Error(Message, frozen=True, tag="error"):
    """Something was refused; the session is as it was before."""

    code: str
    message: str
    field: str = ""  # path in the refused message, "$.tick.frame" style
    seq: int | None = None  # of the refused tick or harmonize, where it could be read
    retry: bool = False


class Moving(Message, frozen=True, tag="moving", omit_defaults=False):
    """This gateway is leaving: connect again and send history within `within_ms`."""

    within_ms: int


GatewayMessage = Welcome | Configured | Plan | Keep | Harmonized | Error | Moving
