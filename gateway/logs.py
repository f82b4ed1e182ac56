"""How the gateway writes its log: lines for people, or JSON for machines; never a token, never what was played. Shell."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

MAX_CHARACTERS = 256
SECRET = ("token", "authorization", "melody", "chords", "events", "notes", "pitch", "pitches")


def set_up(form: str, stream: TextIO | None = None, level: str = "info") -> None:
    """Send everything from that level on, logged by us or by libraries, to one stream; standard error if none is named."""
    fields: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        discreet,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    last: Processor = structlog.processors.JSONRenderer() if form == "json" else line
    tail: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, last]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=fields, processors=tail))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("websockets").setLevel(logging.WARNING)


def discreet(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out fields that hold secrets or music, and shorten long ones: what a client sends may be in them."""
    for name in SECRET:
        event.pop(name, None)
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            event[name] = value[:MAX_CHARACTERS] + "…"
    return event


def line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Time, level, what happened, then its fields; a traceback below. Text of others is quoted, so that it cannot forge a line."""
    when, level, what, trace = event.pop("timestamp"), event.pop("level"), event.pop("event"), event.pop("exception", None)
    rest = "".join(f" {name}={value!r}" for name, value in event.items())
    return f"{when} {level.upper()} {what}{rest}" + (f"\n{trace}" if trace else "")
