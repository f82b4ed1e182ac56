"""Bytes to messages and back, for both subprotocols and for the link to the workers. Pure.

Decoding is the one place where client messages are validated. Whatever is wrong with the bytes, the only
exception that leaves this file is ProtocolError.
"""

import re
from typing import Any, get_args

import msgspec

from schema.client_messages import MAX_SEQ, SUBPROTOCOLS, ClientMessage, Density, GatewayMessage, Style, Voicing
from schema.codes import ErrorCode, ProtocolError
from schema.engine_messages import PlanAnswers, PlanCall

MSGPACK, JSON = SUBPROTOCOLS
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, TypeError, OverflowError)
_PATH = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")

_WORDS = {name: "one of " + ", ".join(get_args(words)) for name, words in (("density", Density), ("style", Style), ("voicing", Voicing))}

_client_decoders: dict[str, msgspec.msgpack.Decoder[ClientMessage] | msgspec.json.Decoder[ClientMessage]] = {
    MSGPACK: msgspec.msgpack.Decoder(ClientMessage),
    JSON: msgspec.json.Decoder(ClientMessage),
}
_gateway_decoders: dict[str, msgspec.msgpack.Decoder[GatewayMessage] | msgspec.json.Decoder[GatewayMessage]] = {
    MSGPACK: msgspec.msgpack.Decoder(GatewayMessage),
    JSON: msgspec.json.Decoder(GatewayMessage),
}
_call_decoder = msgspec.msgpack.Decoder(PlanCall)
_answers_decoder = msgspec.msgpack.Decoder(PlanAnswers)
_packer = msgspec.msgpack.Encoder()
_json = msgspec.json.Encoder()


def decode_client(data: bytes | str, subprotocol: str) -> ClientMessage:
    """Read one message from a client. Raises ProtocolError."""
    raw = _wire_bytes(data, subprotocol)
    try:
        message: ClientMessage = _client_decoders[subprotocol].decode(raw)
    except msgspec.ValidationError as problem:
        raise _explain(str(problem), raw, subprotocol) from None
    except _UNREADABLE as problem:
        raise _unreadable(f"one {_format(subprotocol)} object", problem) from None
    return message


def decode_gateway(data: bytes | str, subprotocol: str) -> GatewayMessage:
    """Read one message from a gateway. Raises ProtocolError."""
    raw = _wire_bytes(data, subprotocol)
    try:
        message: GatewayMessage = _gateway_decoders[subprotocol].decode(raw)
    except _UNREADABLE as problem:
        raise _unreadable("a gateway message", problem) from None
    return message


def encode(message: ClientMessage | GatewayMessage, subprotocol: str) -> bytes | str:
    """Write one message: bytes for MessagePack (a binary message), text for JSON."""
    return _packer.encode(message) if subprotocol == MSGPACK else _json.encode(message).decode()


def encode_call(call: PlanCall) -> bytes:
    """Write what `plan_many` takes."""
    return _packer.encode(call)


def decode_call(data: bytes) -> PlanCall:
    """Read what `plan_many` takes. Raises msgspec.DecodeError: both ends are ours."""
    return _call_decoder.decode(data)


def encode_answers(answers: PlanAnswers) -> bytes:
    """Write what `plan_many` gives."""
    return _packer.encode(answers)


def decode_answers(data: bytes) -> PlanAnswers:
    """Read what `plan_many` gives. Raises msgspec.DecodeError: both ends are ours."""
    return _answers_decoder.decode(data)


def _format(subprotocol: str) -> str:
    return "MessagePack" if subprotocol == MSGPACK else "JSON"


def _wire_bytes(data: bytes | str, subprotocol: str) -> bytes:
    binary = subprotocol == MSGPACK
    if binary is isinstance(data, str):
        kinds = ("a binary", "a text") if binary else ("a text", "a binary")
        raise ProtocolError(ErrorCode.BAD_MESSAGE, field="", expected=f"{kinds[0]} message ({subprotocol})", got=f"{kinds[1]} message")
    return data.encode(errors="surrogatepass") if isinstance(data, str) else data  # lone surrogates are refused by the decoder


def _unreadable(expected: str, problem: Exception) -> ProtocolError:
    got = _brief(str(problem) or type(problem).__name__, 160)
    return ProtocolError(ErrorCode.BAD_MESSAGE, field="", expected=expected, got=got)


def _explain(problem: str, raw: bytes, subprotocol: str) -> ProtocolError:
    """Turn a validation problem into the rule that was broken, with the value that broke it."""
    try:
        body = msgspec.msgpack.decode(raw, ext_hook=_show_extension) if subprotocol == MSGPACK else msgspec.json.decode(raw)
    except _UNREADABLE as unreadable:
        return _unreadable(f"one {_format(subprotocol)} object", unreadable)
    match = _PATH.search(problem)
    path = match[1] if match else "$"
    text = problem[: match.start()] if match else problem
    kind = body.get("type") if isinstance(body, dict) else None
    seq = _readable_seq(body.get("seq")) if isinstance(body, dict) else None
    missing, unknown = _MISSING.fullmatch(text), _UNKNOWN.fullmatch(text)
    if path == "$.type" or (missing and missing[1] == "type"):
        return ProtocolError(ErrorCode.UNKNOWN_TYPE, field="$.type", expected="a type of client message", got=_show(kind), seq=seq)
    where = path
    if unknown:
        where, expected, got = f"{path}{_step(unknown[1])}", "only listed fields", "an unknown field"
    elif missing:
        where, expected, got = f"{path}.{missing[1]}", "this field", "nothing"
    else:
        expected, got = _plain(text, where), _show(_walk(body, path))
    field = f"${_step(kind)}{where[1:]}" if isinstance(kind, str) else where
    return ProtocolError(ErrorCode.BAD_FIELD, field=field, expected=expected, got=got, seq=seq)


def _readable_seq(seq: object) -> int | None:
    """The refused message's number if it is one that the answer can carry back."""
    return seq if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq <= MAX_SEQ else None


def _plain(text: str, where: str) -> str:
    """What the validator expected: `Expected X, got Y` -> `X`; for a closed list of words, the words."""
    if text.startswith("Invalid enum value"):
        return _WORDS.get(where.rpartition(".")[2], "one of the listed words")
    return text.removeprefix("Expected ").partition(", got ")[0].replace("`", "")


def _walk(body: Any, path: str) -> Any:
    for name, index in _STEP.findall(path):
        try:
            body = body[name] if name else body[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            return body
    return body


def _step(name: str) -> str:
    """One step of a path; the peer chose the name, so it may be of any length and hold anything."""
    return f".{name}" if name.isidentifier() and len(name) <= 40 else f"[{_show(name)}]"


def _show(value: Any) -> str:
    try:
        return _brief(repr(value))
    except RecursionError:
        return "a value nested too deeply"


def _show_extension(code: int, data: memoryview) -> str:
    return f"extension {code} of {len(data)} bytes"


def _brief(text: str, limit: int = 60) -> str:
    """The text on one line of at most `limit` characters, all of them printable."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else "?" for c in cut)
