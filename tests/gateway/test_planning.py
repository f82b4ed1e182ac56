"""From a situation to a request, and from a reply to a plan."""

from typing import Any

import msgspec
import pytest

from gateway.jam import Jam, Planned, WarmStart
from gateway.planning import Situation, filled, is_listening, plan_message, plan_request, planned_again, planned_from, revision, timing_of
from schema.chords import Chord
from schema.client_messages import Settings, SymbolRun, Timing
from schema.engine_messages import PlanReply, pack_values, unpack_values
from schema.grid import window_start
from schema.melody import NoteEvent
from schema.plan import ChordPlan
from schema.tokens import NOTHING, chord_hold, chord_onset, note_onset
from tests.strategies import reply_to

C, G = Chord(0, "maj"), Chord(7, "maj")
SETTINGS = Settings(model="online", silence_beats=0, lookahead_beats=1, commit_beats=0)


def situation_with(jam: Jam, previous: Planned | None = None, **settings: Any) -> Situation:
    return Situation(jam, previous, msgspec.structs.replace(SETTINGS, **settings), seed=1, bar_line=0)


def a_plan(first_frame: int, until: int, *values: int) -> Planned:
    return Planned(1, ChordPlan(first_frame, until, values), ((36, 70),) * len(values), (first_frame - 1,) * len(values))


def planned_by(situation: Situation, *values: int) -> Planned:
    request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
    return planned_from(PlanReply("s", 2, pack_values(values)), request, situation)


@pytest.mark.parametrize(
    ("jam", "previous", "listening"),
    [
        (Jam(26), None, True),
        (Jam(27), None, False),
        (Jam(5, chords=(chord_hold(C),)), None, False),
        (Jam(5), a_plan(5, 5, NOTHING), False),
    ],
)
def test_listening(jam: Jam, previous: Planned | None, listening: bool) -> None:
    """P7: plans begin 4 frames before the silence ends; once chords have begun there is no going back to listening."""
    assert is_listening(situation_with(jam, previous, silence_beats=8)) is listening


def test_window_starts_at_a_hop() -> None:
    """P8: a request holds the frames of the window only."""
    jam = Jam(300, chords=(NOTHING,) * 256, melody=(note_onset(60),) * 255)
    request = plan_request(situation_with(jam), session="s", seq=1, waited_ms=0.0)
    assert request.window_start == window_start(301, 4) == 64
    assert len(unpack_values(request.chords)) == 301 - 64
    assert len(unpack_values(request.melody)) == 300 - 64


def test_window_starts_with_the_jam() -> None:
    """P8: where less is known than the window would hold, the window begins there."""
    request = plan_request(situation_with(Jam(300, events=(NoteEvent(300, 60, True),))), session="s", seq=1, waited_ms=0.0)
    assert request.window_start == 300
    assert unpack_values(request.melody) == [note_onset(60)]


def test_committed_chords_are_given() -> None:
    """P2: what is committed is given to the worker, and the plan covers all of it."""
    previous = a_plan(1, 7, chord_onset(C), *[chord_hold(C)] * 5, chord_onset(G))
    request = plan_request(situation_with(Jam(1, chords=(chord_onset(C),)), previous), session="s", seq=1, waited_ms=0.0)
    assert request.lookahead_frames == 5
    assert unpack_values(request.chords) == [chord_onset(C)] + [chord_hold(C)] * 5


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([chord_hold(C)] * 3, "expected 4 chords, got 3"),
        ([chord_onset(G)] + [chord_hold(G)] * 3, "expected the known chords"),
        ([chord_hold(C), chord_hold(G), NOTHING, NOTHING], "expected chords that may follow"),
    ],
)
def test_broken_replies_are_bugs(values: list[int], problem: str) -> None:
    """P1: a reply of another length, against what is committed or against the grammar is a bug of ours."""
    situation = situation_with(Jam(1, chords=(chord_onset(C),)), a_plan(1, 3, chord_onset(C), chord_hold(C)))
    with pytest.raises(AssertionError, match=problem):
        planned_by(situation, *values)


def test_decided_by_the_last_free_choice() -> None:
    """P2: committed frames keep the tick that chose them; all others were chosen by this one."""
    previous = a_plan(1, 3, chord_onset(C), chord_hold(C), chord_hold(C))
    planned = planned_by(situation_with(Jam(1, chords=(chord_onset(C),)), previous, commit_beats=1), *[chord_hold(C)] * 4)
    assert planned.plan.committed_until == 6
    assert planned.decided == (0, 1, 1, 1)


