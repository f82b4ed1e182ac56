"""Bytes and messages: identity both ways, and a sentence for everything that is not a message."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.client_messages import SUBPROTOCOLS, ClientMessage, Error, GatewayMessage
from schema.codec import (
    JSON,
    MSGPACK,
    decode_answers,
    decode_call,
    decode_client,
    decode_gateway,
    encode,
    encode_answers,
    encode_call,
)
from schema.codes import ErrorCode, ProtocolError
from schema.engine_messages import PlanAnswers, PlanCall
from tests.schema_strategies import (
    CLIENT_TYPES,
    FEW,
    GATEWAY_TYPES,
    SOME,
    client_messages,
    gateway_messages,
    json_values,
    of_type,
)

both = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
EVENT = {"frame": 0, "pitch": 60, "on": True}


def wire(body: Any, subprotocol: str) -> bytes | str:
    """Any object as an independent encoder writes it."""
    return msgpack.packb(body) if subprotocol == MSGPACK else json.dumps(body)


def problem_of(decode: Callable[[bytes | str, str], object], data: bytes | str, subprotocol: str) -> ProtocolError | None:
    """What is wrong with the data, checked to be one sentence that can be sent back; None if it is a message."""
    try:
        decode(data, subprotocol)
    except ProtocolError as error:
        problem = error
    else:
        return None
    assert_sentence(problem)
    answer = Error(code=problem.code, message=str(problem), field=problem.field, seq=problem.seq)
    assert [decode_gateway(encode(answer, way), way) for way in SUBPROTOCOLS] == [answer, answer]
    return problem


def refusal(data: bytes | str, subprotocol: str) -> ProtocolError:
    """The ProtocolError of data that no client may send."""
    problem = problem_of(decode_client, data, subprotocol)
    assert problem is not None
    return problem


def assert_sentence(problem: ProtocolError) -> None:
    text = str(problem)
    assert text.isprintable(), text
    assert "expected " in text
    assert ", got " in text
    assert "; " in text
    assert len(text) < 500
    assert len(problem.field) < 200


def survives(data: bytes | str, subprotocol: str) -> None:
    """Decoded, or refused with ProtocolError in one sentence; as a client's message and as a gateway's."""
    problem_of(decode_client, data, subprotocol)
    problem = problem_of(decode_gateway, data, subprotocol)
    assert problem is None or problem.code is ErrorCode.BAD_MESSAGE


@both
@pytest.mark.parametrize("kind", CLIENT_TYPES, ids=lambda t: t.__name__)
def test_c1_client_messages_come_back_equal(kind: type, subprotocol: str):
    """C1: decoding undoes encoding for every client message, in both subprotocols."""

    @FEW
    @given(of_type(kind))
    def holds(message: ClientMessage) -> None:
        assert decode_client(encode(message, subprotocol), subprotocol) == message

    holds()


@both
@pytest.mark.parametrize("kind", GATEWAY_TYPES, ids=lambda t: t.__name__)
def test_c1_gateway_messages_come_back_equal(kind: type, subprotocol: str):
    """C1: decoding undoes encoding for every gateway message, in both subprotocols."""

    @FEW
    @given(of_type(kind))
    def holds(message: GatewayMessage) -> None:
        assert decode_gateway(encode(message, subprotocol), subprotocol) == message

    holds()


@SOME
@given(client_messages | gateway_messages)
def test_c2_independent_decoders_read_what_we_write(message: ClientMessage | GatewayMessage):
    """C2: other decoders see one object whose `type` names the message, the same in both subprotocols."""
    packed, text = encode(message, MSGPACK), encode(message, JSON)
    assert isinstance(packed, bytes)
    assert isinstance(text, str)
    body = msgpack.unpackb(packed)
    assert body == json.loads(text)
    assert body["type"] == message.__struct_config__.tag


@FEW
@given(of_type(PlanCall), of_type(PlanAnswers))
def test_the_link_to_the_workers_comes_back_equal(call: PlanCall, answers: PlanAnswers):
    """Calls and answers of the engine link are read back as they were; anything else is a DecodeError."""
    assert decode_call(encode_call(call)) == call
    assert decode_answers(encode_answers(answers)) == answers
    for decode, other in ((decode_call, encode_answers(answers)), (decode_answers, encode_call(call))):
        with pytest.raises(msgspec.DecodeError):
            decode(other)


FACTS = [  # body, code, field, seq
    ({"type": "tick", "seq": 7, "frame": 1, "x": 1}, ErrorCode.BAD_FIELD, "$.tick.x", 7),
    ({"type": "tick", "seq": 7, "frame": 1, "events": [EVENT | {"x": 1}]}, ErrorCode.BAD_FIELD, "$.tick.events[0].x", 7),
    ({"type": "bye", "x": 1}, ErrorCode.BAD_FIELD, "$.bye.x", None),
    ({"type": "tick", "seq": 7}, ErrorCode.BAD_FIELD, "$.tick.frame", 7),
    ({"type": "tick", "frame": 7}, ErrorCode.BAD_FIELD, "$.tick.seq", None),
    ({"type": "tick", "seq": 7, "frame": 1, "applied": {"seq": 1}}, ErrorCode.BAD_FIELD, "$.tick.applied.from_frame", 7),
    ({"type": "history", "frame": 1}, ErrorCode.BAD_FIELD, "$.history.first_frame", None),
    ({"type": "nonsense", "seq": 7}, ErrorCode.UNKNOWN_TYPE, "$.type", 7),
    ({"type": "plan", "seq": 7}, ErrorCode.UNKNOWN_TYPE, "$.type", 7),
    ({"type": 3}, ErrorCode.UNKNOWN_TYPE, "$.type", None),
    ({"type": None}, ErrorCode.UNKNOWN_TYPE, "$.type", None),
    ({"seq": 7}, ErrorCode.UNKNOWN_TYPE, "$.type", 7),
    ({}, ErrorCode.UNKNOWN_TYPE, "$.type", None),
    ({"type": "tick", "seq": 7, "frame": -1}, ErrorCode.BAD_FIELD, "$.tick.frame", 7),
    ({"type": "tick", "seq": 7, "frame": 10_000_001}, ErrorCode.BAD_FIELD, "$.tick.frame", 7),
    ({"type": "tick", "seq": 7, "frame": 1, "events": [EVENT, EVENT | {"pitch": 128}]}, ErrorCode.BAD_FIELD, "$.tick.events[1].pitch", 7),
    ({"type": "tick", "seq": 7, "frame": 1, "events": [EVENT] * 65}, ErrorCode.BAD_FIELD, "$.tick.events", 7),
    ({"type": "configure", "commit_beats": 9}, ErrorCode.BAD_FIELD, "$.configure.commit_beats", None),
    ({"type": "configure", "bpm": 19.9}, ErrorCode.BAD_FIELD, "$.configure.bpm", None),
    ({"type": "hello", "client": "x" * 65}, ErrorCode.BAD_FIELD, "$.hello.client", None),
    ({"type": "history", "frame": 4, "first_frame": 0, "seed": 2**32}, ErrorCode.BAD_FIELD, "$.history.seed", None),
    ({"type": "tick", "seq": True, "frame": 1}, ErrorCode.BAD_FIELD, "$.tick.seq", None),
    ({"type": "tick", "seq": 1.5, "frame": 1}, ErrorCode.BAD_FIELD, "$.tick.seq", None),
    ({"type": "tick", "seq": -1, "frame": 1}, ErrorCode.BAD_FIELD, "$.tick.seq", None),
    ({"type": "tick", "seq": 2**53, "frame": 1}, ErrorCode.BAD_FIELD, "$.tick.seq", None),
    ({"type": "tick", "seq": 2**64 - 1, "frame": 1}, ErrorCode.BAD_FIELD, "$.tick.seq", None),
    ({"type": "tick", "seq": 7, "frame": "1"}, ErrorCode.BAD_FIELD, "$.tick.frame", 7),
    ({"type": "tick", "seq": 7, "frame": 1.0}, ErrorCode.BAD_FIELD, "$.tick.frame", 7),
    ({"type": "tick", "seq": 7, "frame": 1, "applied": 3}, ErrorCode.BAD_FIELD, "$.tick.applied", 7),
    ({"type": "configure", "density": "loud"}, ErrorCode.BAD_FIELD, "$.configure.density", None),
    ({"type": "configure", "density": "field `x`"}, ErrorCode.BAD_FIELD, "$.configure.density", None),
    ({"type": "reset", "missing required field `type`": 1}, ErrorCode.BAD_FIELD, "$.reset['missing required field `type`']", None),
    ({"type": "reset", "a\nb": 1}, ErrorCode.BAD_FIELD, "$.reset['a\\nb']", None),
    ({"type": "reset", "q" * 9000: 1}, ErrorCode.BAD_FIELD, f"$.reset['{'q' * 56}...]", None),
]


@both
@pytest.mark.parametrize(("body", "code", "field", "seq"), FACTS, ids=[str(f[2])[:40] + f"/{f[3]}" for f in FACTS])
def test_c2_refused_with_code_path_and_seq(body: Any, code: ErrorCode, field: str, seq: int | None, subprotocol: str):
    """C2, E1: unknown, missing, mistyped and out-of-range fields and unknown types are told by code, path and seq."""
    problem = refusal(wire(body, subprotocol), subprotocol)
    assert (problem.code, problem.field, problem.seq) == (code, field, seq)


SENTENCES = [
    ({"type": "tick", "seq": 7, "frame": -1}, "$.tick.frame: expected int >= 0, got -1; mend the field at the given path"),
    ({"type": "tick", "seq": 7, "frame": "\n"}, "$.tick.frame: expected int, got '\\n'; mend the field at the given path"),
    ({"type": "tick", "seq": 7}, "$.tick.frame: expected this field, got nothing; mend the field at the given path"),
    ({"type": "bye", "now": True}, "$.bye.now: expected only listed fields, got an unknown field; mend the field at the given path"),
    ({"type": "chat"}, "$.type: expected a type of client message, got 'chat'; use one of the listed types"),
    ({}, "$.type: expected a type of client message, got None; use one of the listed types"),
    (
        {"type": "configure", "style": "polka"},
        "$.configure.style: expected one of unspecified, pop, standards, rock, folk, got 'polka'; mend the field at the given path",
    ),
    (
        {"type": "configure", "voicing": "x" * 99},
        f"$.configure.voicing: expected one of led, close, got '{'x' * 56}...; mend the field at the given path",
    ),
    (
        {"type": "tick", "seq": 1, "frame": 0, "events": [EVENT | {"pitch": 200}]},
        "$.tick.events[0].pitch: expected int <= 127, got 200; mend the field at the given path",
    ),
    (
        {"type": "history", "frame": 4, "first_frame": 0, "chords": [{"start": 0, "length": 0, "symbol": "C"}]},
        "$.history.chords[0].length: expected int >= 1, got 0; mend the field at the given path",
    ),
    (
        {"type": "history", "frame": 4, "first_frame": 0, "plan": {"seq": 1, "committed_until": 9, "chords": []}},
        "$.history.plan.chords: expected array of length >= 1, got []; mend the field at the given path",
    ),
]


@both
@pytest.mark.parametrize(("body", "sentence"), SENTENCES, ids=range(len(SENTENCES)))
def test_e1_the_sentence_says_expected_got_and_what_to_do(body: Any, sentence: str, subprotocol: str):
    """E1: the exact sentence, the same in both subprotocols."""
    assert str(refusal(wire(body, subprotocol), subprotocol)) == sentence


@pytest.mark.parametrize(
    ("data", "subprotocol", "sentence"),
    [
        ("{}", MSGPACK, "expected a binary message (sideman.v1.msgpack), got a text message; mend the encoder"),
        (b"{}", JSON, "expected a text message (sideman.v1.json), got a binary message; mend the encoder"),
        ("", JSON, "expected one JSON object, got Input data was truncated; mend the encoder"),
        (b"", MSGPACK, "expected one MessagePack object, got Input data was truncated; mend the encoder"),
    ],
)
def test_c1_unreadable_bytes_are_bad_messages(data: bytes | str, subprotocol: str, sentence: str):
    """C1: text where bytes belong, bytes where text belongs, and nothing at all, to client and gateway alike."""
    problem = refusal(data, subprotocol)
    assert (problem.code, problem.field, problem.seq, str(problem)) == (ErrorCode.BAD_MESSAGE, "", None, sentence)
    with pytest.raises(ProtocolError) as caught:
        decode_gateway(data, subprotocol)
    assert caught.value.got == problem.got


HOSTILE_TEXT = [
    "[" * 100_000,
    '{"type":' * 20_000,
    '{"type":"tick","seq":1,"frame":1}x',
    '{"type":"tick","seq":1,"frame":NaN}',
    '{"type":"configure","bpm":1e999}',
    '{"type":"tick","seq":1,"frame":' + "9" * 4_299 + "}",
    '{"type":"tick","seq":' + "9" * 4_301 + ',"frame":1}',
    '{"type":"tick","seq":-' + "9" * 400 + ',"frame":1}',
    '{"type":"hello","client":"\\ud800"}',
    '{"type":"hello","client":"\ud800"}',
    '{"type":"ti\\nck"}',
    '{"frame":-1,"type":"tick","type":"a\\nb"}',
    '{"type":"tick","seq":1,"events":[{"frame":-1,"pitch":1,"on":true}],"events":[],"frame":0}',
    '{"type":"tick","seq":1,"events":[{"frame":-1,"pitch":1,"on":true}],"events":3,"frame":0}',
    "\ufeff{}",
    "null",
    "[]",
    "3",
    '"hello"',
]
HOSTILE_BYTES = [
    b"\xc1",
    b"\x91" * 100_000,
    b"\x81\xa4type" * 20_000,
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\x81\xa4type\xa4ti\xff\xff",
    b"\x82\xa4type\xa4tick\xa1\xff\x01",
    b"\x82\xa4type\xa4tick\x91\x01\x01",
    b"\x82\xa4type\xa4tick\x81\x01\x01\x01",
    b"\x82\xa4type\xa4tick\xa5frame\x81\x81\x01\x01\x01",
    b"\x82\xa4type\xa4tick\xa5frame\xc7\x02\x05\x00\x00",
    msgpack.packb({"type": "reset"}) + b"\x00",
    msgpack.packb({"type": b"tick"}),
    msgpack.packb({1: "tick"}),
    msgpack.packb({"type": "tick", "seq": 1, "frame": msgpack.Timestamp(2**50, 1)}),
    msgpack.packb({"type": "tick", "seq": 1, "frame": b"\xff\n"}),
    *[msgpack.packb({"type": "configure", "bpm": x}) for x in (float("nan"), float("inf"), -float("inf"))],
    msgpack.packb({"type": "tick", "seq": 1, "frame": 0, "round_trip_ms": float("nan")}),
]


@pytest.mark.parametrize("data", [*HOSTILE_TEXT, *HOSTILE_BYTES], ids=range(len(HOSTILE_TEXT) + len(HOSTILE_BYTES)))
def test_hostile_messages_are_refused(data: bytes | str):
    """Deep, huge, broken, ambiguous: every one is refused with ProtocolError in one printable sentence of bounded length."""
    subprotocol = JSON if isinstance(data, str) else MSGPACK
    refusal(data, subprotocol)
    survives(data, subprotocol)


def test_no_depth_of_nesting_escapes():
    """Where the decoders' own limit lies depends on the stack: just below it the value can be read but not shown."""
    for depth in range(900, 1010):
        refusal('{"type":"tick","seq":7,"frame":' + "[" * depth + "]" * depth + "}", JSON)
        refusal(b"\x82\xa4type\xa4tick\xa5frame" + b"\x91" * depth + b"\x01", MSGPACK)


