"""What sounds in each frame, what ticks report, and what a history says; hand-made plans, golden vectors and random jams."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sideman_client.errors import EventOutOfOrder
from sideman_client.generated.messages import (
    Applied,
    ChordRun,
    Keep,
    MelodyRun,
    NoteEvent,
    PendingPlan,
    Plan,
    Settings,
    SymbolRun,
    Timing,
)
from sideman_client.jam import Jam, run_at

VECTORS = Path(__file__).parents[3] / "schema/vectors"
MELODY: list[dict[str, Any]] = json.loads((VECTORS / "melody.json").read_text("utf-8"))
SOUNDING: list[dict[str, Any]] = json.loads((VECTORS / "plans.json").read_text("utf-8"))["sounding"]
TIMING = Timing(1.0, 0.0, 0.0, 1, 1.0, 1)
AT_ONCE = Settings(silence_beats=0)


def plan(seq: int, first_frame: int, *runs: tuple[int, str, bool], committed: int = 0) -> Plan:
    """A plan of adjoining runs (length, symbol, onset); a chord's only pitch is its length of name, to tell chords apart."""
    chords, start = [], first_frame
    for length, symbol, onset in runs:
        chords.append(ChordRun(start, length, symbol, [] if symbol == "N" else [36 + len(symbol)], onset))
        start += length
    return Plan(seq, first_frame, first_frame + committed, chords, TIMING)


def sounds(jam: Jam, first: int, end: int) -> str:
    """Frames as text: `C!` struck, `C` held, `.` no chord."""
    frames = [jam.begin_frame(frame) for frame in range(first, end)]
    return " ".join("." if f.symbol == "N" else f.symbol + "!" * f.struck for f in frames)


def press(frame: int, pitch: int) -> NoteEvent:
    return NoteEvent(frame, pitch, True)


def release(frame: int, pitch: int) -> NoteEvent:
    return NoteEvent(frame, pitch, False)


@pytest.mark.parametrize("vector", SOUNDING, ids=[vector["name"] for vector in SOUNDING])
def test_p3_p4_p5_golden_sounding(vector: dict[str, Any]):
    jam = Jam()
    heard = []
    for frame in range(vector["from_frame"] + len(vector["frames"])):
        chord = jam.begin_frame(frame)
        heard.append({"symbol": chord.symbol, "onset": chord.struck})
        for told in vector["plans"]:
            if told["arrives_in"] == frame:
                runs = [(run["length"], run["symbol"], run["onset"]) for run in told["chords"]]
                jam.receive(plan(told["seq"], told["first_frame"], *runs))
    assert heard[vector["from_frame"] :] == vector["frames"]


@pytest.mark.parametrize("vector", MELODY, ids=[vector["name"] for vector in MELODY])
def test_g3_golden_melody(vector: dict[str, Any]):
    jam = Jam()
    for event in vector["events"]:
        jam.note(NoteEvent(event["frame"], event["pitch"], event["on"]))
    expected = [MelodyRun(run["start"], run["length"], run["pitch"]) for run in vector["melody"]]
    assert jam.melody_runs(0, len(vector["values"])) == expected


def test_p5_a_frame_without_a_plan_goes_on_and_keeps_its_pitches():
    jam = Jam(AT_ONCE)
    jam.receive(plan(1, 1, (2, "C", True)))
    assert sounds(jam, 0, 5) == ". C! C C C"
    assert [(f.planned, f.pitches) for f in jam.frames[2:5]] == [(True, (37,)), (False, (37,)), (False, (37,))]


def test_p3_an_older_plan_never_replaces_a_newer_one():
    jam = Jam(AT_ONCE)
    jam.receive(plan(2, 1, (4, "C", True)))
    jam.receive(plan(1, 1, (4, "G", True)))
    assert sounds(jam, 0, 3) == ". C! C"


def test_a_frame_that_has_begun_never_changes():
    jam = Jam(AT_ONCE)
    first = jam.begin_frame(3)
    jam.receive(plan(1, 1, (8, "C", True)))
    assert jam.begin_frame(3) is first
    assert sounds(jam, 0, 5) == ". . . . C!"


def test_p7_late_frames_are_counted_once_plans_are_due():
    jam = Jam(Settings(silence_beats=2))
    for frame in range(4):  # the tick of frame 3 is the first that asks for a plan (P7)
        jam.begin_frame(frame)
        jam.tick(frame)
    assert jam.late_frames == 0
    assert jam.begin_frame(4).late
    jam.tick(4)
    jam.receive(plan(4, 4, (4, "N", False), (8, "C", True)))  # answers the tick of 3: still one behind
    assert jam.begin_frame(5).late
    jam.receive(plan(6, 6, (2, "N", False), (8, "C", True)))
    assert not jam.begin_frame(6).late
    assert jam.late_frames == 2


def test_p6_listening_is_not_late():
    jam = Jam(AT_ONCE)
    jam.begin_frame(0)
    jam.receive(Keep(jam.tick(0).seq, "listening"))
    assert not jam.begin_frame(1).late
    jam.receive(Keep(jam.tick(1).seq, "late"))
    assert jam.begin_frame(2).late


