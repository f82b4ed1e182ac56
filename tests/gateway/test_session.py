"""The jam's state machine, rule by rule: connection, settings, history. Ticks and plans are in `test_session_ticks`."""

from typing import Any

import pytest

from gateway.session import Effects, Session
from schema.client_messages import (
    Applied,
    Bye,
    ClientMessage,
    Configure,
    Configured,
    Hello,
    History,
    Keep,
    PendingPlan,
    Reset,
    Settings,
    SymbolRun,
    Tick,
    Welcome,
)
from schema.codes import BYE, ErrorCode
from schema.engine_messages import ModelInfo, pack_values, unpack_values
from schema.tokens import chord_hold, chord_onset
from tests.strategies import HOLD, LIMITS, MODELS, STRIKE_C, STRIKE_G, C, G, asked, on, only, play_frame, refusal, session_with

# ---- C ----


def test_hello_is_answered_by_welcome() -> None:
    """C4: welcome holds session, seed, models, settings and limits."""
    session = Session(session_id="s", seed=7, models=MODELS, settings=Settings(), limits=LIMITS)
    assert only(session.receive(Hello(), 0.0)) == Welcome("s", 7, 1, ["online", "rl"], Settings(), LIMITS)


@pytest.mark.parametrize(("message", "seq"), [(Tick(3, 0), 3), (Reset(), None)])
def test_hello_comes_first(message: ClientMessage, seq: int | None) -> None:
    """C3: anything before hello gets hello_first."""
    error = refusal(Session(session_id="s", seed=7, models=MODELS, settings=Settings(), limits=LIMITS), message)
    assert (error.code, error.seq) == (ErrorCode.HELLO_FIRST, seq)


def test_hello_comes_once() -> None:
    """C3: a second hello gets hello_first."""
    assert refusal(session_with(), Hello()).code == ErrorCode.HELLO_FIRST


def test_bye_closes() -> None:
    """C9: bye is answered by closing with 1000."""
    assert session_with().receive(Bye(), 0.0) == Effects(close=BYE)


# ---- S, G4 ----


def test_configure_before_the_first_tick() -> None:
    """S1: configured gives all settings, and frame 0 before the first tick."""
    answer = only(session_with().receive(Configure(bpm=96.0, beats_per_bar=3), 0.0))
    assert answer == Configured(Settings(model="online", bpm=96.0, beats_per_bar=3), 0)


def test_configured_names_the_next_plan() -> None:
    """S1: the first frame whose plan follows the settings is that of the next request, a waiting tick's included."""
    session = session_with(silence_beats=0)
    session.receive(Tick(0, 0), 0.0)
    assert only(session.receive(Configure(temperature=0.1), 0.0)).from_frame == 2
    session.receive(Tick(1, 1), 0.0)
    assert only(session.receive(Configure(temperature=0.2), 0.0)).from_frame == 2
    request = asked(session.give_up("s", 0, "late", 0.0))
    assert (request.first_frame, request.temperature) == (2, 0.2)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Configure(bpm=99.0, commit_beats=5), "$.configure.commit_beats"),
        (Configure(lookahead_beats=1), "$.configure.lookahead_beats"),
        (Configure(lookahead_beats=2, commit_beats=3), "$.configure.commit_beats"),
    ],
)
def test_commit_within_lookahead(message: Configure, field: str) -> None:
    """S2: a configure that would commit more than is planned is refused as a whole."""
    error = refusal(session_with(), message)
    assert (error.code, error.field) == (ErrorCode.BAD_SETTING, field)


def test_commit_error_text() -> None:
    """E1: the sentence says expected, got, what to do."""
    text = str(refusal(session_with(), Configure(commit_beats=5)))
    assert text == "$.configure.commit_beats: expected at most lookahead_beats = 4, got 5; mend the named setting"


@pytest.mark.parametrize(("models", "expected"), [(MODELS, "one of: online, rl"), ({}, "one of: no model yet")])
def test_unknown_model(models: dict[str, ModelInfo], expected: str) -> None:
    """E1: a model that is not here is refused with the list of those that are."""
    session = Session(session_id="s", seed=7, models=models, settings=Settings(), limits=LIMITS)
    session.receive(Hello(), 0.0)
    error = refusal(session, Configure(model="x"))
    assert (error.code, error.expected, error.got) == (ErrorCode.UNKNOWN_MODEL, expected, "'x'")


def test_model_brings_its_temperature() -> None:
    """S1: a model comes with its suggested temperature until the player chooses one."""
    session = session_with()
    assert only(session.receive(Configure(model="rl"), 0.0)).settings.temperature == 1.1
    assert only(session.receive(Configure(temperature=0.3), 0.0)).settings.temperature == 0.3
    assert only(session.receive(Configure(model="online"), 0.0)).settings.temperature == 0.3


