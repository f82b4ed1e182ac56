"""Hypothesis strategies for everything the schema agrees on: chords, values, events, and messages from their types."""

from functools import cache
from typing import Any, get_args

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import inspect

from schema.chords import QUALITY_NAMES, Chord
from schema.client_messages import ClientMessage, GatewayMessage
from schema.melody import NoteEvent
from schema.tokens import NUM_CHORDS, NUM_PITCHES, value_of

FEW = settings(max_examples=60, deadline=None)  # a busy machine must not fail a property
SOME = settings(max_examples=200, deadline=None)

chords = st.builds(Chord, st.integers(0, 11), st.sampled_from(QUALITY_NAMES))
semitones = st.integers(-24, 24)
counts = st.sampled_from([NUM_CHORDS, NUM_PITCHES])


@st.composite
def grammatical(draw: st.DrawFn, count: int, *, min_size: int = 0, max_size: int = 40, first_may_hold: bool = False) -> list[int]:
    """Values that obey the grammar, made from a few sounds so that holds and repeats are common."""
    sounds = draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=3))
    choice = st.sampled_from([0, 1, 1, 1, *(2 + sound for sound in sounds)])
    values: list[int] = []
    previous = 1 + sounds[0] if first_may_hold and draw(st.booleans()) else 0
    for action in draw(st.lists(choice, min_size=min_size, max_size=max_size)):
        previous = value_of(action, previous, count)
        values.append(previous)
    return values


@st.composite
def note_events(draw: st.DrawFn, num_frames: int = 24) -> list[NoteEvent]:
    """Key events in order of time, any pitches of a small set, ups without downs included."""
    events = draw(st.lists(st.builds(NoteEvent, st.integers(0, num_frames - 1), st.integers(58, 61), st.booleans()), max_size=30))
    return sorted(events, key=lambda event: event.frame)


@cache
def of_type(kind: type) -> st.SearchStrategy[Any]:
    """Any valid value of a message type, all of its bounds respected and often met exactly."""
    return _of(inspect.type_info(kind))


def _of(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.StructType():
            fields = {f.name: _of(f.type) if f.required else _of(f.type) | st.just(_default(f)) for f in info.fields}
            return st.builds(info.cls, **fields)
        case inspect.UnionType():
            return st.one_of([_of(t) for t in info.types])
        case inspect.ListType():
            return st.lists(_of(info.item_type), min_size=info.min_length or 0, max_size=min(info.max_length or 4, 4))
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.IntType():
            low, high = (-(2**63), 2**63 - 1) if info.ge is None else (info.ge, info.le)
            return st.integers(low, high) | st.sampled_from([low, high])
        case inspect.FloatType():
            return st.floats(info.ge, info.le, allow_nan=False, allow_infinity=False)
        case inspect.StrType():
            return st.text(min_size=info.min_length or 0, max_size=info.max_length or 40)
        case inspect.BytesType():
            return st.binary(max_size=40)
        case inspect.BoolType():
            return st.booleans()
        case _:
            return st.none()


def _default(field: inspect.Field) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


CLIENT_TYPES = get_args(ClientMessage)
GATEWAY_TYPES = get_args(GatewayMessage)
client_messages = st.one_of([of_type(t) for t in CLIENT_TYPES])
gateway_messages = st.one_of([of_type(t) for t in GATEWAY_TYPES])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
