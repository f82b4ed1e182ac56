"""Whole melodies beside the jam: one at a time, part by part."""

from typing import Any

import pytest

from gateway.session import Effects, Session
from schema.client_messages import Configure, Error, Harmonize, Harmonized, History, Keep, MelodyRun, Reset, SymbolRun, Tick
from schema.codes import ErrorCode
from schema.engine_messages import PlanReply, PlanRequest, unpack_values
from schema.tokens import NOTHING, chord_hold, chord_onset, note_onset
from tests.strategies import ALL_MODELS, HOLD, MODELS, STRIKE_C, C, asked, only, refusal, reply_to, session_with

LONG_C = (STRIKE_C, *[HOLD] * 999)


def a_melody(**changes: Any) -> Harmonize:
    given: dict[str, Any] = {"seq": 9, "frames": 300, "melody": [MelodyRun(1, 1, 60)]}
    return Harmonize(**given | changes)


def begun(session: Session, **changes: Any) -> PlanRequest:
    effects = session.receive(a_melody(**changes), 0.0)
    assert effects.messages == ()
    return asked(effects)


def test_parts() -> None:
    """W2: one part for each window, adjoining, until the melody ends."""
    session = session_with(ALL_MODELS)
    effects = session.receive_reply(reply_to(begun(session), LONG_C), 0.0)
    first = only(effects)
    assert isinstance(first, Harmonized)
    assert (first.seq, first.first_frame, first.until, first.frames) == (9, 0, 192, 300)
    request = asked(effects)
    assert (request.session, request.seq, request.window_start, request.first_frame) == ("s/harmonize", 9, 64, 192)
    effects = session.receive_reply(reply_to(request), 0.0)
    last = only(effects)
    assert (last.first_frame, last.until, effects.request) == (192, 300, None)
    assert [(run.symbol, run.onset, run.pitches == first.chords[0].pitches) for run in last.chords] == [("C", False, True)]
    assert begun(session, seq=3).seq == 3


def test_settings_as_they_are() -> None:
    """W1, W6: the request has the offline model, the seed, the settings of the moment and what is given."""
    session = session_with(ALL_MODELS)
    session.receive(Configure(temperature=0.2, beats_per_bar=3), 0.0)
    request = begun(session, frames=8, chords=[SymbolRun(0, 2, "C")], bar_line=2)
    session.receive(Configure(temperature=0.9), 0.0)
    assert (request.model, request.seed, request.temperature, request.beats_per_bar, request.bar_line) == ("offline", 7, 0.2, 3, 2)
    assert unpack_values(request.chords) == [chord_onset(C), chord_hold(C)]
    assert unpack_values(request.melody) == [NOTHING, note_onset(60), *[NOTHING] * 6]


def test_all_given() -> None:
    """W2, W3: where every chord is there already, the answer comes at once and nothing is under way."""
    session = session_with(ALL_MODELS)
    for seq in (1, 2):
        part = only(session.receive(a_melody(seq=seq, frames=8, chords=[SymbolRun(0, 8, "C")]), 0.0))
        assert (part.seq, part.first_frame, part.until) == (seq, 0, 8)


def test_beside_the_jam() -> None:
    """W1: ticks, resets and histories do not touch it, nor it them; replies are told apart by name."""
    session = session_with(ALL_MODELS, silence_beats=0)
    melody = begun(session, seq=1)
    plan = asked(session.receive(Tick(1, 0), 0.0))
    assert only(session.receive_reply(reply_to(plan), 0.0)).seq == 1
    session.receive(Tick(2, 1), 0.0)
    assert session.receive(Reset(), 0.0).messages[0] == Keep(2, "superseded")
    session.receive(History(0, 0, chords=[SymbolRun(0, 1, "N")]), 0.0)
    assert isinstance(only(session.receive_reply(reply_to(melody, LONG_C), 0.0)), Harmonized)


def test_one_at_a_time() -> None:
    """W4: another one is refused while the first is under way."""
    session = session_with(ALL_MODELS)
    begun(session)
    error = refusal(session, a_melody(seq=10))
    assert (error.code, error.field, error.seq) == (ErrorCode.BUSY, "$.harmonize", 10)
    assert str(error) == "$.harmonize: expected one at a time, got another; wait for its last part, then send again"


def test_no_offline_model() -> None:
    """W4: live models do not harmonise."""
    error = refusal(session_with(MODELS), a_melody())
    assert (error.code, error.field, error.seq) == (ErrorCode.UNKNOWN_MODEL, "$.harmonize", 9)


def test_bad_melody() -> None:
    """W3, E2: a message that is wrong is refused with its seq, and another may follow."""
    session = session_with(ALL_MODELS)
    error = refusal(session, a_melody(melody=[MelodyRun(299, 2, 60)]))
    assert (error.code, error.field, error.seq) == (ErrorCode.BAD_HISTORY, "$.harmonize.melody[0].length", 9)
    assert begun(session)


def test_hello_comes_first() -> None:
    """C3: a melody before hello is refused with its seq."""
    session = Session(session_id="s", seed=7, models=ALL_MODELS, settings=session_with()._settings, limits=session_with()._limits)
    error = refusal(session, a_melody())
    assert (error.code, error.seq) == (ErrorCode.HELLO_FIRST, 9)


@pytest.mark.parametrize("problem", ["", "no such model"])
def test_no_answer(problem: str) -> None:
    """W2, W4: one error with its seq ends it, after some parts too; then another may be sent."""
    session = session_with(ALL_MODELS)
    request = asked(session.receive_reply(reply_to(begun(session), LONG_C), 0.0))
    if problem:
        effects = session.receive_reply(PlanReply(request.session, request.seq, problem=problem), 0.0)
    else:
        effects = session.give_up(request.session, request.seq, "unavailable", 0.0)
    error = only(effects)
    assert isinstance(error, Error)
    assert (error.code, error.field, error.seq, error.retry) == (ErrorCode.UNAVAILABLE, "$.harmonize", 9, True)
    assert error.message.startswith("$.harmonize: expected chords from a worker in time, got none (unavailable); ")
    assert session.receive_reply(reply_to(request), 0.0) == Effects()
    assert session.give_up(request.session, request.seq, "late", 0.0) == Effects()
    assert begun(session)
