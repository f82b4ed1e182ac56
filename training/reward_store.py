"""Reward models on disk: a folder each, with `weights.npz` and `report.json`. Shell."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from flax import nnx

from training.corpora import CorpusProblem
from training.reward_models import Contrastive, Discriminative, Hears, Kind, RewardSizes, build_reward

WEIGHTS_NAME, REPORT_NAME = "weights.npz", "report.json"


class RewardReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a finished model."""

    kind: Kind
    hears: Hears
    frames: int
    seed: int
    steps: int  # of the best weights
    sizes: RewardSizes
    held_out_loss: float
    figures: dict[str, float]  # on the test songs


class Learnt(NamedTuple):
    """A trained reward model."""

    report: RewardReport
    model: Contrastive | Discriminative


def load_rewards(folder: Path) -> list[Learnt]:
    """Every finished model below a folder, ordered by name. Raises CorpusProblem if there is none."""
    found = [_load(path.parent) for path in sorted(folder.glob(f"*/{REPORT_NAME}"))]
    if not found:
        raise CorpusProblem(f"expected reward models in {folder}, got none: train them first (python -m training.train_reward)")
    return found


def _load(folder: Path) -> Learnt:
    report = msgspec.json.decode((folder / REPORT_NAME).read_bytes(), type=RewardReport)
    model = build_reward(report.kind, report.hears, report.sizes, report.seed)
    state = nnx.state(model)
    with np.load(folder / WEIGHTS_NAME) as kept:
        leaves, tree = jax.tree.flatten(state)
        nnx.update(model, jax.tree.unflatten(tree, [jnp.asarray(kept[str(index)]) for index in range(len(leaves))]))
    return Learnt(report, model)


def keep_reward(folder: Path, learnt: Learnt) -> None:
    """Write a model; the report comes last: a folder without one is not finished."""
    folder.mkdir(parents=True, exist_ok=True)
    leaves = jax.tree.leaves(nnx.state(learnt.model))
    named: dict[str, Any] = {str(index): np.asarray(leaf) for index, leaf in enumerate(leaves)}
    np.savez(folder / WEIGHTS_NAME, **named)
    (folder / REPORT_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(learnt.report), indent=2))
