"""When a jam begins warm, what the offline model is asked, and what comes of it."""

from typing import Any

import msgspec
import pytest

from gateway.jam import Jam, Planned, WarmStart
from gateway.planning import Situation
from gateway.warm_start import is_due, opening_request, settled
from schema.chords import Chord
from schema.client_messages import Settings
from schema.engine_messages import PlanReply, PlanRequest, pack_values
from schema.melody import NoteEvent
from schema.plan import ChordPlan
from schema.tokens import NOTHING, chord_hold, chord_onset, note_hold, note_onset

C = Chord(0, "maj")
SETTINGS = Settings(model="online", silence_beats=2)
NOTE = (NOTHING, note_onset(60), note_hold(60), NOTHING, note_onset(62))
PLAYED = Jam(5, chords=(NOTHING,) * 6, melody=NOTE, melody_before=NOTE[-1])


def situation_with(jam: Jam = PLAYED, previous: Planned | None = None, **settings: Any) -> Situation:
    return Situation(jam, previous, msgspec.structs.replace(SETTINGS, **settings), seed=1, bar_line=3)


A_PLAN = Planned(1, ChordPlan(4, 4, (NOTHING,)), ((),), (3,))


@pytest.mark.parametrize(
    ("situation", "due"),
    [
        (situation_with(), True),
        (situation_with(PLAYED._replace(melody=(NOTHING,) * 5, melody_before=NOTHING)), False),
        (situation_with(Jam(5, (NOTHING,) * 6, (NOTHING,) * 5, events=(NoteEvent(5, 60, True),))), True),
        (situation_with(PLAYED._replace(chords=(chord_onset(C), *[NOTHING] * 5))), False),
        (situation_with(PLAYED._replace(warm_start=WarmStart(0, (NOTHING,)))), False),
        (situation_with(previous=A_PLAN), False),
        (situation_with(silence_beats=1), False),
        (situation_with(silence_beats=3), False),
    ],
    ids=[
        "notes",
        "no notes",
        "a note just now",
        "a chord sounded",
        "warm already",
        "a plan was sent",
        "silence over",
        "silence made longer",
    ],
)
def test_due(situation: Situation, due: bool) -> None:
    """P10: with the first plan, if a note was heard and no chord; not after the silence."""
    assert is_due(situation) is due


def test_request() -> None:
    """P10: the offline model hears all of the melody, the open frame as it goes on, and has chords for all of it."""
    situation = situation_with(temperature=0.3, bpm=150.0, density="busy", style="rock", beats_per_bar=3)
    assert opening_request(situation, "offline", session="s/warm-start", seq=9, waited_ms=30.0) == PlanRequest(
        session="s/warm-start",
        seq=9,
        model="offline",
        seed=1,
        window_start=0,
        first_frame=0,
        lookahead_frames=6,
        chords=b"",
        melody=pack_values([*NOTE, note_hold(62)]),
        temperature=0.3,
        beats_per_bar=3,
        bar_line=3,
        density=5,
        style=3,
        slack_ms=50.0,
    )


def test_later_jam() -> None:
    """P10: a jam whose beginning is not known any more begins where it is known."""
    jam = PLAYED._replace(frame=29)
    request = opening_request(situation_with(jam, silence_beats=8), "offline", session="s", seq=1, waited_ms=0.0)
    assert (request.window_start, request.first_frame, request.lookahead_frames) == (24, 24, 6)


@pytest.mark.parametrize(
    ("ends", "rest"), [([chord_onset(C)], chord_hold(C)), ([chord_onset(C), chord_hold(C)], chord_hold(C)), ([NOTHING], NOTHING)]
)
def test_opening_and_the_rest(ends: list[int], rest: int) -> None:
    """P10: the offline model has the frames before the plan, and its last chord is held to the end of the silence; nothing else changes."""
    opening = (*[NOTHING] * (6 - len(ends)), *ends)
    situation = settled(PlanReply("s", 1, pack_values(opening)), situation_with())
    warm_start = WarmStart(0, (*opening, rest, rest))
    assert situation == situation_with(PLAYED._replace(warm_start=warm_start))
    assert warm_start.end_frame == 8


@pytest.mark.parametrize(
    ("values", "problem"),
    [([NOTHING] * 5, "expected 6 chords, got 5"), ([chord_hold(C)] * 6, "expected chords from the first one on")],
)
def test_broken_replies_are_bugs(values: list[int], problem: str) -> None:
    """P10: a reply of another length or against the grammar is a bug of ours."""
    with pytest.raises(AssertionError, match=problem):
        settled(PlanReply("s", 1, pack_values(values)), situation_with())