def test_t2_a_tick_reports_each_event_once_and_none_of_later_frames():
    jam = Jam()
    for event in (press(0, 60), release(2, 60), press(2, 62), press(5, 64)):
        jam.note(event)
    assert jam.tick(1).events == [press(0, 60)]
    assert jam.tick(2).events == [release(2, 60), press(2, 62)]
    assert jam.tick(3).events == []
    assert jam.tick(5).events == [press(5, 64)]
    assert [jam.tick(frame).seq for frame in (6, 7)] == [5, 6]


def test_g3_events_that_change_nothing_are_not_reported():
    jam = Jam()
    for event in (press(0, 60), press(0, 64), release(1, 64), release(1, 60), release(1, 60)):
        jam.note(event)
    assert jam.tick(1).events == [press(0, 60), release(1, 60)]


def test_t2_an_event_older_than_the_last_tick_is_refused():
    jam = Jam()
    jam.tick(4)
    with pytest.raises(EventOutOfOrder) as refused:
        jam.note(press(3, 60))
    assert str(refused.value) == (
        "expected note events of frame 4 or later, got one of frame 3: "
        "stamp a note with the frame in which it happens, and report it at the next tick"
    )


def test_t5_a_tick_names_the_plan_and_the_frame_in_which_it_first_sounded():
    jam = Jam(AT_ONCE)
    assert jam.tick(0).applied is None
    jam.receive(plan(1, 1, (8, "C", True)))
    assert jam.tick(1, round_trip_ms=12.5).applied == Applied(1, 1)
    assert jam.tick(4).applied == Applied(1, 1)


def test_t4_a_long_jump_needs_a_history():
    jam = Jam()
    jam.tick(0)
    assert not jam.needs_history(256)
    assert jam.needs_history(257)
    for frame in range(40):
        jam.note(press(frame, 60))
        jam.note(release(frame, 60))
    assert jam.needs_history(40)
    assert not jam.needs_history(20)


def test_h2_a_history_says_what_was_played_and_what_sounded():
    jam = Jam(AT_ONCE)
    jam.seed, jam.bar_line = 7, 0
    for event in (press(0, 60), press(2, 62), release(3, 62), press(4, 64)):
        jam.note(event)
    jam.receive(plan(1, 1, (2, "C", True), (2, "C", True), (8, "G7", True), committed=8))
    jam.begin_frame(5)
    history = jam.history(5)
    assert history.melody == [MelodyRun(0, 2, 60), MelodyRun(2, 1, 62), MelodyRun(4, 1, 64)]
    assert history.chords == [SymbolRun(0, 1, "N"), SymbolRun(1, 2, "C"), SymbolRun(3, 2, "C"), SymbolRun(5, 1, "G7")]
    assert history.plan == PendingPlan(1, 9, [SymbolRun(6, 7, "G7", onset=False)])
    assert (history.frame, history.first_frame, history.seed) == (5, 0, 7)
    assert jam.tick(6).events == []


def test_h3_only_the_first_run_of_a_cut_history_goes_on():
    jam = Jam(AT_ONCE)
    jam.note(press(0, 60))
    jam.receive(plan(1, 1, (20, "C", True), (4, "G", True)))
    jam.begin_frame(22)
    history = jam.history(22, max_frames=10)
    assert history.chords == [SymbolRun(13, 8, "C", onset=False), SymbolRun(21, 2, "G")]
    assert history.melody == [MelodyRun(13, 9, 60)]
    assert history.first_frame == 13


def test_h4_a_plan_that_came_late_is_struck_after_the_resume():
    jam = Jam(AT_ONCE)
    jam.begin_frame(3)
    jam.receive(plan(4, 2, (6, "F", True)))
    assert jam.history(3).plan == PendingPlan(4, 2, [SymbolRun(4, 4, "F")])
    assert jam.tick(4).applied == Applied(4, 4)


def test_h4_a_plan_that_is_over_is_not_told_nor_named():
    jam = Jam(AT_ONCE)
    jam.receive(plan(1, 1, (2, "C", True)))
    jam.begin_frame(5)
    assert jam.history(5).plan is None
    assert jam.tick(6).applied is None


def test_h7_events_of_the_open_frame_are_told_after_a_history_and_a_lost_release_again():
    """H7: a note that began and was released in the frame before is released again, stamped `frame`."""
    jam = Jam()
    for event in (press(4, 60), release(4, 60)):
        jam.note(event)
    jam.tick(5)
    assert jam.history(5).melody == [MelodyRun(4, 1, 60)]
    assert jam.tick(6).events == [release(5, 60)]
    jam.note(press(6, 62))
    assert jam.tick(7).events == [press(6, 62)]
    jam.history(6)
    assert jam.tick(8).events == [press(6, 62)]


def test_s4_after_a_reset_old_plans_do_not_count():
    jam = Jam(AT_ONCE)
    jam.seed = 5
    jam.tick(0)
    fresh = jam.forgotten()
    fresh.receive(plan(1, 1, (8, "C", True)))
    assert (fresh.plan, fresh.seed, len(fresh.frames), fresh.tick(0).seq) == (None, 5, 0, 2)


