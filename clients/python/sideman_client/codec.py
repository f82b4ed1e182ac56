"""Messages to bytes and back, for both subprotocols. Pure.

Fields this version does not know are ignored, and so is a whole message of a type it does not know: gateways may add.
"""

from typing import get_args

import msgspec

from sideman_client.errors import UnreadableMessage
from sideman_client.generated.messages import SUBPROTOCOLS, ClientMessage, GatewayMessage

MSGPACK, JSON = SUBPROTOCOLS


class _Envelope(msgspec.Struct):
    type: str


_Decoder = msgspec.msgpack.Decoder[GatewayMessage] | msgspec.json.Decoder[GatewayMessage]
_Opener = msgspec.msgpack.Decoder[_Envelope] | msgspec.json.Decoder[_Envelope]
_decoders: dict[str, _Decoder] = {MSGPACK: msgspec.msgpack.Decoder(GatewayMessage), JSON: msgspec.json.Decoder(GatewayMessage)}
_openers: dict[str, _Opener] = {MSGPACK: msgspec.msgpack.Decoder(_Envelope), JSON: msgspec.json.Decoder(_Envelope)}
_packer = msgspec.msgpack.Encoder()
_json = msgspec.json.Encoder()
_KNOWN = frozenset(kind.__struct_config__.tag for kind in get_args(GatewayMessage))


def encode(message: ClientMessage, subprotocol: str) -> bytes | str:
    """Write one message: bytes for MessagePack (a binary message), text for JSON."""
    return _packer.encode(message) if subprotocol == MSGPACK else _json.encode(message).decode()


def decode(data: bytes | str, subprotocol: str) -> GatewayMessage | None:
    """Read one message; None if it is of a type this version does not know. Raises UnreadableMessage."""
    if isinstance(data, str) is (subprotocol == MSGPACK):
        got = "a text message" if isinstance(data, str) else "a binary message"
        raise UnreadableMessage(expected=f"messages of {subprotocol}", got=got, advice="connect to a Sideman gateway")
    raw = data.encode() if isinstance(data, str) else data
    try:
        message: GatewayMessage = _decoders[subprotocol].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        if _is_unknown(raw, subprotocol):
            return None
        advice = "update this package, or report it if the versions are the same"
        raise UnreadableMessage(expected="a gateway message", got=str(problem), advice=advice) from None
    return message


def _is_unknown(raw: bytes, subprotocol: str) -> bool:
    """Whether these bytes are a sound message of a type that is not in our list."""
    try:
        return _openers[subprotocol].decode(raw).type not in _KNOWN
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
