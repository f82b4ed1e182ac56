"""Hypothesis strategies, sessions and small makers that several test files share. Pure."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from gateway.session import Effects, Session
from schema.chords import Chord
from schema.client_messages import (
    Applied,
    ClientMessage,
    Configure,
    Harmonize,
    Hello,
    History,
    Limits,
    MelodyRun,
    NoteEvent,
    PendingPlan,
    Plan,
    Settings,
    SymbolRun,
    Tick,
)
from schema.codes import ProtocolError
from schema.engine_messages import OFFLINE, ModelInfo, PlanReply, PlanRequest, pack_values, unpack_values
from schema.tokens import (
    HOLD_ACTION,
    NOTHING,
    NUM_CHORD_ACTIONS,
    NUM_CHORDS,
    chord_index,
    value_of,
)

MODELS = {"online": ModelInfo("online", "Online", 0.8), "rl": ModelInfo("rl", "RL-S", 1.1)}
ALL_MODELS = {**MODELS, "offline": ModelInfo("offline", OFFLINE, 0.7)}
LIMITS = Limits(16_384, 25.0, 50, 64, 1024)
C, G = Chord(0, "maj"), Chord(7, "maj")
STRIKE_C, STRIKE_G = 2 + chord_index(C), 2 + chord_index(G)  # actions
HOLD = HOLD_ACTION
SYMBOLS = ("N", "C", "Am", "F#m7b5", "Gsus4")

frames = st.integers(0, 600)
pitches = st.integers(60, 64)  # few, so that notes meet
chord_actions = st.lists(
    st.one_of(st.just(HOLD_ACTION), st.just(NOTHING), st.integers(0, NUM_CHORD_ACTIONS - 1)), min_size=1, max_size=12
)  # fmt: skip

configures = st.builds(
    Configure,
    bpm=st.none() | st.floats(20, 300),
    beats_per_bar=st.none() | st.integers(2, 12),
    model=st.none() | st.sampled_from(("online", "rl", "nobody")),
    temperature=st.none() | st.floats(0, 2),
    lookahead_beats=st.none() | st.integers(1, 8),
    commit_beats=st.none() | st.integers(0, 8),
    silence_beats=st.none() | st.integers(0, 16),
    density=st.none() | st.sampled_from(("unspecified", "busy")),
    style=st.none() | st.sampled_from(("unspecified", "folk")),
    voicing=st.none() | st.sampled_from(("led", "close")),
)

# Anything that decodes, most of it breaking some rule.
ticks = st.builds(
    Tick,
    seq=st.integers(0, 60),
    frame=frames,
    events=st.lists(st.builds(NoteEvent, frame=frames, pitch=pitches, on=st.booleans()), max_size=3),
    applied=st.none() | st.builds(Applied, seq=st.integers(0, 60), from_frame=frames),
)
symbol_runs = st.builds(
    SymbolRun, start=frames, length=st.integers(1, 40), symbol=st.sampled_from((*SYMBOLS, "H")), onset=st.booleans()
)  # fmt: skip
histories = st.builds(
    History,
    frame=frames,
    first_frame=frames,
    melody=st.lists(st.builds(MelodyRun, start=frames, length=st.integers(1, 40), pitch=pitches), max_size=3),
    chords=st.lists(symbol_runs, max_size=3),
    plan=st.none()
    | st.builds(PendingPlan, seq=st.integers(0, 60), committed_until=frames, chords=st.lists(symbol_runs, min_size=1, max_size=3)),
    bar_line=frames,
    warm_start=st.lists(symbol_runs, max_size=2),
)
harmonizes = st.builds(
    Harmonize,
    seq=st.integers(0, 60),
    frames=st.integers(1, 600),
    melody=st.lists(st.builds(MelodyRun, start=frames, length=st.integers(1, 40), pitch=pitches), max_size=3),
    chords=st.lists(symbol_runs, max_size=2),
    bar_line=frames,
)


def legal_chords(request: PlanRequest, actions: Sequence[int] = (HOLD_ACTION,)) -> list[int]:
    """Chord values a worker might plan: what is known stays, then the actions in turn, again and again."""
    known = unpack_values(request.chords)
    values = known[request.first_frame - request.window_start :]
    running = known[-1] if known else NOTHING
    while len(values) < request.lookahead_frames:
        running = value_of(actions[len(values) % len(actions)], running, NUM_CHORDS)
        values.append(running)
    return values


def reply_to(request: PlanRequest, actions: Sequence[int] = (HOLD_ACTION,)) -> PlanReply:
    """A worker's reply with `legal_chords`."""
    return PlanReply(request.session, request.seq, chords=pack_values(legal_chords(request, actions)))


def session_with(models: Mapping[str, ModelInfo] = MODELS, **settings: Any) -> Session:
    session = Session(session_id="s", seed=7, models=models, settings=Settings(model="online", **settings), limits=LIMITS)
    session.receive(Hello(), 0.0)
    return session


def on(frame: int, pitch: int = 60) -> NoteEvent:
    return NoteEvent(frame, pitch, True)


def off(frame: int, pitch: int = 60) -> NoteEvent:
    return NoteEvent(frame, pitch, False)


def asked(effects: Effects) -> PlanRequest:
    assert effects.request is not None
    return effects.request


def only(effects: Effects) -> Any:
    (message,) = effects.messages
    return message


def refusal(session: Session, message: ClientMessage) -> ProtocolError:
    """The error a message is refused with; the session is as before (E2)."""
    before = copy.deepcopy(vars(session))
    with pytest.raises(ProtocolError) as caught:
        session.receive(message, 9.0)
    assert vars(session) == before
    return caught.value


def play_frame(session: Session, frame: int, actions: tuple[int, ...] = (HOLD,), applied: Applied | None = None) -> Plan:
    """One tick, answered in time."""
    request = asked(session.receive(Tick(frame + 1, frame, applied=applied), 0.0))
    plan = only(session.receive_reply(reply_to(request, actions), 0.0))
    assert isinstance(plan, Plan)
    return plan
