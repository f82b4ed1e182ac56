"""What has sounded, frame by frame."""

import pytest

from gateway.jam import (
    Jam,
    Planned,
    Sounding,
    WarmStart,
    begin,
    check_tick,
    decision_age,
    heard,
    note_in_chord,
    open_melody,
    play,
    unplanned_frames,
)
from schema import client_messages as wire
from schema.chords import Chord
from schema.client_messages import Tick
from schema.codes import ErrorCode, ProtocolError
from schema.grid import WINDOW_FRAMES
from schema.melody import NoteEvent
from schema.plan import ChordPlan
from schema.tokens import NOTHING, chord_hold, chord_onset, note_hold, note_onset

C, G = Chord(0, "maj"), Chord(7, "maj")
NO_PLAN = Sounding(None, None, 0)


def planned(first_frame: int, *values: int, seq: int = 1, pitches: tuple[int, ...] = (36, 60), decided: int | None = 0) -> Planned:
    return Planned(seq, ChordPlan(first_frame, first_frame, values), (pitches,) * len(values), (decided,) * len(values))


def test_begin() -> None:
    """T4: a jam begins as far before its first tick as a tick may reach back, not before the grid."""
    assert begin(10) == Jam(0)
    assert begin(300) == Jam(44)


def test_melody_of_complete_frames() -> None:
    """G3: a note sounds until its key is released, at least in its own frame; the open frame waits for its events."""
    jam = play(Jam(0), 2, [NoteEvent(0, 60, True), NoteEvent(1, 62, True), NoteEvent(1, 62, False)], NO_PLAN)
    assert jam.melody == (note_onset(60), note_onset(62))
    assert open_melody(jam) == ()
    jam = play(jam, 5, [NoteEvent(2, 64, True), NoteEvent(4, 64, False)], NO_PLAN)
    assert jam.melody[2:] == (note_onset(64), note_hold(64), NOTHING)


def test_open_frame_collects_events() -> None:
    """T2: events of one frame may come with two ticks; the first note wins, so it is known from then on."""
    jam = play(Jam(0), 1, [NoteEvent(1, 60, True)], NO_PLAN)
    assert open_melody(jam) == (note_onset(60),)
    jam = play(jam, 2, [NoteEvent(1, 60, False), NoteEvent(1, 67, True)], NO_PLAN)
    assert jam.melody == (NOTHING, note_onset(60))
    assert jam.melody_before == NOTHING


def test_chords_follow_the_plan_that_sounds() -> None:
    """T5: below `from_frame` the earlier plan sounds, then the new one; what neither covers is held."""
    sounding = Sounding(planned(1, chord_onset(C), chord_hold(C)), planned(4, chord_onset(G), seq=2, pitches=(43, 62)), 3)
    jam = play(Jam(0), 5, (), sounding)
    assert jam.chords == (NOTHING, chord_onset(C), chord_hold(C), chord_hold(C), chord_onset(G), chord_hold(G))
    assert jam.voicing == (43, 62)
    assert unplanned_frames(sounding, range(1, 6)) == 2


def test_held_chord_keeps_its_pitches() -> None:
    """P4: a chord that goes on keeps the pitches it was struck with; one that was not running is struck."""
    running = Jam(0, chords=(chord_hold(C),), voicing=(36, 64))
    going_on = Sounding(None, planned(1, chord_hold(C), pitches=(36, 60)), 1)
    assert play(running, 1, (), going_on).voicing == (36, 64)
    assert play(Jam(0), 1, (), going_on).voicing == (36, 60)


def test_bounded() -> None:
    """H2: only the frames a plan can look at are kept."""
    jam = play(play(Jam(0), 256, (), NO_PLAN), 400, (), NO_PLAN)
    assert (len(jam.chords), len(jam.melody)) == (WINDOW_FRAMES, WINDOW_FRAMES - 1)
    assert jam.first_frame == 400 - len(jam.melody)


def test_decision_age() -> None:
    """P2: the age of a decision counts from the tick that chose freely; unknown without plan, and after a history."""
    sounding = Sounding(None, planned(4, chord_onset(C), decided=3), 4)
    assert decision_age(sounding, 4) == 1
    assert decision_age(sounding, 5) is None
    assert decision_age(NO_PLAN, 4) is None
    assert decision_age(Sounding(None, planned(4, chord_onset(C), decided=None), 4), 4) is None


