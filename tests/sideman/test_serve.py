"""`sideman serve` when it cannot start, or is stopped early: one sentence or none, exit codes, nothing left behind."""

import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.system.service import START_S, Service, alive

pytestmark = pytest.mark.slow


def refused(environment, *options):
    """What `sideman serve` says on standard error before it ends with 2, without the log lines of its processes."""
    command = [sys.executable, "-m", "sideman.cli", "serve", "--metrics-port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=START_S, check=False)
    assert done.returncode == 2, done.stderr
    return [line for line in done.stderr.splitlines() if " INFO " not in line]


def test_a_port_in_use_is_one_sentence(tiny_checkpoint, environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (sentence,) = refused(environment, "--checkpoint", str(tiny_checkpoint), "--port", str(port))
    assert sentence.startswith(f"sideman gateway: expected a free port, but 127.0.0.1:{port} is in use; ")


def test_a_setting_out_of_range_is_one_sentence(tiny_checkpoint, environment):
    (sentence,) = refused(environment, "--checkpoint", str(tiny_checkpoint), "--port", "0", "--max-sessions", "0")
    assert "max_sessions: expected a whole number from 1" in sentence


def test_a_missing_checkpoint_is_one_sentence(environment, tmp_path):
    (sentence,) = refused(environment, "--checkpoint", str(tmp_path / "none"), "--port", "0")
    assert f"checkpoint {tmp_path / 'none'}: expected a folder with manifest.json, got no such folder: " in sentence


def test_a_damaged_checkpoint_is_one_sentence(tiny_checkpoint, environment, tmp_path):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    path = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    (sentence,) = refused(environment, "--checkpoint", str(folder), "--port", "0")
    assert f"checkpoint {folder}: expected " in sentence
    assert "with SHA-256" in sentence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_loads_ends_it_cleanly(tiny_checkpoint, environment, tmp_path, number):
    """Gateway and worker have just been started; nothing is left behind."""
    with Service("--checkpoint", str(tiny_checkpoint), environment=environment, errors=tmp_path / "errors") as service:
        assert service.line().startswith("sideman: loading the model and compiling")
        while len(children := service.children()) < 2:
            assert service.process.poll() is None
        assert service.stop(number) == 0
        assert service.line() == "sideman: stopped\n"
        assert "Traceback" not in service.errors()
        assert not any(alive(pid) for pid in children)
