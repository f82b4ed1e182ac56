"""`sideman bench training --config rl_m.toml`: what a step of reinforcement learning takes here, rollout and update apart. Shell.

The very `Step` that learns, with the config's checkpoints, on a made-up song; the reward models are as large as trained ones, but random.
"""

import os
import time
from typing import TYPE_CHECKING, Any

import jax
import msgspec
import numpy as np
from rich.table import Table

from sideman.bench_training import WARM_UP_STEPS, made_up_song, matmul_gflop_per_s

if TYPE_CHECKING:
    from training.train_rl import RlConfig


class RlReport(msgspec.Struct, frozen=True):
    """The whole run; seconds a step, and GFLOP in float32 as XLA counts them."""

    config: str
    cores: int
    rows: int
    frames: int
    matmul_gflop_per_s: float
    rollout_s: float
    update_s: float
    frames_per_s: float
    update_gflop: float
    share_of_matmul: float  # of the update


def measure(config: "RlConfig", num_steps: int) -> RlReport:
    """Learn for some steps. Raises DamagedCheckpoint."""
    from training.reward_models import RewardSizes, build_reward
    from training.reward_store import Learnt, RewardReport
    from training.rl import Step
    from training.train_rl import batch_of, ears_of, network

    sizes = RewardSizes()
    lengths = [("values", frames) for frames in config.ears.frames] + [("rhythm", config.frames)]
    learnt = [
        Learnt(RewardReport(kind, hears, frames, seed, 0, sizes, 0.0, {}), build_reward(kind, hears, sizes, seed))  # type: ignore[arg-type]
        for kind in ("contrastive", "discriminative")
        for hears, frames in lengths
        for seed in range(config.ears.seeds)
    ]
    agent, teacher = network(config.initial)[1], network(config.teacher)[1]
    step = Step(config.learning, agent, teacher, ears_of(config.ears, learnt), config.rules, config.seed)
    apprentice, took = step.fresh, {"rollout": 0.0, "update": 0.0}
    update_flop = 0.0
    for number in range(WARM_UP_STEPS + num_steps):
        episodes, lesson = batch_of(config, [made_up_song()], np.ones(1), number)
        began = time.perf_counter()
        chords = jax.block_until_ready(step.play(apprentice.agent, episodes, jax.random.key(number)))
        played = time.perf_counter()
        apprentice, _ = jax.block_until_ready(step.learn(apprentice, step.fixed, episodes, chords, 1.0, lesson))
        if number >= WARM_UP_STEPS:
            took["rollout"] += (played - began) / num_steps
            took["update"] += (time.perf_counter() - played) / num_steps
        elif number == 0:
            cost: Any = step.learn.lower(apprentice, step.fixed, episodes, chords, 1.0, lesson).cost_analysis()
            update_flop = cost["flops"] / 1e9
    rate = matmul_gflop_per_s()
    return RlReport(
        config=config.name,
        cores=os.cpu_count() or 1,
        rows=config.rows,
        frames=config.frames,
        matmul_gflop_per_s=rate,
        rollout_s=took["rollout"],
        update_s=took["update"],
        frames_per_s=config.rows * config.frames / sum(took.values()),
        update_gflop=update_flop,
        share_of_matmul=update_flop / took["update"] / rate,
    )


def table(report: RlReport) -> Table:
    """The report as people read it."""
    result = Table(title=f"{report.config}, {report.rows} episodes of {report.frames} frames on {report.cores} cores", show_header=False)
    per_frame = 1000 * report.rollout_s / report.frames
    result.add_row("rollout", f"{report.rollout_s:.2f} s a step, {per_frame:.1f} ms for a frame of all episodes")
    result.add_row(
        "update", f"{report.update_s:.2f} s a step of {report.update_gflop:,.0f} GFLOP; {report.share_of_matmul:.0%} of the matrix rate"
    )
    result.add_row("matrix product", f"{report.matmul_gflop_per_s:,.3g} GFLOP/s")
    result.add_row(
        "together", f"{report.frames_per_s:,.0f} frames/s; 1,000 steps take {1000 * (report.rollout_s + report.update_s) / 3600:.1f} h"
    )
    return result