def test_extension_values_show_no_memory_address():
    """An extension value is told by its code and size."""
    problem = refusal(msgpack.packb({"type": "tick", "seq": 1, "frame": [msgpack.ExtType(3, b"abc")]}), MSGPACK)
    assert problem.got == "['extension 3 of 3 bytes']"


@SOME
@given(st.binary(max_size=80), st.text(max_size=80))
def test_random_input_never_escapes(data: bytes, text: str):
    """Random bytes and random text give a message or ProtocolError, nothing else."""
    survives(data, MSGPACK)
    survives(text, JSON)


@SOME
@given(client_messages | gateway_messages, st.data())
def test_damaged_messages_never_escape(message: ClientMessage | GatewayMessage, data: st.DataObject):
    """Truncated and altered messages give a message or ProtocolError; a truncated one is always refused."""
    packed, text = bytes(encode(message, MSGPACK)), str(encode(message, JSON))
    cut = data.draw(st.integers(0, len(text) - 1))
    refusal(packed[: min(cut, len(packed) - 1)], MSGPACK)
    refusal(text[:cut], JSON)
    altered = bytearray(packed)
    altered[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    survives(bytes(altered), MSGPACK)
    survives(text[:cut] + data.draw(st.characters()) + text[cut + 1 :], JSON)


fields = st.sampled_from(["type", "seq", "frame", "events", "chords", "bpm", "applied", "x"])


@SOME
@given(client_messages | gateway_messages, fields, json_values)
def test_wrong_values_never_escape(message: ClientMessage | GatewayMessage, field: str, value: Any):
    """Any value in any field, NaN and huge numbers included, gives a message or ProtocolError."""
    body = msgpack.unpackb(bytes(encode(message, MSGPACK))) | {field: value}
    survives(json.dumps(body), JSON)
    with suppress(OverflowError):  # MessagePack has no whole numbers beyond 64 bits
        survives(msgpack.packb(body), MSGPACK)