def test_note_in_chord() -> None:
    """P5: judged are complete frames with a note over a chord, from `since` on or as far back as is known."""
    notes = (note_onset(60), note_onset(61), NOTHING, note_onset(64))
    jam = Jam(14, chords=(chord_onset(C), chord_hold(C), chord_hold(C), NOTHING, chord_onset(G)), melody=notes)
    assert note_in_chord(jam, 0) == (1, 2)
    assert note_in_chord(jam, 11) == (0, 1)


def test_heard() -> None:
    """P10: all melody so far, the open frame as it stands."""
    jam = play(Jam(0), 2, [NoteEvent(0, 60, True)], NO_PLAN)
    assert heard(jam) == [note_onset(60), note_hold(60), note_hold(60)]
    assert heard(play(jam, 3, [NoteEvent(3, 62, True)], NO_PLAN))[-1] == note_onset(62)
    assert heard(play(jam, 3, [NoteEvent(3, 60, False)], NO_PLAN))[-1] == NOTHING


# ---- warm start ----

WARM = WarmStart(2, (chord_onset(C), chord_hold(C), chord_onset(G), chord_hold(G)))


def test_warm_start_is_carried_on() -> None:
    """P10: a tick changes what has sounded, not what the silence is taken for."""
    assert play(Jam(0, warm_start=WARM), 5, (), NO_PLAN).warm_start == WARM


def test_silence_is_shown_as_the_warm_start() -> None:
    """P10: once a chord has sounded, the warm start stands where both are; before and after it N stays N."""
    rest = [NOTHING, NOTHING, chord_onset(C)]
    assert WARM.shown([NOTHING] * 6 + rest, 0) == [NOTHING] * 2 + list(WARM.chords) + rest
    assert WARM.shown([NOTHING] * 3 + rest, 3) == list(WARM.chords[1:]) + rest
    assert WARM.shown(rest, 6) == rest


def test_before_the_first_chord_silence_is_silence() -> None:
    """P10: the first chord is chosen as after a rest, however long the rest is."""
    assert WARM.shown([NOTHING] * 8, 0) == [NOTHING] * 8
    assert WARM.shown([NOTHING], 3) == [NOTHING]


def test_what_sounded_is_shown_as_it_was() -> None:
    """P10: from the first chord on that sounded, rests are the player's hearing, not silence to be filled."""
    assert WARM.shown([chord_onset(C), NOTHING, NOTHING], 2) == [chord_onset(C), NOTHING, NOTHING]
    assert WARM.shown([NOTHING, chord_onset(G), NOTHING], 2) == [chord_onset(C), chord_onset(G), NOTHING]


# ---- ticks ----


@pytest.mark.parametrize(
    ("tick", "code", "field"),
    [
        (Tick(6, 10), ErrorCode.BAD_FIELD, "seq"),
        (Tick(7, 9), ErrorCode.FRAME_BACKWARDS, "frame"),
        (Tick(7, 267), ErrorCode.FRAME_JUMP, "frame"),
        (Tick(7, 11, [wire.NoteEvent(9, 60, True)]), ErrorCode.BAD_EVENT, "events[0].frame"),
        (Tick(7, 12, [wire.NoteEvent(12, 60, True), wire.NoteEvent(11, 60, False)]), ErrorCode.BAD_EVENT, "events[1].frame"),
    ],
)
def test_ticks_that_break_a_rule(tick: Tick, code: ErrorCode, field: str) -> None:
    """T1, T2, T4: the path of the field and the tick's seq go with the error."""
    with pytest.raises(ProtocolError) as caught:
        check_tick(tick, Jam(10), least_frame=10, least_seq=7)
    assert (caught.value.code, caught.value.field, caught.value.seq) == (code, f"$.tick.{field}", tick.seq)


def test_ticks_that_keep_them() -> None:
    """T1, T2, T4: up to 256 frames ahead, events from the last tick's frame on."""
    check_tick(Tick(7, 266, [wire.NoteEvent(10, 60, True), wire.NoteEvent(266, 60, False)]), Jam(10), least_frame=10, least_seq=7)
