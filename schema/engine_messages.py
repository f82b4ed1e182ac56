"""Messages between gateway and inference worker. Pure.

A request carries its whole windowed history by value, so any worker gives the same answer; affinity only saves work.
Chord and melody values travel as little-endian unsigned 16-bit integers in one byte string.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping

import msgspec

from schema.tokens import NOTHING

OFFLINE = "offline"  # variant of a model
LATE, SUPERSEDED = "late", "superseded"  # problems of a reply that are nobody's fault


class PlanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Plan the chords of [first_frame, first_frame + lookahead_frames).

    Known chords cover [window_start, known_chords) contiguously: what sounded, then what is committed. Known melody
    covers [window_start, first_frame - 1) or [window_start, first_frame). Everything else is sampled.

    An offline model hears the melody of the whole window first: it covers [window_start, end) with an end at or behind that of
    the plan, and `first_frame` may be `window_start`.

    `session` names the asker: the player, and behind a `/` what else than live plans is asked for (`player_of`).
    """

    session: str
    seq: int
    model: str
    seed: int
    window_start: int
    first_frame: int
    lookahead_frames: int
    chords: bytes
    melody: bytes
    temperature: float
    beats_per_bar: int
    bar_line: int
    density: int
    style: int
    slack_ms: float  # time left until the plan is useless


def player_of(session: str) -> str:
    """The player behind the session of a request."""
    return session.partition("/")[0]


class PlanReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Chord values for the requested frames, or a sentence that says why not, and how it was made.

    At the deadline a live plan is answered with the frames decided so far, at least one: then `chords` is shorter than asked for.
    """

    session: str
    seq: int
    chords: bytes = b""
    problem: str = ""
    steps: int = 0
    reused: float = 0.0
    batch: int = 0
    queue_ms: float = 0.0  # from arrival to a slot
    batch_wait_ms: float = 0.0  # with a slot, while calls without it ran
    device_ms: float = 0.0
    head_ms: float = 0.0  # from arrival until there was something to answer


class ModelInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model a worker has resident."""

    name: str
    variant: str
    temperature: float  # suggested default

    @property
    def is_offline(self) -> bool:
        """Whether it hears the whole melody first: for warm start and `harmonize`, never for live plans."""
        return self.variant == OFFLINE


class WorkerState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the worker is: readiness is only reported once every shape is compiled and the golden output matched."""

    ready: bool
    models: list[ModelInfo]
    slots: int
    slots_used: int
    waiting: int
    compiles_after_ready: int
    rss_bytes: int
    utilisation: float = 0.0  # share of the last second in which the device computed
    wait_p90_ms: float = 0.0  # of the last second's live requests nine of ten had something to answer after so long
    late_share: float = 0.0  # of them had nothing to answer at their deadline
    crowded: bool = False  # hardly a slot is left that is not of somebody who plays


class PlanCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plan"):
    """What `plan_many` takes: everything that queued up for one worker; empty to ask how it is."""

    requests: list[PlanRequest]


class PlanAnswers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plans"):
    """What `plan_many` gives: one reply per request, in their order."""

    replies: list[PlanReply]
    worker: WorkerState


def pack_values(values: Iterable[int]) -> bytes:
    """Values as little-endian uint16."""
    packed = array("H", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack_values(data: bytes) -> list[int]:
    """The inverse of `pack_values`. Raises ValueError on an odd number of bytes."""
    packed = array("H")
    packed.frombytes(data)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tolist()


def golden_request(melody: list[int], seed: int, variant: str) -> PlanRequest:
    """The request behind a checkpoint's golden plan, at temperature 1.

    A live model: the player played `melody` alone, now 8 beats of chords. An offline one: chords for all of `melody`.
    """
    played = 0 if variant == OFFLINE else len(melody)
    return PlanRequest(
        session="golden",
        seq=0,
        model="",
        seed=seed,
        window_start=0,
        first_frame=played,
        lookahead_frames=len(melody) if variant == OFFLINE else 32,
        chords=pack_values([NOTHING] * played),
        melody=pack_values(melody),
        temperature=1.0,
        beats_per_bar=4,
        bar_line=0,
        density=0,
        style=0,
        slack_ms=1000.0,
    )


def live_models(models: Mapping[str, ModelInfo]) -> dict[str, ModelInfo]:
    """The models a player may choose, by name."""
    return {name: model for name, model in models.items() if not model.is_offline}


def offline_model(models: Mapping[str, ModelInfo]) -> ModelInfo | None:
    """The model for warm starts and whole melodies, if there is one."""
    return next((model for model in models.values() if model.is_offline), None)
