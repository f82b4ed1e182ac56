"""From the state of a jam to a plan request, and from the worker's reply to the plan that is sent. Pure.

A plan is a pure function of its `Situation` (P8). Chords that are known beforehand are given to the worker, not asked of it:
what sounded, what is committed (P2), and N for the rest of the initial silence (P7). Once a chord has sounded, a warm start (P10)
is shown in place of that silence.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from gateway.jam import Jam, Planned, WarmStart, open_melody
from schema.chords import print_symbol
from schema.client_messages import ChordRun, Plan, Settings, SymbolRun, Timing
from schema.engine_messages import PlanReply, PlanRequest, pack_values, unpack_values
from schema.grid import FRAMES_PER_BEAT, frame_budget_ms, window_start
from schema.plan import ChordPlan, Run, committed_chords, committed_until, plan_frames, runs, sound
from schema.tokens import DENSITIES, NOTHING, NUM_CHORDS, STYLES, chord_of, first_break
from schema.voicing import voice

HEAD_START_FRAMES = 4  # P7: plans begin this long before the silence ends
SLACK_SHARE = 0.8  # of a frame; the rest is for the way to the client

lead = lru_cache(maxsize=16_384)(voice)  # plans repeat most of the plan before


class Situation(NamedTuple):
    """Everything a plan depends on (P8)."""

    jam: Jam
    previous: Planned | None  # the last plan sent: its committed part binds
    settings: Settings
    seed: int
    bar_line: int

    @property
    def first_frame(self) -> int:
        """First frame of the plan."""
        return self.jam.frame + 1

    @property
    def silence_until(self) -> int:
        """The first frame after the initial silence (P7)."""
        return self.settings.silence_beats * FRAMES_PER_BEAT

    @property
    def earlier(self) -> ChordPlan | None:
        """The chords of the previous plan."""
        return self.previous.plan if self.previous else None


def is_listening(situation: Situation) -> bool:
    """Whether the tick comes too early in the initial silence to be answered by a plan (P7)."""
    begun = situation.previous is not None or situation.jam.running != NOTHING
    return not begun and situation.first_frame < situation.silence_until - HEAD_START_FRAMES


def plan_request(situation: Situation, *, session: str, seq: int, waited_ms: float) -> PlanRequest:
    """What a worker is asked: the windowed history by value, everything known beforehand, and the time that is left."""
    jam, settings, first_frame = situation.jam, situation.settings, situation.first_frame
    lookahead = plan_frames(situation.earlier, first_frame, settings.lookahead_beats * FRAMES_PER_BEAT)
    start = max(jam.first_frame, window_start(first_frame, lookahead))
    offset = start - jam.first_frame
    return PlanRequest(
        session=session,
        seq=seq,
        model=settings.model,
        seed=situation.seed,
        window_start=start,
        first_frame=first_frame,
        lookahead_frames=lookahead,
        chords=pack_values(_shown_chords(situation, first_frame + lookahead)[offset:]),
        melody=pack_values((*jam.melody[offset:], *open_melody(jam))),
        temperature=settings.temperature,
        beats_per_bar=settings.beats_per_bar,
        bar_line=situation.bar_line,
        density=DENSITIES.index(settings.density),
        style=STYLES.index(settings.style),
        slack_ms=slack_ms(settings, waited_ms),
    )


def slack_ms(settings: Settings, waited_ms: float) -> float:
    """What is left of a frame for the workers."""
    return max(0.0, SLACK_SHARE * frame_budget_ms(settings.bpm) - waited_ms)


def filled(reply: PlanReply, request: PlanRequest, situation: Situation) -> tuple[PlanReply, int]:
    """The reply with a chord for every frame, and how many at the end nobody decided in time (P11).

    Behind the head stands what was given, then what the plan before had, then the running chord.
    """
    values = unpack_values(reply.chords)
    given = unpack_values(request.chords)[request.first_frame - request.window_start :]
    assert 0 < len(values) <= request.lookahead_frames, f"expected {request.lookahead_frames} chords or fewer, got {len(values)}"
    unrefined = request.lookahead_frames - max(len(values), len(given))
    values += given[len(values) :]
    for frame in range(request.first_frame + len(values), request.first_frame + request.lookahead_frames):
        values.append(sound(situation.earlier, frame, values[-1]))
    return msgspec.structs.replace(reply, chords=pack_values(values)), unrefined


def planned_from(reply: PlanReply, request: PlanRequest, situation: Situation, unrefined: int = 0) -> Planned:
    """The plan a whole reply makes, its last `unrefined` frames not decided now. What breaks the request's terms is a bug of ours."""
    first_frame, settings = request.first_frame, situation.settings
    values, shown = unpack_values(reply.chords), unpack_values(request.chords)
    past = first_frame - request.window_start
    given = shown[past:]
    assert len(values) == request.lookahead_frames, f"expected {request.lookahead_frames} chords, got {len(values)}"
    assert values[: len(given)] == given, f"expected the known chords {given}, got {values[: len(given)]}"
    assert first_break([shown[past - 1], *values], NUM_CHORDS) is None, f"expected chords that may follow {shown[past - 1]}, got {values}"
    until = committed_until(situation.earlier, first_frame, settings.commit_beats * FRAMES_PER_BEAT)
    plan = ChordPlan(first_frame, until, tuple(values))
    return Planned(request.seq, plan, _pitches(plan, situation), _decided(plan, situation, unrefined))


