"""A Prometheus process of our own on loopback, for `observe` and for tests; needs `prometheus` on the path (Debian has it). Shell."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RULES = Path(__file__).parent / "rules.yaml"
START_S = 60.0
POLL_S = 0.1
ANSWER_S = 20.0
CONFIG = """\
global: {{scrape_interval: {interval}, evaluation_interval: {interval}}}
rule_files: [{rules}]
scrape_configs:
"""
JOB = """\
  - job_name: {job}
    static_configs:
"""
TARGET = """\
      - targets: ["{address}"]
        labels: {{{labels}}}
"""

Labels = dict[str, str]
Point = tuple[float, float]  # time, value


class NoPrometheus(RuntimeError):
    """There is none, or it does not start."""

    def __init__(self, got: str) -> None:
        super().__init__(got)
        self.got = got

    def __str__(self) -> str:
        return f"expected Prometheus to start, got {self.got}; install it with: apt-get install prometheus"


class Api:
    """Its HTTP interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def now(self, expression: str, at: float | None = None) -> list[tuple[Labels, float]]:
        """The value of every series at a moment."""
        found = self._get("query", query=expression, **({} if at is None else {"time": f"{at:.3f}"}))
        return [(series["metric"], float(series["value"][1])) for series in found["result"]]

    def over(self, expression: str, start: float, end: float, step_s: float) -> list[tuple[Labels, list[Point]]]:
        """The curve of every series."""
        found = self._get("query_range", query=expression, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step_s:g}")
        return [(series["metric"], [(float(t), float(v)) for t, v in series["values"]]) for series in found["result"]]

    def targets_up(self) -> int:
        """Targets whose last scrape worked."""
        return sum(target["health"] == "up" for target in self._get("targets", state="active")["activeTargets"])

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=ANSWER_S) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def running(
    folder: Path,
    jobs: Mapping[str, Sequence[tuple[str, Labels]]],
    *,
    interval: str = "1s",
    port: int = 0,
    consoles: Mapping[str, str] | None = None,
) -> Iterator[Api]:
    """A Prometheus that has scraped every target once; `jobs` names addresses and the labels they get.

    `consoles` are pages that it serves below /consoles/, by name. Raises NoPrometheus.
    """
    port = port or _free_port()
    rules = folder / RULES.name
    rules.write_text(RULES.read_text().replace("interval: 30s", f"interval: {interval}"))  # a minute of players is short
    (folder / "prometheus.yaml").write_text(config(jobs, interval, rules))
    (folder / "consoles").mkdir()
    for name, page in (consoles or {}).items():
        (folder / "consoles" / name).write_text(page)
    command = [
        program(),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.console.templates={folder}/consoles",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as process:
        try:
            api = Api(f"http://127.0.0.1:{port}")
            _wait(api, process, sum(map(len, jobs.values())), folder / "prometheus.log")
            yield api
        finally:
            process.terminate()
            process.wait()


def program() -> str:
    """Where it is. Raises NoPrometheus."""
    found = shutil.which("prometheus")
    if found is None:
        raise NoPrometheus("none on the path")
    return found


def config(jobs: Mapping[str, Sequence[tuple[str, Labels]]], interval: str, rules: Path) -> str:
    """What Prometheus is told."""
    text = CONFIG.format(interval=interval, rules=rules)
    for job, targets in jobs.items():
        text += JOB.format(job=job)
        for address, labels in targets:
            text += TARGET.format(address=address, labels=", ".join(f'{name}: "{value}"' for name, value in labels.items()))
    return text


def _wait(api: Api, process: "subprocess.Popen[bytes]", targets: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoPrometheus(f"exit code {process.returncode}: {log.read_text()[-500:]}")
        try:
            if api.targets_up() >= targets:
                return
        except (OSError, urllib.error.HTTPError):
            pass
        time.sleep(POLL_S)
    raise NoPrometheus(f"fewer than {targets} targets up after {START_S:g} s")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