def test_commit_is_not_given_back() -> None:
    """S3: with less lookahead and no commit, a plan still covers and keeps all that was committed."""
    session = session_with(silence_beats=0)
    first = play_frame(session, 0, (STRIKE_C, HOLD))
    session.receive(Configure(commit_beats=0, lookahead_beats=1), 0.0)
    second = play_frame(session, 1, (STRIKE_G,), Applied(1, 1))
    assert first.committed_until == second.committed_until == 9
    assert [(run.start, run.length, run.symbol) for run in second.chords] == [(2, 1, "C"), (3, 2, "C"), (5, 2, "C"), (7, 2, "C")]


def test_reset_keeps_the_settings() -> None:
    """S4: reset forgets the jam, answers with configured and supersedes what was unanswered."""
    session = session_with(silence_beats=0, beats_per_bar=3)
    session.receive(Tick(4, 50, [on(50)]), 0.0)
    session.receive(Tick(5, 51), 0.0)
    session.receive(Configure(beats_per_bar=4), 0.0)
    effects = session.receive(Reset(), 0.0)
    settings = Settings(model="online", silence_beats=0)
    assert effects.messages == (Keep(4, "superseded"), Keep(5, "superseded"), Configured(settings, 0))
    assert effects.acknowledged == 5
    request = asked(session.receive(Tick(6, 1), 0.0))
    assert (request.melody, request.chords, request.bar_line) == (pack_values([0]), pack_values([0, 0]), 0)
    assert refusal(session, Tick(5, 2)).field == "$.tick.seq"


def test_reset_before_anything() -> None:
    """S4: a reset of nothing is no error."""
    assert session_with().receive(Reset(), 0.0) == Effects((Configured(Settings(model="online"), 0),))


def test_new_bars_count_from_the_last_bar_line() -> None:
    """G4: if the number of beats changes, the last bar line before stays one; the same number changes nothing."""
    session = session_with(silence_beats=0, beats_per_bar=3)
    session.receive(Tick(0, 30), 0.0)
    session.receive(Configure(beats_per_bar=3), 0.0)
    session.receive(Configure(beats_per_bar=4), 0.0)
    session.give_up("s", 0, "busy", 0.0)
    assert asked(session.receive(Tick(1, 31), 0.0)).bar_line == 24


# ---- H ----


def a_history(**changes: Any) -> History:
    chords = [SymbolRun(0, 40, "N"), SymbolRun(40, 11, "C")]
    given: dict[str, Any] = {"frame": 50, "first_frame": 0, "chords": chords, "seed": 99, "bar_line": 2}
    return History(**given | changes)


def test_history_replaces_everything() -> None:
    """H1: after a history the session goes on from it. H6: it has no answer, but the ticks it overtakes have theirs."""
    session = session_with()
    session.receive(Tick(1, 40), 0.0)
    session.receive(Tick(2, 41), 0.0)
    effects = session.receive(a_history(), 0.0)
    assert effects == Effects((Keep(1, "superseded"), Keep(2, "superseded")), acknowledged=2)
    assert refusal(session, Tick(3, 49)).code == ErrorCode.FRAME_BACKWARDS
    effects = session.receive(Tick(3, 50), 0.0)
    assert effects.messages == ()
    request = asked(effects)
    assert (request.seed, request.bar_line, request.first_frame) == (99, 2, 51)
    assert unpack_values(request.chords) == [0] * 40 + [chord_onset(C)] + [chord_hold(C)] * 10
    assert len(unpack_values(request.melody)) == 50


def test_history_without_seed() -> None:
    """H5: a history that names no seed keeps the session's."""
    session = session_with()
    session.receive(a_history(seed=None), 0.0)
    assert asked(session.receive(Tick(1, 50), 0.0)).seed == 7


def test_history_with_a_plan() -> None:
    """H4: the plan the client holds binds, sounds on, and may be named in `applied`."""
    session = session_with()
    pending = PendingPlan(7, 54, [SymbolRun(50, 3, "C", False), SymbolRun(53, 14, "G")])
    assert session.receive(a_history(plan=pending), 0.0) == Effects()
    assert refusal(session, Tick(7, 51)).field == "$.tick.seq"
    effects = session.receive(Tick(8, 51, applied=Applied(7, 44)), 0.0)
    assert effects.decision_age_frames is None
    assert unpack_values(asked(effects).chords)[50:] == [chord_hold(C), chord_hold(C), chord_hold(C), chord_onset(G)]


def test_history_refused() -> None:
    """E2: a bad history changes nothing."""
    session = session_with()
    session.receive(Tick(1, 40), 0.0)
    assert refusal(session, a_history(chords=[])).code == ErrorCode.BAD_HISTORY
