"""`make observe`, short: the real service with small networks, Prometheus, the load generator, what it says, and its pictures."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.monitoring.pages import PAGES
from tests.system.service import START_S

ROOT = Path(__file__).parents[2]
needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus")


def observe(*options, environment):
    command = [sys.executable, "-m", "deploy.observe", "--once", "--port", "0", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=START_S, check=False)


@pytest.mark.slow
@needs_prometheus
def test_it_plays_tells_and_draws(tiny_checkpoint, tiny_offline_checkpoint, environment, tmp_path):
    checkpoints = [part for folder in (tiny_checkpoint, tiny_offline_checkpoint) for part in ("--checkpoint", str(folder))]
    done = observe(*checkpoints, "--seconds", "4", "--sessions", "2", "--draw", str(tmp_path), environment=environment)
    assert done.returncode == 0, done.stderr
    assert "Plans that failed:" in done.stdout
    assert "What its table says: " in done.stdout
    assert re.search(r"\nEvery panel of the dashboards: http://127\.0\.0\.1:\d+/consoles/sideman\.html\n", done.stdout)
    assert {picture.stem for picture in tmp_path.glob("*.png")} == {page.uid for page in PAGES}


def test_without_prometheus_it_is_one_sentence(tmp_path):
    """Said before the service is started: that may take a minute."""
    done = observe(environment={**os.environ, "PATH": str(tmp_path)})
    assert (done.returncode, done.stderr) == (
        2,
        "observe: expected Prometheus to start, got none on the path; install it with: apt-get install prometheus\n",
    )
