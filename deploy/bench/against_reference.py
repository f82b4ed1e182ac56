"""Our `base` (8 layers x 512) beside the public reference at its own size, one session at 120 BPM, in one run on one machine. Shell.

Run: python deploy/bench/against_reference.py [--environment DIR] [--json FILE]. It makes an environment of its own for PyPI's `realjam`
with torch for CPUs (a few hundred MB), times the reference's own request function there, and then plays one session against our worker's
device loop in real time: a tick every frame, 100 ms to answer, guesses while idle, head first at the deadline (P11).

Both have random weights. Ours have a melody head that expects notes and rests to go on; what is anticipated comes true less often than with
trained weights all the same, and the share of plans for which it did is told.
"""

import argparse
import json
import queue
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from inference.__main__ import use_compilation_cache, worthwhile_checks
from inference.engine import Engine
from inference.loop import DeviceLoop, Resident
from inference.planner import Bucket
from inference.roofline import BASE
from inference.settings import LIVE, EngineSettings
from schema.client_messages import Settings
from schema.engine_messages import ModelInfo, PlanReply
from schema.grid import frame_seconds
from schema.tokens import HOLD_ACTION, NOTHING
from sideman.bench_steps import weights_of
from sideman.paths import compilation_cache
from sideman.simulate import Player
from sideman.tunes import fixture_tunes

REQUESTS = 8  # of the reference
PLAYED_S = 30.0
BUCKETS = (Bucket(1, 1, 1), Bucket(1, 1, 4), Bucket(4, 1, 1), Bucket(1, 4, 1), Bucket(1, 64, 1))
PACKAGES = ("torch==2.13.0", "realjam==1.0.1")


def reference(environment: Path) -> dict[str, Any]:
    """Seconds of the reference's requests, in an environment that is made if it is not there."""
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        for package in PACKAGES:  # torch first and alone: the one for CPUs
            subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=True)
    script = Path(__file__).with_name("reference_request.py")
    done = subprocess.run([str(python), str(script), str(REQUESTS)], stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def expectant(weights: Any) -> Any:
    """The weights with a melody head for which what sounds goes on."""
    kernel = weights["melody_head"]["kernel"]
    kernel[:, HOLD_ACTION], kernel[:, NOTHING] = 4.0, 2.0
    for name in ("melody_from_hidden", "melody_from_chord"):
        weights[name]["kernel"] = np.abs(weights[name]["kernel"])
    return weights


def ours() -> dict[str, Any]:
    """One session in real time."""
    info = ModelInfo("base", "online", 1.0)
    weights = expectant(weights_of(BASE))
    settings = EngineSettings(16, BUCKETS, checks=LIVE.checks)
    engine = Engine(BASE, weights, slots=settings.slots, buckets=BUCKETS + settings.checks)
    engine.warm_up()
    checks = worthwhile_checks(engine, settings)
    replies: queue.SimpleQueue[list[PlanReply]] = queue.SimpleQueue()
    loop = DeviceLoop([Resident(info, engine, BUCKETS + checks)], replies.put)
    loop.start()
    asked_for = Settings(model="base", temperature=1.0, lookahead_beats=4, commit_beats=2, silence_beats=2, bpm=120.0)
    player = Player(fixture_tunes()[0], [info], asked_for, name="one", seed=1)
    took_ms: list[float] = []
    steps: list[int] = []
    unrefined: list[int] = []
    frame_s, began, ticks = frame_seconds(120.0), time.monotonic(), 0
    while not player.over and ticks * frame_s < PLAYED_S:
        time.sleep(max(0.0, began + ticks * frame_s - time.monotonic()))
        ticks += 1
        player.tick()
        request = player.next_request()
        if request is None:
            continue
        asked = time.monotonic()
        loop.submit([request])
        (reply,) = replies.get()
        took_ms.append((time.monotonic() - asked) * 1000)
        steps.append(reply.steps)
        plan = player.take(reply) if not reply.problem else None
        unrefined.append(asked_for.lookahead_beats * 4 if plan is None else plan.timing.unrefined)
    loop.stop()
    import jax

    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(weights)),
        "took_ms": took_ms,
        "steps": steps,
        "unrefined": unrefined,
        "checked_positions": [check.positions for check in checks],
        "compiles_after_ready": loop.compiles_after_ready,
    }


def missed_steps(made: dict[str, Any]) -> list[int]:
    """Calls and steps of the plans that the player surprised and that were decided whole."""
    return [steps for steps, unrefined in zip(made["steps"], made["unrefined"], strict=True) if steps > 1 and not unrefined] or [0]


def main() -> None:
    """Both, and how they compare."""
    parser = argparse.ArgumentParser(description="Our base model beside the public reference, one session at 120 BPM.")
    parser.add_argument("--environment", type=Path, default=Path("reference-env"), help="where the reference is installed")
    parser.add_argument("--json", type=Path, help="write all figures here")
    arguments = parser.parse_args()
    theirs = reference(arguments.environment)
    use_compilation_cache(compilation_cache())
    made = ours()
    took = np.array(made["took_ms"])
    missed = took[np.array(made["steps"]) > 1]
    whole = missed_steps(made)
    fresh = 1 - np.array(made["unrefined"]) / 16
    reference_ms = median(theirs["took_s"]) * 1000
    budget_ms = frame_seconds(120.0) * 1000
    size, least_ms = theirs["parameters"] / 1e6, min(theirs["took_s"]) * 1000
    print(f"reference  {size:.1f} M parameters: request p50 {reference_ms:,.0f} ms, min {least_ms:,.0f}")
    p50, p90, p99 = np.percentile(took, (50, 90, 99))
    print(
        f"base       {made['parameters'] / 1e6:.1f} M parameters: plan p50 {p50:.1f}, p90 {p90:.1f}, p99 {p99:.1f}, max {took.max():.1f} ms"
    )
    print(
        f"           {(took <= budget_ms).mean():.1%} of {len(took)} plans within {budget_ms:g} ms; median {reference_ms / p50:.0f}x below"
    )
    guessed = (np.array(made["steps"]) <= 1).mean()
    print(f"           {guessed:.0%} needed one step or none; the others p50 {np.median(missed) if len(missed) else 0:.1f} ms")
    for positions in made["checked_positions"]:
        print(f"           drafts checked {positions} positions at once: a whole plan took {median(whole):.0f} calls instead of 17")
    print(f"           fresh share of a plan: mean {fresh.mean():.1%}, whole plans {(fresh == 1).mean():.1%}")
    print(f"           {made['compiles_after_ready']} compilations while playing")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"reference": theirs, "base": made}))


if __name__ == "__main__":
    main()
