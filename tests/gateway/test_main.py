"""`python -m gateway`: options, sentences instead of tracebacks, a clean stop."""

import asyncio
import os
import re
import signal
import socket
import sys

import pytest

from gateway.__main__ import main, parse, read_settings
from gateway.errors import SettingsError
from tests.doubles import SOON_S


def test_options_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("SIDEMAN_PORT", "9000")
    monkeypatch.setenv("SIDEMAN_METRICS_PORT", "9001")
    made = read_settings(parse(["--port", "0", "--worker", "/run/a.sock", "--worker", "/run/b.sock", "--origin", "local"]))
    assert (made.port, made.metrics_port, made.workers, made.origins) == (0, 9001, ("/run/a.sock", "/run/b.sock"), ("local",))


def test_a_bad_option_is_a_settings_error():
    with pytest.raises(SettingsError, match="max_sessions: expected a whole number from 1"):
        read_settings(parse(["--max-sessions", "0"]))


def test_a_port_in_use_is_one_sentence_and_exit_code_2(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--metrics-port", "0", "--worker", "/nowhere.sock"]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"sideman gateway: expected a free port, but 127.0.0.1:{port} is in use; ")
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_cleanly(number, tmp_path):
    """C9: the process leaves in good order."""
    command = (sys.executable, "-m", "gateway", "--port", "0", "--metrics-port", "0", "--worker", str(tmp_path / "w.sock"))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ})
    async with asyncio.timeout(SOON_S):
        line = (await process.stdout.readline()).decode()
        assert re.match(r"sideman gateway: ws://127\.0\.0\.1:[1-9]\d* metrics http://127\.0\.0\.1:[1-9]\d*/metrics workers /", line)
        process.send_signal(number)
        rest, _ = await process.communicate()
    assert (process.returncode, rest) == (0, b"sideman gateway: stopped\n")
