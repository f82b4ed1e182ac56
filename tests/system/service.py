"""`sideman serve` as a process, and what can be seen of it from outside. Shell."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

from tests.doubles import SOON_S

START_S = 15 * SOON_S  # a cold start compiles for a minute of CPU time: a busy machine takes several


class Service:
    """One running `sideman serve` with a free port; use as a context manager, which stops it hard if nobody else has."""

    def __init__(self, *options: str, environment: dict[str, str], errors: Path) -> None:
        command = [sys.executable, "-m", "sideman.cli", "serve", "--port", "0", "--metrics-port", "0", *options]
        self._errors = errors
        with errors.open("w") as sink:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True, env=environment)
        self._watchdog = threading.Timer(START_S, self.process.kill)  # ends what would wait for ever
        self._watchdog.start()
        self.url = self.metrics = self.models = self.worker_metrics = ""

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        for pid in [*self.children(), self.process.pid]:
            if self.process.returncode is None:
                os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()
        self.process.wait(SOON_S)

    def line(self) -> str:
        """The next line it prints."""
        return self.process.stdout.readline()

    def until_ready(self) -> "Service":
        """Read what it says until it serves."""
        while not self.metrics:
            line = self.line()
            assert line, self.errors()
            if match := re.match(r"sideman: ready, (.+) on (ws://\S+)", line):
                self.models, self.url = match.groups()
            elif match := re.search(r"its worker: +(http://\S+)/metrics", line):
                self.worker_metrics = match[1]
            elif match := re.search(r"watch it: +(http://\S+)/metrics", line):
                self.metrics = match[1]
        return self

    def errors(self) -> str:
        """What it has written to standard error so far."""
        return self._errors.read_text()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(START_S)

    def children(self) -> list[int]:
        """Process ids of gateway and worker."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []

    def worker(self) -> int:
        """Process id of the worker."""
        (pid,) = (pid for pid in self.children() if "inference" in Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
        return pid

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the metrics port."""
        try:
            with urllib.request.urlopen(self.metrics + path, timeout=SOON_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, ""

    async def until_status(self, path: str, status: int) -> None:
        """Ask for a page until it answers so."""
        async with asyncio.timeout(START_S):
            answered = None
            while answered != status:
                answered, _ = await asyncio.to_thread(self.get, path)


def alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
