"""The log: one object or one line an event, the session on all that concerns it, and nothing that is nobody's business."""

import io
import json
import logging

import pytest
from structlog.contextvars import bound_contextvars

from gateway import logs
from schema.client_messages import Hello, NoteEvent, Tick
from tests.doubles import SLOW_TEMPO


@pytest.fixture
def written():
    """What is logged, as text; the root logger is as before afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:], root.level = before[0], before[1]


def test_json_is_one_object_a_line_with_the_fields_of_its_context(written):
    logs.set_up("json", written)
    with bound_contextvars(session="abc"):
        logging.getLogger("anyone").warning("worker %s: gone", 1, extra={"code": 1006})
    event = json.loads(written.getvalue())
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "worker 1: gone", "level": "warning", "session": "abc", "code": 1006}


def test_text_is_one_line_for_people(written):
    logs.set_up("text", written)
    logging.getLogger("anyone").info("session began", extra={"session": "abc"})
    assert written.getvalue().split(" ", 1)[1] == "INFO session began session='abc'\n"


def test_what_is_below_the_level_is_not_written(written):
    logs.set_up("text", written, "warning")
    logging.getLogger("anyone").info("session began")
    assert written.getvalue() == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_text_of_others_cannot_forge_a_line(form, written):
    logs.set_up(form, written)
    logging.getLogger("anyone").info("said", extra={"client": "x\n2026 error all is lost\x1b[31m"})
    assert written.getvalue().count("\n") == 1
    assert "\x1b" not in written.getvalue()


def test_a_bug_has_its_traceback(written):
    logs.set_up("json", written)
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as problem:
        logging.getLogger("anyone").error("a bug of ours", exc_info=problem)
    assert "ZeroDivisionError" in json.loads(written.getvalue())["exception"]


def test_secrets_and_music_are_left_out_and_long_text_is_shortened(written):
    logs.set_up("json", written)
    logging.getLogger("anyone").info("x", extra={**dict.fromkeys(logs.SECRET, "private"), "client": "y" * 1000})
    assert "private" not in written.getvalue()
    assert len(json.loads(written.getvalue())["client"]) == logs.MAX_CHARACTERS + 1


async def test_a_whole_session_leaves_its_name_and_no_token_or_note(house, written):
    """From hello to bye, a refused message and a bug of ours among it."""
    logs.set_up("json", written)
    async with house.client() as client:
        session = (await client.ask(Hello(client="secret club", token="hunter2"))).session
        await client.ask(SLOW_TEMPO)
        await client.ask(Tick(1, 0, [NoteEvent(0, 113, True)]))
        await client.ask('{"type": "tick", "token": "hunter2", "pitch": 113}')
        next(iter(house.gateway._players.values()))._session.receive = None
        await client.send(Tick(2, 1, [NoteEvent(1, 113, True)]))
        await client.closed()
    await house.until(lambda: house.metric("sessions") == 0)
    events = [json.loads(line) for line in written.getvalue().splitlines()]
    told = [event for event in events if event.get("session") == session]
    assert [event["event"] for event in told] == ["session began", "a bug of ours", "session ended"]
    assert told[-1]["code"] == 1011
    assert "hunter2" not in written.getvalue()
    said = [{name: value for name, value in event.items() if name not in ("session", "timestamp", "exception")} for event in told]
    assert "113" not in str(said)  # a name and a time may well hold these digits
