"""The jam's state machine, rule by rule: ticks and plans."""

from typing import Any

import pytest

from gateway.session import MAX_SENT_PLANS, Effects
from schema.client_messages import (
    Applied,
    Configure,
    Keep,
    KeepReason,
    Tick,
)
from schema.codes import ErrorCode
from schema.engine_messages import LATE, PlanReply, PlanRequest, pack_values, unpack_values
from schema.tokens import NOTHING, chord_hold, chord_onset, note_hold, note_onset
from tests.strategies import HOLD, STRIKE_C, STRIKE_G, C, asked, off, on, only, play_frame, refusal, reply_to, session_with

# ---- T ----


def test_request_holds_the_history() -> None:
    """P8: a request carries the window by value, with the settings as they stand."""
    session = session_with(silence_beats=0, density="busy", style="rock", bpm=150.0)
    session.receive(Tick(0, 0, [on(0)]), 0.0)
    session.give_up("s", 0, "late", 0.0)
    request = asked(session.receive(Tick(1, 2, [off(2)]), 0.0))
    assert request == PlanRequest(
        session="s",
        seq=1,
        model="online",
        seed=7,
        window_start=0,
        first_frame=3,
        lookahead_frames=16,
        chords=pack_values([0, 0, 0]),
        melody=pack_values([note_onset(60), note_hold(60)]),
        temperature=0.8,
        beats_per_bar=4,
        bar_line=0,
        density=5,
        style=3,
        slack_ms=80.0,
    )


def test_open_frame_is_amended() -> None:
    """T2: the last tick's frame may still get notes; its melody is known to a request only once a note began in it."""
    session = session_with(silence_beats=0)
    open_request = asked(session.receive(Tick(0, 0), 0.0))
    session.give_up("s", 0, "late", 0.0)
    known_request = asked(session.receive(Tick(1, 1, [on(0), off(0), on(1, 72)]), 0.0))
    assert unpack_values(open_request.melody) == []
    assert unpack_values(known_request.melody) == [note_onset(60), note_onset(72)]


def test_events_lie_between_ticks() -> None:
    """T2: an event before the last tick's frame, after this tick's or out of order is refused."""
    session = session_with()
    session.receive(Tick(0, 10), 0.0)
    for events, index in (([on(9)], 0), ([on(12), on(13)], 1), ([on(12), on(11)], 1)):
        error = refusal(session, Tick(1, 12, events))
        assert (error.code, error.field, error.seq) == (ErrorCode.BAD_EVENT, f"$.tick.events[{index}].frame", 1)


def test_first_tick_anywhere() -> None:
    """T4: the first tick may carry any frame; the 256 before it are rests without chords."""
    session = session_with()
    request = asked(session.receive(Tick(0, 5000, [on(4744)]), 0.0))
    assert (request.window_start, request.first_frame) == (4800, 5001)
    assert unpack_values(request.melody) == [note_hold(60)] * 200
    assert unpack_values(request.chords) == [NOTHING] * 201


@pytest.mark.parametrize(
    ("tick", "code", "field"),
    [
        (Tick(6, 10), ErrorCode.FRAME_BACKWARDS, "$.tick.frame"),
        (Tick(6, 267), ErrorCode.FRAME_JUMP, "$.tick.frame"),
        (Tick(5, 11), ErrorCode.BAD_FIELD, "$.tick.seq"),
    ],
)
def test_ticks_rise(tick: Tick, code: ErrorCode, field: str) -> None:
    """T4: a tick must be above the last one, by 256 frames at most. T1: its seq rises."""
    session = session_with()
    session.receive(Tick(5, 10), 0.0)
    error = refusal(session, tick)
    assert (error.code, error.field, error.seq) == (code, field, tick.seq)
    assert session.receive(Tick(6, 266), 0.0)


def test_applied_plan_sounds() -> None:
    """T5: from `from_frame` on the named plan sounds, before it the one before; naming it again changes nothing."""
    session = session_with(silence_beats=0)
    play_frame(session, 0, (STRIKE_C, HOLD, HOLD, HOLD))
    effects = session.receive(Tick(4, 3, applied=Applied(1, 2)), 0.0)
    assert effects.acknowledged == 1
    assert unpack_values(asked(effects).chords)[:4] == [NOTHING, NOTHING, chord_onset(C), chord_hold(C)]
    session.give_up("s", 4, "late", 0.0)
    again = asked(session.receive(Tick(5, 5, applied=Applied(1, 2)), 0.0))
    assert unpack_values(again.chords)[4:6] == [chord_hold(C), chord_onset(C)]


def test_applied_plan_must_be_known() -> None:
    """T5: a plan that was never sent, or is older than the one applied, is unknown."""
    session = session_with(silence_beats=0)
    play_frame(session, 0)
    play_frame(session, 1)
    assert refusal(session, Tick(3, 2, applied=Applied(9, 2))).code == ErrorCode.UNKNOWN_PLAN
    play_frame(session, 2, applied=Applied(2, 2))
    assert refusal(session, Tick(4, 3, applied=Applied(1, 3))).code == ErrorCode.UNKNOWN_PLAN


