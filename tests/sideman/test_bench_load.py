"""`sideman bench load`: a real run over real sockets, the sentences when there is none, and what people are shown."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console

from sideman import bench_load
from sideman.cli import main
from sideman.load import Round, Takings
from sideman.load_plot import draw
from sideman.load_report import Resources, report
from sideman.load_run import Measured, Target, Vanished, _snapshot
from sideman_client.generated.messages import Settings, Timing
from tests.system.service import START_S

TIMING = Timing(gateway_ms=2.0, queue_ms=0.5, device_ms=0.0, steps=0, reused=1.0, batch=0)
SEEN = Resources(cpu_s={"worker": 5.0}, rss_bytes={"worker": 1 << 30}, busy_s=8.0)


def said(capfd, *arguments):
    """Exit code, standard output and standard error, those of the processes that play included."""
    code = main(["bench", "load", *arguments])
    output = capfd.readouterr()
    return code, output.out, output.err


def measured(run, *waits_ms):
    """A run whose ticks took so long; None were never answered."""
    rounds = [Round(0.0, 0.5, "none" if wait is None else "plan", wait, timing=wait and TIMING) for wait in waits_ms]
    made = report(run, [Takings(Settings(model="toy"), rounds, 0)], SEEN, cores=2)
    return Measured(made, [float("inf") if wait is None else wait for wait in waits_ms])


def arguments_of(*given):
    parser = bench_load.argparse.ArgumentParser()
    bench_load.add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.slow
def test_three_players_are_accompanied_and_told_apart(tiny_checkpoint, environment, tmp_path):
    """Nothing is promised about speed on a busy machine; every tick is counted once."""
    home, picture = tmp_path / "load.json", tmp_path / "load.png"
    options = ["--sessions", "3", "--seconds", "4", "--warm-up", "1.5", "--generators", "2", "--json", str(home), "--plot", str(picture)]
    command = [sys.executable, "-m", "sideman.cli", "bench", "load", "--checkpoint", str(tiny_checkpoint), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=START_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "3 sessions for 4 s at 120 bpm, tiny on " in done.stdout
    made = json.loads(home.read_bytes())
    assert (made["model"], made["sessions"], made["generators"], made["lost_sessions"]) == ("tiny", 3, 2, 0)
    assert made["ticks"] == sum(made["answers"].values()) == 3 * 32
    assert made["answers"]["plan"] > 30
    assert "none" not in made["answers"]
    assert not any(answer.startswith("error") for answer in made["answers"])
    assert 0.3 < made["share_in_budget"] <= 1
    assert 0 < made["round_trip_ms"]["p50"] <= made["round_trip_ms"]["p99"] <= made["round_trip_ms"]["max"] < 10_000
    assert made["making"]["gateway"]["p50"] > 0
    assert set(made["stage_means_ms"]) == {"decode", "queue", "device", "gateway", "write"}
    if sys.platform == "linux":
        assert set(made["processes"]) == {"gateway", "worker", "generator"}
        assert all(use["rss_bytes"] > 1 << 20 and 0 <= use["cpu_s"] < 4 * os.cpu_count() for use in made["processes"].values())
    assert imread(picture).shape[1] > 600


# ---- what is to be mended ----


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--sessions", "0"], "expected --sessions from 1 to 1000000, got 0: choose another"),
        (["--seconds", "0"], "expected --seconds from 0.1 to 1000000, got 0: choose another"),
        (["--warm-up", "-1"], "expected --warm-up from 0 to 1000000, got -1: choose another"),
        (["--bpm", "301"], "expected --bpm from 20 to 300, got 301: choose another"),
        (["--commit", "9"], "expected --commit from 0 to 8, got 9: choose another"),
        (["--lookahead", "0"], "expected --lookahead from 1 to 8, got 0: choose another"),
        (["--silence", "17"], "expected --silence from 0 to 16, got 17: choose another"),
        (
            ["--url", "ws://127.0.0.1:1", "--slots", "8"],
            "expected --checkpoint and --slots for a service of our own, got --url, a service that is running: leave out one or the other",
        ),
        (["--json", "nowhere/load.json"], "expected a folder for nowhere/load.json, got none: make it, or choose another place"),
    ],
)
def test_options_that_cannot_be_met_are_one_sentence(capfd, tmp_path, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    assert said(capfd, *options) == (2, "", f"sideman bench load: {sentence}\n")


def test_a_missing_corpus_is_one_sentence(capfd, tmp_path):
    code, out, err = said(capfd, "--data", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.startswith(f"sideman bench load: expected the folders POP909/001 .. POP909/909 in {tmp_path / 'pop909'}, got none")
    assert err.count("\n") == 1


def test_a_picture_without_matplotlib_is_one_sentence(capfd, monkeypatch):
    monkeypatch.setattr(bench_load, "find_spec", lambda _: None)
    code, _, err = said(capfd, "--plot", "load.png")
    assert code == 2
    assert (
        err
        == "sideman bench load: expected matplotlib for --plot, got none installed: pip install 'sideman[evaluate]', or leave out --plot\n"
    )


@pytest.mark.slow
def test_a_service_that_is_not_there_is_one_sentence(capfd):
    """It is the process that plays who finds out, and says so once."""
    code, out, err = said(capfd, "--url", "ws://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.startswith("sideman bench load: expected a gateway at ws://127.0.0.1:1, got ")
    assert err.count("\n") == 1


def test_a_process_that_is_gone_cannot_be_measured():
    with pytest.raises(Vanished, match="expected the worker to live through the run, got its end; its last lines above say why"):
        _snapshot({"worker": [1 << 22]}, None)


# ---- what people are shown ----


def shown(made):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(bench_load.table(made))
    return capture.get()


def test_the_table_has_the_figures():
    run = bench_load.run_of(arguments_of("--sessions", "2", "--seconds", "5", "--generators", "4"), 2)
    assert run.generators == 2  # no more than there are players
    text = shown(measured(run, 2.0, 4.0, 130.0, None).report)
    assert "2 sessions for 5 s at 120 bpm, toy on 2 cores" in text
    assert "4 ticks: 3 plan, 1 none" in text
    assert "p50 4.0, p90 never, p95 never, p99 never, p99.9 never, max never" in text
    assert "50.000% of the ticks that wanted a plan" in text
    assert "100% of a core, 500.00 ms a session-second, 1,024 MiB" in text
    assert "ready when the tick came 100.0%, window reused 100.0%, steps 0.00" in text
    assert "60% of a core: what else ran on this machine" in text


def test_a_ramp_shows_every_step_and_the_largest_run_that_went_well(capsys, monkeypatch):
    """With a machine that can carry five."""

    async def measure(target, run, tunes):
        return measured(run, *[2.0 if run.sessions <= 5 else 200.0] * 10)

    @asynccontextmanager
    async def own_service(arguments):
        services.append(arguments)
        yield Target("ws://x", None)

    services = []
    monkeypatch.setattr(bench_load, "measure", measure)
    monkeypatch.setattr(bench_load, "_target", own_service)
    arguments = arguments_of("--ramp", "--sessions", "2")
    made, drawn = asyncio.run(bench_load._ramp(arguments, []))
    out = capsys.readouterr().out
    assert len(services) == 5
    assert (made.most_sessions, drawn.report.sessions) == (5, 5)
    assert [step.sessions for step in made.runs] == [2, 4, 8, 6, 5]
    assert "   8 sessions: 0.00% in budget, round trip p50 200.0, p99 200.0, max 200.0 ms\n" in out
    assert out.endswith("most sessions with 99% of their round trips in budget: 5\n")


@pytest.mark.parametrize("waits_ms", [(2.0, 3.0, 3.1, 40.0, None), (None, None), (400.0,)], ids=["most in time", "no answers", "too late"])
def test_the_picture_can_be_opened(tmp_path: Path, waits_ms):
    run = bench_load.run_of(arguments_of(), 4)
    made = measured(run, *waits_ms)
    draw(tmp_path / "load.png", made.report, made.waits_ms)
    height, width, _ = imread(tmp_path / "load.png").shape
    assert 400 < height < 1000
    assert 600 < width < 2000