def test_nothing_committed_any_more() -> None:
    """P2: a previous plan that was played out binds nothing."""
    previous = a_plan(1, 1, chord_onset(C))
    assert planned_by(situation_with(Jam(9), previous), *[NOTHING] * 4).decided == (9, 9, 9, 9)


def test_voicings_lead_on() -> None:
    """P9: pitches are led from chord to chord, over rests too; N has none."""
    close = planned_by(situation_with(Jam(0), voicing="close"), chord_onset(C), NOTHING, chord_onset(G), chord_hold(G))
    assert close.pitches == ((36, 48, 52, 55), (), (43, 50, 55, 59), (43, 50, 55, 59))
    led = planned_by(situation_with(Jam(0)), chord_onset(C), NOTHING, chord_onset(G), chord_hold(G))
    straight = planned_by(situation_with(Jam(0)), chord_onset(C), chord_onset(G), chord_hold(G), NOTHING)
    assert led.pitches[2] == straight.pitches[1]


def test_sounding_and_committed_pitches_stay() -> None:
    """P4: the sounding chord keeps its pitches. P2: a committed chord keeps those it was sent with."""
    jam = Jam(1, chords=(chord_onset(C),), voicing=(36, 99))
    previous = a_plan(1, 4, chord_onset(C), chord_hold(C), chord_onset(G))
    planned = planned_by(situation_with(jam, previous), chord_hold(C), chord_onset(G), chord_onset(G), NOTHING)
    assert planned.pitches[:2] == ((36, 99), (36, 70))
    assert planned.pitches[2] != (36, 70)


def test_held_plan_is_voiced_anew() -> None:
    """H4: a plan from an earlier connection gets pitches that follow the sounding chord's."""
    planned = planned_again(
        5, ChordPlan(4, 5, (chord_hold(C), chord_onset(G))), Jam(3, chords=(chord_onset(C),), voicing=(36, 60)), SETTINGS
    )
    assert (planned.seq, planned.pitches[0], planned.decided) == (5, (36, 60), (None, None))
    assert planned.pitches[1][0] % 12 == 7


def test_message() -> None:
    """P1: the message holds one run per chord."""
    timing = Timing(0.0, 0.0, 0.0, 0, 0.0, 0)
    message = plan_message(a_plan(4, 6, chord_onset(C), chord_hold(C), chord_onset(G)), timing)
    assert (message.seq, message.first_frame, message.committed_until, message.timing) == (1, 4, 6, timing)
    assert [(run.start, run.length, run.symbol, run.onset, run.pitches) for run in message.chords] == [
        (4, 2, "C", True, [36, 70]),
        (6, 1, "G", True, [36, 70]),
    ]


def test_revision() -> None:
    """P2: only frames that both plans cover and the earlier one left open can be revised."""
    earlier = a_plan(1, 3, chord_onset(C), chord_hold(C), chord_onset(G), chord_hold(G))
    later = a_plan(2, 3, chord_hold(C), chord_onset(G), chord_onset(C), chord_hold(C))
    assert revision(earlier, later) == (1, 2)
    assert revision(None, later) == (0, 0)
    assert revision(earlier, a_plan(9, 9, NOTHING)) == (0, 0)


def test_reply_to_keeps_the_terms() -> None:
    """P1: the tests' own worker plans what the request allows."""
    situation = situation_with(Jam(1, chords=(chord_onset(C),)), silence_beats=1)
    request = plan_request(situation, session="s", seq=1, waited_ms=0.0)
    assert planned_from(reply_to(request), request, situation).plan.chords == (NOTHING,) * 4


# ---- warm start ----

WARM = WarmStart(0, (chord_onset(C), chord_hold(C), chord_hold(C), chord_hold(C)))


def test_the_first_chord_is_chosen_as_after_a_rest() -> None:
    """P10, P7: until a chord has sounded the worker is given the silence as it is, the rest of it too."""
    situation = situation_with(Jam(1, (NOTHING,) * 2, (NOTHING,), warm_start=WARM), silence_beats=1)
    request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
    assert unpack_values(request.chords) == [NOTHING] * 4
    planned = planned_by(situation, NOTHING, NOTHING, chord_onset(C), chord_hold(C))
    assert planned.plan.chords == (NOTHING, NOTHING, chord_onset(C), chord_hold(C))
    assert [bool(pitches) for pitches in planned.pitches] == [False, False, True, True]


def test_a_committed_chord_has_not_sounded_yet() -> None:
    """P10, P2: it is given behind the silence as it is."""
    previous = a_plan(2, 5, NOTHING, NOTHING, chord_onset(G))
    situation = situation_with(Jam(2, (NOTHING,) * 3, (NOTHING,) * 2, warm_start=WARM), previous, silence_beats=1)
    request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
    assert unpack_values(request.chords) == [*[NOTHING] * 4, chord_onset(G)]


