"""Histories: what they mean, and how they are refused."""

from typing import Any

import pytest

from gateway.jam import Jam, WarmStart
from gateway.resume import MAX_PLAN_FRAMES, Resumed, resume
from schema.chords import Chord
from schema.client_messages import History, MelodyRun, PendingPlan, Settings, SymbolRun
from schema.codes import ErrorCode, ProtocolError
from schema.grid import WINDOW_FRAMES
from schema.plan import ChordPlan
from schema.tokens import NOTHING, chord_hold, chord_onset, note_hold, note_onset
from schema.voicing import voice

C, G = Chord(0, "maj"), Chord(7, "maj")
MAX_FRAMES = 1024


def history(**changes: Any) -> History:
    chords = [SymbolRun(10, 4, "N"), SymbolRun(14, 4, "C"), SymbolRun(18, 3, "C", False)]
    given: dict[str, Any] = {"frame": 20, "first_frame": 10, "chords": chords}
    return History(**given | changes)


def resumed(**changes: Any) -> Resumed:
    return resume(history(**changes), Settings(), MAX_FRAMES)


def pending(*chords: SymbolRun, until: int = 0) -> PendingPlan:
    return PendingPlan(3, until, list(chords))


def test_chords_and_melody() -> None:
    """H2: chords cover all frames up to and including `frame`, the melody those before it; gaps in it are rests."""
    jam = resumed(melody=[MelodyRun(12, 2, 60), MelodyRun(19, 1, 64)]).jam
    assert jam.frame == 20
    assert jam.chords == (NOTHING,) * 4 + (chord_onset(C),) + (chord_hold(C),) * 6
    assert jam.melody == (0, 0, note_onset(60), note_hold(60), 0, 0, 0, 0, 0, note_onset(64))
    assert (jam.melody_before, jam.events, jam.first_frame) == (note_onset(64), (), 10)
    assert jam.voicing == voice(C)


def test_first_frame_of_all() -> None:
    """H2: a history of one frame has a chord and no melody."""
    assert resumed(frame=0, first_frame=0, chords=[SymbolRun(0, 1, "N", False)]) == Resumed(Jam(0), None)


def test_first_run_may_go_on() -> None:
    """H3: the first run may continue a chord that began before the history."""
    assert resumed(chords=[SymbolRun(10, 11, "Cm7", False)]).jam.chords[0] == chord_hold(Chord(0, "min7"))


def test_no_chord_has_no_onset() -> None:
    """H3: N is neither struck nor held, so runs of N come with either `onset`."""
    chords = [SymbolRun(10, 4, "C"), SymbolRun(14, 4, "N", False), SymbolRun(18, 3, "N", True)]
    assert resumed(chords=chords).jam.chords[4:] == (NOTHING,) * 7


def test_long_history_is_cut() -> None:
    """H2: more than the window is accepted and not kept."""
    jam = resumed(frame=1023, first_frame=0, chords=[SymbolRun(0, 1024, "C")], melody=[MelodyRun(0, 1023, 60)]).jam
    assert jam.chords == (chord_hold(C),) * WINDOW_FRAMES
    assert jam.melody == (note_hold(60),) * (WINDOW_FRAMES - 1)


def test_pending_plan() -> None:
    """H4: of the plan the frames after `frame` count; a chord that is not running is struck."""
    planned = resumed(plan=pending(SymbolRun(15, 10, "C"), SymbolRun(25, 4, "G"), until=23)).planned
    assert planned is not None
    assert planned.seq == 3
    assert planned.plan == ChordPlan(21, 23, (chord_hold(C),) * 4 + (chord_onset(G),) + (chord_hold(G),) * 3)
    struck = resumed(plan=pending(SymbolRun(21, 2, "G", False))).planned
    assert struck is not None
    assert struck.plan == ChordPlan(21, 21, (chord_onset(G), chord_hold(G)))


def test_pending_rest() -> None:
    """H4: a run of N that began before is N."""
    planned = resumed(plan=pending(SymbolRun(15, 10, "N"))).planned
    assert planned is not None
    assert planned.plan.chords == (NOTHING,) * 4


def test_held_run_of_the_plan() -> None:
    """H4: a held run that began before goes on."""
    planned = resumed(plan=pending(SymbolRun(15, 10, "C", False))).planned
    assert planned is not None
    assert planned.plan.chords == (chord_hold(C),) * 4