@pytest.mark.parametrize("from_frame", [0, 3])
def test_applied_since_the_last_tick(from_frame: int) -> None:
    """T5: a new plan began to sound after the last tick's frame and not after this one's."""
    session = session_with(silence_beats=0)
    play_frame(session, 0)
    error = refusal(session, Tick(2, 2, applied=Applied(1, from_frame)))
    assert (error.code, error.field) == (ErrorCode.BAD_FIELD, "$.tick.applied.from_frame")


def test_sent_plans_are_bounded() -> None:
    """T5: of a client that applies nothing only the newest plans are remembered."""
    session = session_with(silence_beats=0)
    for frame in range(MAX_SENT_PLANS + 1):
        play_frame(session, frame)
    tick = Tick(900, MAX_SENT_PLANS + 1, applied=Applied(1, MAX_SENT_PLANS + 1))
    assert refusal(session, tick).code == ErrorCode.UNKNOWN_PLAN
    assert session.receive(Tick(900, MAX_SENT_PLANS + 1, applied=Applied(2, MAX_SENT_PLANS + 1)), 0.0)


def test_newest_tick_waits() -> None:
    """T6: while one is under way the newest tick waits, older ones are superseded; its request builds on the plan before."""
    session = session_with(silence_beats=0)
    flying = asked(session.receive(Tick(1, 0), 0.0))
    assert session.receive(Tick(2, 1), 0.01) == Effects(played_frames=(1, 1), late_frames=1)
    assert session.receive(Tick(3, 2), 0.02).messages == (Keep(2, "superseded"),)
    effects = session.receive_reply(reply_to(flying, (STRIKE_C, HOLD)), 0.05)
    assert only(effects).seq == 1
    request = asked(effects)
    assert (request.seq, request.first_frame) == (3, 3)
    assert unpack_values(request.chords)[:5] == [NOTHING] * 3 + [chord_onset(C), chord_hold(C)]
    assert request.slack_ms == pytest.approx(100.0 - 30.0)


def test_waiting_uses_up_the_slack() -> None:
    """T6: a tick that waited longer than its frame has no time left, never less than none."""
    session = session_with(silence_beats=0)
    session.receive(Tick(1, 0), 0.0)
    session.receive(Tick(2, 1), 0.1)
    assert asked(session.give_up("s", 1, "late", 3.0)).slack_ms == 0.0


# ---- P ----


def test_plan_covers_the_lookahead() -> None:
    """P1: runs adjoin, cover the lookahead, and say symbol, pitches and onset. P9: N has no pitches."""
    session = session_with(silence_beats=0, lookahead_beats=2, commit_beats=1)
    plan = play_frame(session, 0, (NOTHING, NOTHING, STRIKE_C, HOLD, HOLD, STRIKE_G, HOLD, HOLD))
    assert (plan.seq, plan.first_frame, plan.committed_until) == (1, 1, 5)
    assert [(r.start, r.length, r.symbol, r.onset) for r in plan.chords] == [(1, 2, "N", False), (3, 3, "C", True), (6, 3, "G", True)]
    assert plan.chords[0].pitches == []
    assert plan.chords[1].pitches[0] % 12 == 0


def test_sounding_chord_keeps_its_pitches() -> None:
    """P4: a run that continues the sounding chord has the pitches it was struck with, whatever the voicing is now."""
    session = session_with(silence_beats=0, commit_beats=0)
    struck = play_frame(session, 0, (STRIKE_G, *(HOLD,) * 15)).chords[0].pitches
    session.receive(Configure(voicing="close"), 0.0)
    plan = play_frame(session, 1, (*(HOLD,) * 8, STRIKE_G, *(HOLD,) * 7), Applied(1, 1))
    held, again = plan.chords
    assert (held.onset, held.pitches) == (False, struck)
    assert again.onset
    assert again.pitches != struck


def test_committed_chords_keep_their_pitches() -> None:
    """P2: a committed chord keeps its pitches too, even if the chord before it never sounded."""
    session = session_with(silence_beats=0)
    first = play_frame(session, 0, (STRIKE_G, HOLD, HOLD, HOLD, STRIKE_C, HOLD, HOLD, HOLD))
    session.receive(Configure(voicing="close"), 0.0)
    late = play_frame(session, 4)
    assert late.chords[0].start == first.chords[1].start == 5
    assert late.chords[0].pitches == first.chords[1].pitches


def test_late_plan_is_struck() -> None:
    """P4: where a committed plan continues a chord that does not sound, the next plan strikes it."""
    session = session_with(silence_beats=0)
    play_frame(session, 0, (STRIKE_C, *(HOLD,) * 15))
    plan = play_frame(session, 2)
    assert (plan.chords[0].start, plan.chords[0].symbol, plan.chords[0].onset) == (3, "C", True)