def test_once_a_chord_has_sounded_the_warm_start_stands_for_the_silence() -> None:
    """P10: before what sounded; a rest after the silence stays one, and so does N that a longer silence puts into the plan (P7)."""
    jam = Jam(5, (*[NOTHING] * 5, chord_onset(C)), (NOTHING,) * 5, warm_start=WARM)
    for silence_beats, known in ((0, []), (2, [NOTHING] * 2)):
        situation = situation_with(jam, silence_beats=silence_beats)
        request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
        assert unpack_values(request.chords) == [*WARM.chords, NOTHING, chord_onset(C), *known]
    assert planned_by(situation_with(jam), *[chord_hold(C)] * 4).plan.chords == (chord_hold(C),) * 4


def test_message_with_a_warm_start() -> None:
    """P10: as runs of symbols."""
    timing = Timing(0.0, 0.0, 0.0, 0, 0.0, 0)
    warm_start = WarmStart(3, (NOTHING, chord_onset(C), chord_hold(C), chord_onset(C)))
    assert plan_message(a_plan(7, 7, NOTHING), timing, warm_start).warm_start == [
        SymbolRun(3, 1, "N", False),
        SymbolRun(4, 2, "C"),
        SymbolRun(6, 1, "C"),
    ]


def test_timing() -> None:
    """P1: what the worker measured, and the gateway's own time."""
    reply = PlanReply("s", 1, steps=3, reused=0.5, batch=2, queue_ms=1.0, batch_wait_ms=0.5, device_ms=4.0)
    assert timing_of(reply, 9.0) == Timing(gateway_ms=9.0, queue_ms=1.5, device_ms=4.0, steps=3, reused=0.5, batch=2)


def test_a_plan_cut_at_its_deadline_ends_as_the_one_before() -> None:
    """P11: behind the head stand the given chords, the older plan's, then the running one; only what was not given counts as unrefined."""
    previous = a_plan(1, 2, *[chord_onset(C), chord_hold(C), chord_onset(G), chord_hold(G), chord_hold(G)])
    situation = situation_with(Jam(1, chords=(chord_onset(C),)), previous)
    request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
    reply, unrefined = filled(PlanReply("s", 2, pack_values([chord_hold(C)])), request, situation)
    values = unpack_values(reply.chords)
    assert (len(values), unrefined) == (request.lookahead_frames, request.lookahead_frames - 1)
    assert values[:4] == [chord_hold(C), chord_onset(G), chord_hold(G), chord_hold(G)]
    assert set(values[4:]) <= {chord_hold(G)}
    planned = planned_from(reply, request, situation, unrefined)
    assert planned.plan.chords == tuple(values)
    assert planned.decided[:2] == (1, 0)
    assert timing_of(reply, 1.0, unrefined).unrefined == unrefined


def test_an_older_plan_that_goes_another_way_is_struck_anew() -> None:
    """P11: what the older plan held is struck where the head ends with another chord; a committed chord stands."""
    previous = a_plan(1, 4, *[chord_onset(C), chord_hold(C), chord_hold(C), chord_hold(C), chord_hold(C)])
    situation = situation_with(Jam(1, chords=(chord_onset(C),)), previous)
    request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
    reply, unrefined = filled(PlanReply("s", 2, pack_values([chord_hold(C)])), request, situation)
    assert unpack_values(reply.chords)[:3] == [chord_hold(C)] * 3
    assert unrefined == request.lookahead_frames - 2
    free = situation_with(Jam(1, chords=(chord_onset(C),)), a_plan(1, 1, *[chord_onset(C), chord_hold(C), chord_hold(C)]))
    request = plan_request(free, session="s", seq=2, waited_ms=0.0)
    reply, _ = filled(PlanReply("s", 2, pack_values([chord_onset(G)])), request, free)
    assert unpack_values(reply.chords)[:3] == [chord_onset(G), chord_onset(C), chord_hold(C)]


@pytest.mark.parametrize("count", [0, 99])
def test_a_reply_without_a_frame_or_with_too_many_is_a_bug(count: int) -> None:
    situation = situation_with(Jam(1, chords=(chord_onset(C),)))
    request = plan_request(situation, session="s", seq=2, waited_ms=0.0)
    with pytest.raises(AssertionError, match="chords or fewer, got"):
        filled(PlanReply("s", 2, pack_values([chord_hold(C)] * count)), request, situation)