def test_played_out_plan() -> None:
    """H4: a plan that lies before `frame` says nothing any more."""
    planned = resumed(plan=pending(SymbolRun(5, 10, "G"), until=12)).planned
    assert planned is not None
    assert planned.plan == ChordPlan(21, 21, ())


def test_warm_start() -> None:
    """H8: it may begin and end anywhere; none is none."""
    chords = [SymbolRun(8, 1, "N", False), SymbolRun(9, 14, "C"), SymbolRun(23, 2, "G")]
    warm_start = resumed(warm_start=chords).jam.warm_start
    assert warm_start == WarmStart(8, (NOTHING, chord_onset(C), *[chord_hold(C)] * 13, chord_onset(G), chord_hold(G)))
    assert resumed().jam.warm_start is None


@pytest.mark.parametrize(
    ("changes", "field", "expected", "got"),
    [
        ({"first_frame": 21}, "first_frame", "20 ($.history.frame) or less", "21"),
        ({"frame": 1034}, "first_frame", "11 or more: 1024 frames at most", "10"),
        ({"chords": [SymbolRun(10, 1024, "C")] * 2}, "chords", "11 frames", "2048 frames"),
        ({"chords": []}, "chords", "runs that end with frame 20 ($.history.frame)", "runs that end before 10"),
        ({"chords": [SymbolRun(10, 12, "C")]}, "chords", "runs that end with frame 20 ($.history.frame)", "runs that end before 22"),
        ({"chords": [SymbolRun(11, 10, "C")]}, "chords[0].start", "10, where the run before ends", "11"),
        ({"chords": [SymbolRun(10, 5, "C"), SymbolRun(14, 7, "G")]}, "chords[1].start", "15, where the run before ends", "14"),
        ({"chords": [SymbolRun(10, 11, "H")]}, "chords[0].symbol", "a chord symbol such as Cm7 or N", "'H'"),
        (
            {"chords": [SymbolRun(10, 5, "C"), SymbolRun(15, 6, "G", False)]},
            "chords[1].onset",
            "true, because the run before is another chord",
            "false",
        ),
        ({"melody": [MelodyRun(9, 1, 60)]}, "melody[0].start", "10 or later, where the run before ends", "9"),
        (
            {"melody": [MelodyRun(12, 3, 60), MelodyRun(14, 1, 60)]},
            "melody[1].start",
            "15 or later, where the run before ends",
            "14",
        ),
        ({"melody": [MelodyRun(19, 2, 60)]}, "melody[0].length", "an end at frame 20 ($.history.frame) or before", "[19, 21)"),
        ({"plan": pending(SymbolRun(22, 1, "C"))}, "plan.chords[0].start", "21 ($.history.frame + 1) or less", "22"),
        (
            {"plan": pending(SymbolRun(21, 1, "C"), SymbolRun(23, 1, "C"))},
            "plan.chords[1].start",
            "22, where the run before ends",
            "23",
        ),
        (
            {"plan": pending(SymbolRun(21, MAX_PLAN_FRAMES + 1, "C"))},
            "plan.chords",
            "an end at frame 53 or before",
            "an end at 54",
        ),
        (
            {"plan": pending(SymbolRun(21, 4, "C"), until=26)},
            "plan.committed_until",
            "25 or less, where the plan's chords end",
            "26",
        ),
        ({"warm_start": [SymbolRun(0, 1000, "C"), SymbolRun(1000, 25, "C")]}, "warm_start", "1024 frames at most", "1025 frames"),
        ({"warm_start": [SymbolRun(0, 5, "C"), SymbolRun(6, 1, "G")]}, "warm_start[1].start", "5, where the run before ends", "6"),
        ({"warm_start": [SymbolRun(0, 5, "H")]}, "warm_start[0].symbol", "a chord symbol such as Cm7 or N", "'H'"),
        ({"warm_start": [SymbolRun(0, 5, "C", False)]}, "warm_start[0].onset", "true, because nothing runs before", "false"),
    ],
)
def test_refused(changes: dict[str, Any], field: str, expected: str, got: str) -> None:
    """H2: gaps, overlaps and holds of what is not running are refused with path, expected and got (E1)."""
    with pytest.raises(ProtocolError) as caught:
        resumed(**changes)
    error = caught.value
    assert (error.code, error.field, error.expected, error.got) == (ErrorCode.BAD_HISTORY, f"$.history.{field}", expected, got)