def planned_again(seq: int, plan: ChordPlan, jam: Jam, settings: Settings) -> Planned:
    """A plan that an earlier connection sent and the client still holds (H4). Its pitches are chosen anew: a history has none."""
    situation = Situation(jam, None, settings, seed=0, bar_line=0)
    return Planned(seq, plan, _pitches(plan, situation), (None,) * len(plan.chords))


def _known_chords(situation: Situation, end_frame: int) -> list[int]:
    """The chords from the plan's first frame that are not the worker's to choose: committed ones, then N while the silence lasts."""
    committed = committed_chords(situation.earlier, situation.first_frame, situation.jam.running)
    silent_until = min(end_frame, situation.silence_until)
    return committed + [NOTHING] * (silent_until - situation.first_frame - len(committed))


def _shown_chords(situation: Situation, end_frame: int) -> list[int]:
    """The chords a worker is given, from the jam's first frame on: what sounded, as a warm start lets it look, and what is known."""
    jam = situation.jam
    past = jam.chords if jam.warm_start is None else jam.warm_start.shown(jam.chords, jam.first_frame)
    return [*past, *_known_chords(situation, end_frame)]


def plan_message(planned: Planned, timing: Timing, warm_start: WarmStart | None = None) -> Plan:
    """The plan as the client gets it: runs of chords with symbol and pitches (P1, P9), and the warm start until it has it (P10)."""
    first_frame = planned.plan.first_frame
    return Plan(
        seq=planned.seq,
        first_frame=first_frame,
        committed_until=planned.plan.committed_until,
        chords=[chord_run(run, planned.pitches[run.start - first_frame]) for run in runs(planned.plan.chords, first_frame)],
        timing=timing,
        warm_start=symbol_runs(warm_start) if warm_start else [],
    )


def timing_of(reply: PlanReply, gateway_ms: float, unrefined: int = 0) -> Timing:
    """Where the time went, of which `gateway_ms` is all, and how many frames it was too short for."""
    return Timing(
        gateway_ms=gateway_ms,
        queue_ms=reply.queue_ms + reply.batch_wait_ms,
        device_ms=reply.device_ms,
        steps=reply.steps,
        reused=reply.reused,
        batch=reply.batch,
        unrefined=unrefined,
    )


def chord_run(run: Run, pitches: Sequence[int]) -> ChordRun:
    """A run with the pitches to play (P9)."""
    return ChordRun(start=run.start, length=run.length, symbol=print_symbol(chord_of(run.value)), pitches=list(pitches), onset=run.onset)


def symbol_runs(warm_start: WarmStart) -> list[SymbolRun]:
    """A warm start as it travels (P10, H8)."""
    return [
        SymbolRun(run.start, run.length, print_symbol(chord_of(run.value)), run.onset)
        for run in runs(warm_start.chords, warm_start.first_frame)
    ]


def revision(previous: Planned | None, planned: Planned) -> tuple[int, int]:
    """Of the frames that both plans cover and the previous one left open: how many changed, and their number."""
    if previous is None:
        return 0, 0
    old, new = previous.plan, planned.plan
    open_frames = range(max(new.first_frame, old.committed_until), min(old.end_frame, new.end_frame))
    changed = sum(old.chords[frame - old.first_frame] != new.chords[frame - new.first_frame] for frame in open_frames)
    return changed, len(open_frames)


def _pitches(plan: ChordPlan, situation: Situation) -> tuple[tuple[int, ...], ...]:
    """Pitches for each frame: what sounds keeps its own, committed chords keep those they were sent with, the rest is led on from there."""
    previous, voicing = situation.previous, situation.jam.voicing
    result: list[tuple[int, ...]] = []
    for run in runs(plan.chords, plan.first_frame):
        if run.onset and previous and run.start < previous.plan.committed_until:
            voicing = previous.pitches[run.start - previous.plan.first_frame]
        elif run.onset:
            voicing = lead(chord_of(run.value), voicing, situation.settings.voicing)
        result += [() if run.value == NOTHING else voicing] * run.length
    return tuple(result)


def _decided(plan: ChordPlan, situation: Situation, unrefined: int) -> tuple[int | None, ...]:
    """For each frame of the plan the frame of the tick that last chose its chord freely; what is held for want of one counts as now."""
    previous = situation.previous
    kept: tuple[int | None, ...] = ()
    if previous is not None:
        offset = plan.first_frame - previous.plan.first_frame
        kept = previous.decided[offset : max(offset, previous.plan.committed_until - previous.plan.first_frame)]
    chosen = kept + (situation.jam.frame,) * (len(plan.chords) - len(kept))
    if previous is None or not unrefined:
        return chosen
    tail = range(plan.end_frame - unrefined, plan.end_frame)
    old = (previous.decided[f - previous.plan.first_frame] if previous.covers(f) else situation.jam.frame for f in tail)
    return (*chosen[:-unrefined], *old)
