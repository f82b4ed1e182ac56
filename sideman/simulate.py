"""A jam without sockets or clocks: real sessions and the real planner, ticked frame by frame over written melodies. Shell.

The player is honest: notes of frame f are told with the tick of f + 1, and the plan that answers the tick of f sounds from f + 1 on.

    for wave in rounds(players):
        for reply in answers(residents, [request for _, request in wave]):
            the player whose request it was .take(reply)

Most frames have one wave of requests. Where a warm start is due there are two: the opening, then the plan.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from gateway.session import Session
from inference.loop import Resident, answer
from schema import client_messages as wire
from schema.chords import parse_symbol, print_symbol
from schema.client_messages import Applied, Configure, Hello, History, Limits, MelodyRun, NoteEvent, Plan, Settings, SymbolRun, Tick
from schema.engine_messages import ModelInfo, PlanReply, PlanRequest
from schema.plan import ChordPlan, Run, sound, values
from schema.tokens import NOTHING, NUM_CHORDS, NUM_PITCHES, chord_hold, chord_of, chord_onset, held, is_onset, pitch_of

LIMITS = Limits(1 << 14, 1e9, 1 << 30, 64, wire.MAX_HISTORY_FRAMES)


class Melody(Protocol):
    """What is played: melody values and human chords per frame, and the metre."""

    @property
    def melody(self) -> np.ndarray:
        """int [T] melody values."""

    @property
    def chords(self) -> np.ndarray:
        """int [T] chord values."""

    @property
    def beats_per_bar(self) -> int:
        """Beats in a bar."""


class Player:
    """One melody played against one session."""

    def __init__(
        self, song: Melody, models: Iterable[ModelInfo], settings: Settings, *, name: str, seed: int, primed_frames: int = 0
    ) -> None:
        """`settings` name one of the models; if another is an offline one, the jam has a warm start (P10).

        With `primed_frames` the human chords sound that long first; otherwise the settings' silence holds.
        """
        self.song = song
        self.sounded: list[int] = []  # chord values so far
        self.plans = self.steps = self.overlap = self.revised = 0
        known = {model.name: model for model in models}
        self._session = Session(session_id=name, seed=seed, models=known, settings=settings, limits=LIMITS)
        self._session.receive(Hello(), 0.0)
        self._session.receive(Configure(beats_per_bar=song.beats_per_bar, silence_beats=0 if primed_frames else None), 0.0)
        self._plan: tuple[int, ChordPlan] | None = None
        self._request: PlanRequest | None = None
        self._fresh = False
        self._next = 0
        if primed_frames:
            self._prime(primed_frames)

    @property
    def over(self) -> bool:
        """Whether the melody is played to its end."""
        return self._next >= len(self.song.melody)

    def tick(self) -> None:
        """Play one frame."""
        frame, self._next = self._next, self._next + 1
        running = self.sounded[-1] if self.sounded else NOTHING
        self.sounded.append(sound(self._plan[1] if self._plan else None, frame, running))
        applied = Applied(self._plan[0], frame) if self._plan and self._fresh else None
        self._fresh = False
        events = note_events(self.song.melody, frame - 1) if frame else []
        self._request = self._session.receive(Tick(seq=frame, frame=frame, events=events, applied=applied), 0.0).request

    def next_request(self) -> PlanRequest | None:
        """What the last tick or reply asks for, told once."""
        request, self._request = self._request, None
        return request

    def take(self, reply: PlanReply) -> Plan | None:
        """Receive the reply to the last request: a plan, or None for the opening of a warm start, which asks for the plan."""
        effects = self._session.receive_reply(reply, 0.0)
        self._request = effects.request
        if self._request is not None:
            return None
        (plan,) = effects.messages
        assert isinstance(plan, Plan), f"expected a plan, got {plan}: {reply.problem}"
        self._plan = (plan.seq, ChordPlan(plan.first_frame, plan.committed_until, tuple(values(_run(run) for run in plan.chords))))
        self._fresh = True
        self.plans += 1
        self.steps += reply.steps
        self.overlap += effects.planned_overlap
        self.revised += effects.revised_chords
        return plan

    def _prime(self, frames: int) -> None:
        chords = [int(value) for value in self.song.chords[: frames + 1]]
        self.sounded = chords[:frames]
        self._next = frames
        melody = melody_runs(self.song.melody[: frames - 1])
        history = History(frame=frames - 1, first_frame=0, melody=melody, chords=symbol_runs(chords[:frames]))
        self._session.receive(history, 0.0)


def note_events(melody: np.ndarray, frame: int) -> list[NoteEvent]:
    """The keys that went down or up in a frame of written melody."""
    before = int(melody[frame - 1]) if frame else NOTHING
    now = int(melody[frame])
    if now == held(before, NUM_PITCHES) and not is_onset(now, NUM_PITCHES):
        return []
    events = []
    if (pitch := pitch_of(before)) is not None:
        events.append(NoteEvent(frame, pitch, on=False))
    if (pitch := pitch_of(now)) is not None:
        events.append(NoteEvent(frame, pitch, on=True))
    return events


def melody_runs(melody: np.ndarray) -> list[MelodyRun]:
    """Written melody as runs of a History."""
    starts = [i for i, v in enumerate(melody) if i == 0 or int(v) != held(int(melody[i - 1]), NUM_PITCHES)]
    ends = [*starts[1:], len(melody)]
    pitches = [pitch_of(int(melody[start])) for start in starts]
    return [MelodyRun(s, e - s, p) for s, e, p in zip(starts, ends, pitches, strict=True) if p is not None]


def symbol_runs(chords: Sequence[int]) -> list[SymbolRun]:
    """Chord values from frame 0 as runs of a History."""
    starts = [i for i, v in enumerate(chords) if i == 0 or v != held(chords[i - 1], NUM_CHORDS)]
    ends = [*starts[1:], len(chords)]
    struck = [is_onset(chords[start], NUM_CHORDS) for start in starts]
    names = [print_symbol(chord_of(chords[start])) for start in starts]
    return [SymbolRun(s, e - s, name, onset) for s, e, name, onset in zip(starts, ends, names, struck, strict=True)]


def rounds(players: Sequence[Player]) -> Iterator[list[tuple[Player, PlanRequest]]]:
    """Frame after frame, wave after wave: the requests of all players who have one. The caller hands the replies to `take`."""
    while playing := [player for player in players if not player.over]:
        for player in playing:
            player.tick()
        while wave := [(player, request) for player in playing if (request := player.next_request()) is not None]:
            yield wave


def answers(residents: Iterable[Resident], requests: Sequence[PlanRequest]) -> Iterator[PlanReply]:
    """The replies, each by the resident whose model is asked."""
    for resident in residents:
        yield from answer(resident, [request for request in requests if request.model == resident.info.name])


@lru_cache(maxsize=4096)
def _value(symbol: str, onset: bool) -> int:
    chord = parse_symbol(symbol).chord
    if chord is None:
        return NOTHING
    return chord_onset(chord) if onset else chord_hold(chord)


def _run(run: wire.ChordRun) -> Run:
    return Run(run.start, run.length, _value(run.symbol, run.onset), run.onset)
