"""How a worker writes its log: lines for people, or JSON for machines. Nothing a client sent is ever in it. Shell."""

import logging

import structlog
from structlog.typing import Processor

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")


def set_up(form: str, level: str) -> None:
    """Send everything from that level on to standard error; JSON names its fields as the gateway's log does."""
    if form == "text":
        logging.basicConfig(level=level.upper(), format="%(asctime)s worker %(levelname)s %(message)s")
    else:
        stamp: list[Processor] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
        tail: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info]
        handler = logging.StreamHandler()
        written: list[Processor] = [*tail, structlog.processors.JSONRenderer()]
        handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=stamp, processors=written))
        logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in ("absl", "jax"):
        logging.getLogger(library).setLevel(logging.WARNING)