def test_frames_without_plan_hold() -> None:
    """P5: past the end of the plan the running chord goes on and the frames are counted as late."""
    session = session_with(silence_beats=0, lookahead_beats=1, commit_beats=0)
    play_frame(session, 0, (STRIKE_C,))
    effects = session.receive(Tick(2, 7, applied=Applied(1, 1)), 0.0)
    assert effects.late_frames == 3
    assert unpack_values(asked(effects).chords) == [NOTHING] + [chord_onset(C)] * 4 + [chord_hold(C)] * 3


def test_frames_of_the_silence_are_not_late() -> None:
    """P7: in the initial silence no plan is expected."""
    assert session_with(silence_beats=1).receive(Tick(1, 5), 0.0).late_frames == 2


@pytest.mark.parametrize("reason", ["late", "busy", "unavailable"])
def test_keep(reason: Any) -> None:
    """P6: a tick that is given up is kept with the reason; a reply that comes later is ignored."""
    session = session_with(silence_beats=0)
    request = asked(session.receive(Tick(1, 0), 0.0))
    assert session.give_up("s", 1, reason, 0.0) == Effects((Keep(1, reason),))
    assert session.give_up("s", 1, reason, 0.0) == Effects()
    assert session.receive_reply(reply_to(request), 0.0) == Effects()
    session.receive(Tick(2, 1), 0.0)
    assert session.receive_reply(reply_to(request), 0.0) == Effects()
    assert session.give_up("s", 1, reason, 0.0) == Effects()


@pytest.mark.parametrize(("problem", "reason"), [("no such model", "unavailable"), (LATE, "late")])
def test_problem_is_kept(problem: str, reason: KeepReason) -> None:
    """P6: a worker that cannot is `unavailable`, one that had no time is `late`."""
    session = session_with(silence_beats=0)
    session.receive(Tick(1, 0), 0.0)
    assert session.receive_reply(PlanReply("s", 1, problem=problem), 0.0) == Effects((Keep(1, reason),))


def test_listening_until_four_frames_before_the_end() -> None:
    """P7: with 8 beats of silence the first plan is for frame 28, and its chords below frame 32 are N."""
    session = session_with()
    assert session.receive(Tick(1, 26), 0.0) == Effects((Keep(1, "listening"),))
    request = asked(session.receive(Tick(2, 27), 0.0))
    assert request.first_frame == 28
    assert unpack_values(request.chords) == [NOTHING] * 32
    plan = only(session.receive_reply(reply_to(request, (STRIKE_C,)), 0.0))
    assert [(run.start, run.length, run.symbol) for run in plan.chords][:2] == [(28, 4, "N"), (32, 1, "C")]


def test_listening_again_supersedes_what_waited() -> None:
    """T3: a tick answered at once still supersedes the one that waited."""
    session = session_with(silence_beats=0)
    session.receive(Tick(1, 0), 0.0)
    session.receive(Tick(2, 1), 0.0)
    session.receive(Configure(silence_beats=16), 0.0)
    assert session.receive(Tick(3, 2), 0.0).messages == (Keep(2, "superseded"), Keep(3, "listening"))


def test_longer_silence_keeps_what_is_committed() -> None:
    """P2: a silence made longer in mid-jam begins after the committed chords."""
    session = session_with(silence_beats=0)
    play_frame(session, 0, (STRIKE_C, HOLD))
    session.receive(Configure(silence_beats=16), 0.0)
    plan = play_frame(session, 1, (STRIKE_G,), Applied(1, 1))
    assert [(run.start, run.length, run.symbol) for run in plan.chords][-2:] == [(7, 2, "C"), (9, 9, "N")]


def test_timing() -> None:
    """P1: a plan tells where its time went."""
    session = session_with(silence_beats=0)
    request = asked(session.receive(Tick(1, 0), 2.0))
    reply = PlanReply("s", 1, reply_to(request).chords, steps=3, reused=0.5, batch=2, queue_ms=1.0, device_ms=4.0)
    timing = only(session.receive_reply(reply, 2.25)).timing
    assert timing.gateway_ms == 250.0
    assert (timing.queue_ms, timing.device_ms, timing.steps, timing.reused, timing.batch) == (1.0, 4.0, 3, 0.5, 2)


def test_measurements() -> None:
    """P8: the effects count what changed from plan to plan, how old the sounding decision is, and notes in chords."""
    session = session_with(silence_beats=0, lookahead_beats=2, commit_beats=1)
    play_frame(session, 0, (STRIKE_C, HOLD))
    effects = session.receive(Tick(2, 1, [on(0), off(1), on(1, 64)], Applied(1, 1)), 0.0)
    assert (effects.decision_age_frames, effects.note_in_chord) == (1, (0, 0))
    effects = session.receive_reply(reply_to(asked(effects), (STRIKE_G, HOLD)), 0.0)
    assert (effects.revised_chords, effects.planned_overlap) == (4, 4)
    effects = session.receive(Tick(3, 3, [on(2, 65)], Applied(2, 2)), 0.0)
    assert (effects.decision_age_frames, effects.note_in_chord) == (3, (1, 2))
    session.receive(Configure(silence_beats=8), 0.0)
    assert session.receive(Tick(4, 4), 0.0).decision_age_frames is None