def test_g4_the_bar_line_before_a_change_stays():
    jam = Jam(Settings(beats_per_bar=4))
    jam.follow_settings(Settings(beats_per_bar=3), None)
    assert jam.bar_line == 0
    jam.follow_settings(Settings(beats_per_bar=4), 30)
    assert jam.bar_line == 24
    jam.follow_settings(Settings(beats_per_bar=5), 41)
    assert jam.bar_line == 40


def test_the_next_chord_is_the_first_that_has_not_begun():
    jam = Jam(AT_ONCE)
    assert jam.next_chord() is None
    jam.receive(plan(1, 1, (4, "C", True), (4, "G", True)))
    jam.begin_frame(2)
    upcoming = jam.next_chord()
    assert upcoming is not None
    assert (upcoming.symbol, upcoming.start) == ("G", 5)


class Band:
    """A gateway's share of a random jam: legal plans (P1, P2) that arrive some frames late, or not at all."""

    def __init__(self, data: st.DataObject) -> None:
        self.lookahead = data.draw(st.integers(1, 12), label="lookahead")
        self.commit = data.draw(st.integers(0, self.lookahead), label="commit")
        self.data = data
        self.values: dict[int, tuple[str, bool]] = {}
        self.committed_until = 0

    def plan(self, seq: int, first_frame: int) -> Plan:
        end = max(first_frame + self.lookahead, self.committed_until)
        before = self.values.get(first_frame - 1, ("N", False))[0]
        for frame in range(first_frame, end):
            if frame >= self.committed_until or frame not in self.values:
                symbol = self.data.draw(st.sampled_from(["hold", "N", "C", "G7"]))
                self.values[frame] = (before, False) if symbol == "hold" else (symbol, symbol != "N")
            before = self.values[frame][0]
        self.committed_until = max(self.committed_until, first_frame + self.commit)
        return plan(seq, first_frame, *self._runs(first_frame, end), committed=self.committed_until - first_frame)

    def _runs(self, first: int, end: int) -> list[tuple[int, str, bool]]:
        runs: list[tuple[int, str, bool]] = []
        for frame in range(first, end):
            symbol, struck = self.values[frame]
            if runs and not struck and runs[-1][1] == symbol:
                runs[-1] = (runs[-1][0] + 1, symbol, runs[-1][2])
            else:
                runs.append((1, symbol, struck))
        return runs


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_p2_every_frame_has_one_chord_and_committed_chords_never_change(data: st.DataObject):
    jam, band = Jam(AT_ONCE), Band(data)
    arriving: dict[int, list[Plan]] = {}
    promised: dict[int, str] = {}
    for frame in range(data.draw(st.integers(1, 30), label="frames")):
        chord = jam.begin_frame(frame)
        assert (len(jam.frames), chord.frame) == (frame + 1, frame)
        assert promised.get(frame, chord.symbol) == chord.symbol
        delay = data.draw(st.sampled_from([0, 0, 0, 1, 3, None]))
        if delay is not None:
            arriving.setdefault(frame + delay, []).append(band.plan(jam.tick(frame).seq, frame + 1))
        for plan_now in arriving.get(frame, []):
            jam.receive(plan_now)
            for ahead in range(max(frame + 1, plan_now.first_frame), plan_now.committed_until):
                run = run_at(plan_now, ahead)
                assert run is not None
                assert promised.setdefault(ahead, run.symbol) == run.symbol
        check_history(jam, frame)


def check_history(jam: Jam, frame: int) -> None:
    """H2, H3: runs adjoin from first to last frame, and only the first may go on with something unseen."""
    history = jam.history(frame, 8)
    runs = history.chords
    assert [run.start for run in runs] + [frame + 1] == [history.first_frame] + [run.start + run.length for run in runs]
    assert all(run.onset or run.symbol == before.symbol for before, run in pairwise(runs))
    if history.plan is not None:
        runs = history.plan.chords
        assert runs[0].start == frame + 1
        assert runs[0].onset or runs[0].symbol == history.chords[-1].symbol


def test_a_warm_start_is_kept_for_the_gateway_and_never_sounds():
    """P10, H8: as a plan brought it, in every history that still reaches so far back; a reset forgets it."""
    jam = Jam(Settings(silence_beats=2))
    warm = [SymbolRun(0, 8, "F")]
    jam.receive(Plan(4, 4, 8, [ChordRun(4, 4, "N", [], False), ChordRun(8, 8, "C", [60], True)], TIMING, warm))
    jam.receive(Plan(5, 5, 9, [ChordRun(5, 3, "N", [], False), ChordRun(8, 8, "C", [60], True)], TIMING))
    jam.begin_frame(20)
    assert [frame.symbol for frame in jam.frames[:8]] == ["N"] * 8
    assert jam.history(20).warm_start == warm
    assert jam.history(20, 14).warm_start == warm
    assert jam.history(20, 13).warm_start == []
    assert jam.forgotten().warm_start == []
