"""Our bytes are the golden ones, and the gateway's golden bytes are read; what is unknown is ignored."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sideman_client.codec import JSON, MSGPACK, decode, encode
from sideman_client.errors import UnreadableMessage
from sideman_client.generated.messages import ClientMessage, Keep, Plan

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "schema/vectors/messages.json").read_text("utf-8"))
KEEP = {"type": "keep", "seq": 3, "reason": "late"}


def named(direction: str) -> pytest.MarkDecorator:
    chosen = [vector for vector in VECTORS if vector["direction"] == direction]
    return pytest.mark.parametrize("vector", chosen, ids=[vector["name"] for vector in chosen])


@named("client")
def test_c1_client_messages_are_the_golden_bytes(vector: dict[str, Any]):
    message = msgspec.convert(vector["message"], ClientMessage)
    golden = bytes.fromhex(vector["msgpack"])
    assert msgspec.msgpack.decode(golden, type=ClientMessage) == message
    if not vector["name"].startswith("other encoding"):
        assert encode(message, MSGPACK) == golden
        assert json.loads(encode(message, JSON)) == vector["message"]


@named("gateway")
def test_c1_gateway_messages_are_read_from_the_golden_bytes(vector: dict[str, Any]):
    message = decode(bytes.fromhex(vector["msgpack"]), MSGPACK)
    assert msgspec.to_builtins(message) == vector["message"]
    assert decode(json.dumps(vector["message"]), JSON) == message


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
def test_fields_and_types_of_later_versions_are_ignored(subprotocol: str):
    assert decode(wire(KEEP | {"mood": "blue"}, subprotocol), subprotocol) == Keep(3, "late")
    assert decode(wire({"type": "applause", "loud": True}, subprotocol), subprotocol) is None


def test_unknown_fields_inside_a_plan_are_ignored():
    plan = next(vector["message"] for vector in VECTORS if vector["name"] == "plan, first of a jam")
    later = plan | {"chords": [run | {"colour": "warm"} for run in plan["chords"]], "timing": plan["timing"] | {"moon": 1}}
    assert decode(json.dumps(later), JSON) == decode(json.dumps(plan), JSON)
    assert isinstance(decode(json.dumps(later), JSON), Plan)


@pytest.mark.parametrize(
    ("data", "subprotocol", "sentence"),
    [
        ("{}", MSGPACK, "expected messages of sideman.v1.msgpack, got a text message: connect to a Sideman gateway"),
        (b"\x80", JSON, "expected messages of sideman.v1.json, got a binary message: connect to a Sideman gateway"),
        (
            b"\xc1",
            MSGPACK,
            "expected a gateway message, got MessagePack data is malformed: invalid opcode '\\xc1' (byte 0): update this "
            "package, or report it if the versions are the same",
        ),
        (
            '{"type": "keep"}',
            JSON,
            "expected a gateway message, got Object missing required field `seq`: update this package, or report it "
            "if the versions are the same",
        ),
        ("[" * 100_000, JSON, "RecursionError"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(data: bytes | str, subprotocol: str, sentence: str):
    with pytest.raises(UnreadableMessage) as refused:
        decode(data, subprotocol)
    if sentence != "RecursionError":
        assert str(refused.value) == sentence


def wire(message: dict[str, Any], subprotocol: str) -> bytes | str:
    return msgspec.msgpack.encode(message) if subprotocol == MSGPACK else json.dumps(message)
