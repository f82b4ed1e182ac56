"""A load run as values: who plays what and from when, and what became of every tick. Pure.

Open loop: a tick is due at a moment that no answer can shift, and its round trip counts from that moment, so a slow service (or a
slow generator) cannot hide behind ticks that it kept from being sent. Moments are seconds of the machine's monotonic clock.
"""

import heapq
import math
import random
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from schema.grid import bar_frames, frame_seconds
from schema.tokens import pitch_of
from sideman.simulate import Melody, note_events
from sideman_client.generated.messages import Configure, NoteEvent, Settings, Timing

LISTENING = "keep listening"
PLAN = "plan"
NONE = "none"
SEMITONES = range(-5, 7)  # every key once


class Part(msgspec.Struct, frozen=True):
    """What one session plays: it joins so many seconds after the start, and its first frame is 0."""

    join_s: float
    beats_per_bar: int
    events: list[NoteEvent]


class Job(msgspec.Struct, frozen=True):
    """What one generator process does."""

    url: str
    settings: Configure
    parts: list[Part]
    frame_s: float
    warm_up_s: float
    seconds: float
    opening_pause_s: float  # between two opening handshakes


class Round(msgspec.Struct, array_like=True):
    """One tick and what became of it."""

    due_s: float  # after the start
    lag_ms: float | None = None  # it left so much later than it was due; None: it never did
    answer: str = NONE
    round_trip_ms: float | None = None  # from due to the answer decoded; None: there was none
    late: bool = False  # its frame began without the plan made for it
    unplanned: bool = False  # its frame began and no plan said anything about it, the silence left out
    timing: Timing | None = None  # of its plan


class Takings(msgspec.Struct, frozen=True):
    """What a generator process brings home: the rounds due in the measured seconds."""

    settings: Settings
    rounds: list[Round]
    lost: int  # sessions whose connection ended before its time


class Run(msgspec.Struct, frozen=True):
    """What was asked for."""

    sessions: int
    seconds: float
    warm_up_s: float
    settings: Configure
    bpm: float
    seed: int
    generators: int


def arrivals(tunes: Sequence[Melody], run: Run) -> list[Part]:
    """Each session has a tune in a key of its own, from a bar of its own, and joins at a moment of its own.

    All join early enough in the warm-up to have played through their silence when it ends; a warm-up of 16 beats more than that also
    spreads the hops of their windows evenly. Session i does the same however many there are.
    """
    frame_s = frame_seconds(run.bpm)
    num_frames = math.ceil((run.warm_up_s + run.seconds) / frame_s)
    silence_s = (run.settings.silence_beats or 0) * 60.0 / run.bpm
    span_s = max(frame_s, run.warm_up_s - silence_s)
    return [_part(tunes[i % len(tunes)], random.Random(f"{run.seed} {i}"), num_frames, span_s) for i in range(run.sessions)]


def _part(tune: Melody, rng: random.Random, num_frames: int, span_s: float) -> Part:
    bar = bar_frames(tune.beats_per_bar)
    offset = rng.randrange(-(-len(tune.melody) // bar)) * bar
    played = np.take(tune.melody, np.arange(offset, offset + num_frames), mode="wrap")
    pitches = [pitch for value in np.unique(played) if (pitch := pitch_of(int(value))) is not None] or [60]
    semitones = rng.choice([shift for shift in SEMITONES if min(pitches) + shift >= 0 and max(pitches) + shift <= 127])
    written = (event for frame in range(num_frames) for event in note_events(played, frame))
    return Part(rng.uniform(0.0, span_s), tune.beats_per_bar, [NoteEvent(e.frame, e.pitch + semitones, e.on) for e in written])


def schedule(joins_s: Sequence[float], frame_s: float, end_s: float) -> Iterator[tuple[float, int]]:
    """(when, session) of every tick that is due before `end_s`, in order of time."""
    return heapq.merge(*(_ticks(join_s, frame_s, end_s, session) for session, join_s in enumerate(joins_s)))


def _ticks(join_s: float, frame_s: float, end_s: float, session: int) -> Iterator[tuple[float, int]]:
    for frame in range(math.ceil((end_s - join_s) / frame_s)):
        yield join_s + frame * frame_s, session
