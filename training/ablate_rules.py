"""What each rule does: the agent goes on learning with all rules, and with one left out at a time, on the same episodes. Shell.

Run: python -m training.ablate_rules training/configs/rl_m.toml --start inference/weights/rl-m-small --data CORPORA --rewards DIR --out DIR
Each run is one of `train_rl` in OUT/NAME, and resumes like one; the table is made of the last steps of their curves.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from schema.manifest import DamagedCheckpoint
from training.corpora import CorpusProblem
from training.reward_rules import Rules
from training.train_mle import BadConfig
from training.train_rl import CURVES_NAME, Curve, RlConfig, read_config, run

ALL_RULES = "all rules"
_MUSIC = ("note_in_chord", "change_on_bar", "beats_per_change", "silent_share", "overlong_share")


def without(config: RlConfig, rule: str | None, start: str, steps: int) -> RlConfig:
    """The config as it is at its end, going on from `start` for so many steps, with one rule left out."""
    last = config.learning.teacher_weight_last
    learning = msgspec.structs.replace(config.learning, teacher_weight=last, warmup_steps=5, decay_steps=10 * steps)
    rules = {name: weight for name, weight in config.rules.items() if name != rule}
    name = f"{config.name} without {rule}" if rule else f"{config.name} with {ALL_RULES}"
    return msgspec.structs.replace(
        config, name=name, initial=start, steps=steps, learning=learning, rules=rules, log_every=max(1, steps // 4), keep_every=steps
    )


def last_half(path: Path) -> dict[str, float]:
    """Means over the second half of a run's curves."""
    curves = [msgspec.json.decode(line, type=Curve) for line in path.read_bytes().splitlines()]
    lines = [{**curve.told, **curve.music} for curve in curves[len(curves) // 2 :]]
    return {name: float(np.mean([line[name] for line in lines if name in line])) for name in lines[0]}


def table(found: Mapping[str, Mapping[str, float]]) -> Table:
    """One line per run: what its own rule cost an episode with and without it, and the music."""
    shown = Table(
        "left out", "its cost with it", "without it", *(name.replace("_", " ") for name in _MUSIC), title="One rule left out at a time"
    )
    everything = found[ALL_RULES]
    for name, figures in found.items():
        cost = ["", ""] if name == ALL_RULES else [f"{run[f'rule {name}']:.3f}" for run in (everything, figures)]
        shown.add_row("none" if name == ALL_RULES else name, *cost, *(f"{figures[music]:.3f}" for music in _MUSIC))
    return shown


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="What each rule does: goes on from a trained agent with one rule left out at a time.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--start", required=True, help="the agent to go on from: a checkpoint of the config's sizes")
    parser.add_argument("--steps", type=int, default=32, help="of each run")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora (pop909, ...)")
    parser.add_argument("--rewards", type=Path, required=True, help="the --out of training.train_reward")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--cache", type=Path, help="folder for the converted corpora (default: OUT/frames)")
    arguments = parser.parse_args()
    try:
        config, found = read_config(arguments.config), {}
        for rule in (None, *(name for name in Rules._fields if config.rules.get(name))):
            out = arguments.out / (rule or "all")
            changed = without(config, rule, arguments.start, arguments.steps)
            run(changed, arguments.data, arguments.rewards, out, cache=arguments.cache or arguments.out / "frames")
            found[rule or ALL_RULES] = last_half(out / CURVES_NAME)
    except (BadConfig, CorpusProblem, DamagedCheckpoint) as problem:
        sys.exit(f"ablate_rules: {problem}")
    Console(width=160).print(table(found))


if __name__ == "__main__":
    main()
