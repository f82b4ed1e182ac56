"""Golden messages: made by another encoder, read and written by ours."""

import json
from pathlib import Path
from typing import Any, get_args

import msgpack
import pytest

from schema.client_messages import ClientMessage, GatewayMessage
from schema.codec import JSON, MSGPACK, decode_client, decode_gateway, encode
from tests.schema.make_vectors import LOOSE, main, stale

FOLDER = Path(__file__).parents[2] / "schema/vectors"
VECTORS = json.loads((FOLDER / "messages.json").read_text())
DECODE = {"client": decode_client, "gateway": decode_gateway}
every = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


@every
def test_c1_both_subprotocols_say_the_same(vector: dict[str, Any]):
    """C1: the bytes another encoder wrote and the JSON text are one typed message."""
    decode = DECODE[vector["direction"]]
    message = decode(bytes.fromhex(vector["msgpack"]), MSGPACK)
    assert message == decode(json.dumps(vector["message"]), JSON)
    assert message == decode(json.dumps(vector["message"], ensure_ascii=False), JSON)


@every
def test_what_we_write_is_the_vector(vector: dict[str, Any]):
    """Our MessagePack is the independent encoder's byte for byte, our JSON its object; other legal encodings come back equal only."""
    message = DECODE[vector["direction"]](bytes.fromhex(vector["msgpack"]), MSGPACK)
    packed, text = bytes(encode(message, MSGPACK)), str(encode(message, JSON))
    if vector["name"].startswith(LOOSE):
        assert packed.hex() != vector["msgpack"]
        assert decode_client(msgpack.packb(msgpack.unpackb(packed)), MSGPACK) == message
    else:
        assert packed.hex() == vector["msgpack"]
        assert msgpack.unpackb(packed) == vector["message"] == json.loads(text)
        assert list(json.loads(text)) == list(vector["message"])


def test_every_message_type_has_a_vector():
    """Each direction has vectors for each of its message types; names are unique; each file stays small."""
    for direction, union in (("client", ClientMessage), ("gateway", GatewayMessage)):
        told = {v["message"]["type"] for v in VECTORS if v["direction"] == direction}
        assert told == {t.__struct_config__.tag for t in get_args(union)}
    assert len({(v["direction"], v["name"]) for v in VECTORS}) == len(VECTORS)
    assert all(path.stat().st_size < 60_000 for path in FOLDER.glob("*.json"))


def test_vectors_are_not_stale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`make_vectors.py --check` passes on the files as they are and names those that are missing or changed."""
    assert stale() == []
    assert main(["--check"]) is None
    monkeypatch.setattr("tests.schema.make_vectors.FOLDER", tmp_path / "vectors")
    assert main([]) is None
    (tmp_path / "vectors/plans.json").write_text("{}")
    (tmp_path / "vectors/melody.json").unlink()
    assert main(["--check"]) == "stale: plans.json, melody.json; run python tests/schema/make_vectors.py"
