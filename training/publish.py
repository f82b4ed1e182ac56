"""From a finished run to a checkpoint that can be served: bf16 weights, golden plan, manifest. Shell.

Run: python -m training.publish training/configs/online_small.toml --run runs/online-small --data CORPORA --to DIR
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx

from inference.checkpoints import hashes, read_weights, write_manifest, write_weights
from inference.model import Decoder, build
from schema.engine_messages import golden_request
from schema.manifest import FORMAT, DataSource, Golden, Manifest
from schema.tokens import note_hold, note_onset, vocabulary_hash
from training.pop909 import read_pop909
from training.rollouts import plain_plan
from training.train_mle import MleConfig
from training.windows import split

POP909_LICENCE = "MIT (transcriptions and labels; the songs are by others)"
# Frere Jacques, the first two phrases: (MIDI pitch, frames).
GOLDEN_TUNE = 2 * ((60, 4), (62, 4), (64, 4), (60, 4)) + 2 * ((64, 4), (65, 4), (67, 8))


CLEAR_MARGIN = 0.02  # from the best candidate of a choice to the next


def golden_melody() -> list[int]:
    """The golden tune on the grid."""
    return [note_onset(pitch) if i == 0 else note_hold(pitch) for pitch, frames in GOLDEN_TUNE for i in range(frames)]


def golden(model: Decoder) -> Golden:
    """The golden plan of a model: the first seed for which every choice was clear."""
    melody = golden_melody()
    for seed in range(100):
        plan = plain_plan(model, golden_request(melody, seed))
        if min(plan.margins) > CLEAR_MARGIN and len(set(plan.chords)) > 2:
            return Golden(melody, seed, plan.chords)
    raise ValueError("expected a seed whose golden plan is clear, got none of 100: the weights choose chords by chance")


def publish(config: MleConfig, run: Path, data: Path, to: Path) -> Manifest:
    """Write the checkpoint and return its manifest; metrics are those `sideman evaluate --json` left in `run/metrics.json`."""
    template = nnx.state(build(config.sizes, config.seed))
    best = ocp.StandardCheckpointer().restore((run / "best").absolute(), {"weights": template, "step": 0, "chord_loss": 0.0})
    write_weights(to, nnx.to_pure_dict(best["weights"]), "bfloat16")
    train = split(read_pop909(data / "pop909", "chord_midi").songs).train
    metrics_file = run / "metrics.json"
    metrics: dict[str, float] = json.loads(metrics_file.read_text()) if metrics_file.exists() else {}
    manifest = Manifest(
        format=FORMAT,
        model=config.name,
        variant=config.variant,
        sizes=config.sizes,
        vocabulary=vocabulary_hash(),
        dtype="bfloat16",
        step=int(best["step"]),
        files=hashes(to),
        data=[DataSource("POP909", POP909_LICENCE, len(train), int(sum(len(s.melody) for s in train)))],
        metrics={"held_out_chord_loss": round(float(best["chord_loss"]), 4)} | metrics,
        golden=golden(_model(config, read_weights(to, config.sizes))),
        temperature=0.8,
    )
    write_manifest(to, manifest)
    return manifest


def _model(config: MleConfig, weights: Any) -> Decoder:
    model = build(config.sizes)
    state = nnx.state(model)
    nnx.replace_by_pure_dict(state, jax.tree.map(np.asarray, weights))
    nnx.update(model, state)
    return model


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="Make a served checkpoint of a run's best weights.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="the --out of the training")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--to", type=Path, required=True, help="folder of the new checkpoint; replaced")
    arguments = parser.parse_args()
    config = msgspec.convert(tomllib.loads(arguments.config.read_text()), MleConfig)
    manifest = publish(config, arguments.run, arguments.data, arguments.to)
    size = sum(path.stat().st_size for path in arguments.to.rglob("*") if path.is_file())
    print(f"{manifest.model}, step {manifest.step}: {arguments.to}, {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
