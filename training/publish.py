"""From a finished run to a checkpoint that can be served: bf16 weights, model card, golden plan, manifest. Shell.

Run: python -m training.publish training/configs/online_small.toml --run runs/online-small --data CORPORA --to DIR
The config may be one of `train_mle` or of `train_rl`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx

from inference.checkpoints import hashes, read_manifest, read_weights, write_manifest, write_weights
from inference.model import Decoder, build
from schema.engine_messages import golden_request
from schema.manifest import FORMAT, DamagedCheckpoint, DataSource, Golden, Manifest, ModelSizes
from schema.tokens import note_hold, note_onset, vocabulary_hash
from training import train_rl
from training.card import CARD_NAME, CardFacts, Teaching, card
from training.corpora import CORPORA, CorpusProblem, Song, check_shippable, in_reading_order
from training.frames import Pop909Chords
from training.rollouts import plain_plan
from training.sides import sides_of
from training.train_mle import BadConfig, MleConfig, read_config

CL_TITLE = "POP909 with the chords of POP909-CL"  # both MIT
# Frere Jacques, the first two phrases: (MIDI pitch, frames).
GOLDEN_TUNE = 2 * ((60, 4), (62, 4), (64, 4), (60, 4)) + 2 * ((64, 4), (65, 4), (67, 8))


CLEAR_MARGIN = 0.02  # from the best candidate of a choice to the next


class Recipe(NamedTuple):
    """What a config says about the weights it makes."""

    name: str
    variant: str
    seed: int
    sizes: ModelSizes
    corpora: tuple[str, ...]
    pop909_chords: Pop909Chords
    apart: tuple[str, ...]
    mix: dict[str, float] | None
    origins: tuple[str, ...] = ()  # checkpoints the weights began as or were taught by
    metre: bool = True
    taught: Teaching = "likelihood"


def recipe_of(path: Path) -> Recipe:
    """Read the config of either runnable. Raises BadConfig, or DamagedCheckpoint for the checkpoint that RL goes on from."""
    if not train_rl.is_rl(path):
        return mle_recipe(read_config(path))
    config = train_rl.read_config(path)
    sizes = read_manifest(Path(config.initial)).sizes
    songs = (config.corpora, config.pop909_chords, config.apart, config.mix)
    origins = (config.initial, config.teacher)
    return Recipe(config.name, config.variant, config.seed, sizes, *songs, origins=origins, taught="reinforcement")


def mle_recipe(config: MleConfig) -> Recipe:
    """Of maximum likelihood."""
    songs = (config.corpora, config.pop909_chords, config.apart, config.mix)
    origins = () if config.initial is None else (config.initial,)
    return Recipe(config.name, config.variant, config.seed, config.sizes, *songs, origins=origins, metre=config.metre)


def golden_melody() -> list[int]:
    """The golden tune on the grid."""
    return [note_onset(pitch) if i == 0 else note_hold(pitch) for pitch, frames in GOLDEN_TUNE for i in range(frames)]


def golden(model: Decoder, variant: str) -> Golden:
    """The golden plan of a model: the first seed for which every choice was clear."""
    melody = golden_melody()
    for seed in range(100):
        plan = plain_plan(model, golden_request(melody, seed, variant))
        if min(plan.margins) > CLEAR_MARGIN and len(set(plan.chords)) > 2:
            return Golden(melody, seed, plan.chords)
    raise ValueError("expected a seed whose golden plan is clear, got none of 100: the weights choose chords by chance")


def sources(recipe: Recipe, train: Sequence[Song]) -> list[DataSource]:
    """What the weights were trained on, the data of the checkpoint they began as included. Raises DamagedCheckpoint."""
    result = []
    for name in in_reading_order(recipe.corpora):
        songs = [song for song in train if song.corpus == name]
        title = CL_TITLE if name == "pop909" and recipe.pop909_chords == "cl" else CORPORA[name].title
        frames = sum(len(song.melody) for song in songs)
        result.append(DataSource(title, CORPORA[name].licence, len({song.tune for song in songs}), frames))
    for source in (source for origin in recipe.origins for source in read_manifest(Path(origin)).data):
        if source.name not in {known.name for known in result}:
            result.append(source)
    return result


def publish(config: Recipe, run: Path, to: Path, *, train: Sequence[Song], metrics: Mapping[str, float]) -> Manifest:
    """Write the checkpoint and return its manifest; `train` are the songs the run was trained on. Raises DamagedCheckpoint."""
    data = sources(config, train)  # before anything is written: `to` may be the folder the run started from
    template = nnx.state(build(config.sizes, config.seed))
    best = ocp.StandardCheckpointer().restore((run / "best").absolute(), {"weights": template, "step": 0, "chord_loss": 0.0})
    weights = nnx.to_pure_dict(best["weights"])
    write_weights(to, weights if config.metre else forget_metre(weights), "bfloat16")
    held_out = {"held_out_chord_loss": round(float(best["chord_loss"]), 4)} if config.taught == "likelihood" else {}
    figures = held_out | dict(metrics)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(weights))
    step = int(best["step"])
    facts = CardFacts(config.name, config.variant, config.sizes, config.taught, parameters, step)
    text = card(facts, data=data, metrics=figures)
    (to / CARD_NAME).write_text(text)
    manifest = Manifest(
        format=FORMAT,
        model=config.name,
        variant=config.variant,
        sizes=config.sizes,
        vocabulary=vocabulary_hash(),
        dtype="bfloat16",
        step=step,
        files=hashes(to),
        data=data,
        metrics=figures,
        golden=golden(_model(config, read_weights(to, config.sizes)), config.variant),
        temperature=0.8,
    )
    write_manifest(to, manifest)
    return manifest


def forget_metre(weights: Any) -> Any:
    """Weights that make nothing of the place in the bar, as in their training: every place is embedded like the only one they saw."""
    told = {name: weights[name]["embedding"] for name in ("place", "beats_per_bar")}
    return weights | {name: {"embedding": np.broadcast_to(np.asarray(table)[:1], table.shape)} for name, table in told.items()}


def _model(config: Recipe, weights: Any) -> Decoder:
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
    parser.add_argument("--metrics", type=Path, help="JSON object of numbers for the manifest, by name")
    parser.add_argument("--cache", type=Path, help="folder of the converted corpora (default: RUN/frames)")
    parser.add_argument("--allow-unshippable", action="store_true", help="weights that were trained with this switch: not to be given away")
    arguments = parser.parse_args()
    try:
        config = recipe_of(arguments.config)
        if not arguments.allow_unshippable:
            check_shippable(config.corpora)
        metrics = msgspec.json.decode(arguments.metrics.read_bytes(), type=dict[str, float]) if arguments.metrics else {}
        train = sides_of(config, arguments.data, arguments.cache or arguments.run / "frames").train
        manifest = publish(config, arguments.run, arguments.to, train=train, metrics=metrics)
    except (BadConfig, CorpusProblem, DamagedCheckpoint) as problem:
        sys.exit(f"publish: {problem}")
    except msgspec.DecodeError as problem:
        sys.exit(f"publish: expected a JSON object of numbers in {arguments.metrics}, got {problem}")
    size = sum(path.stat().st_size for path in arguments.to.rglob("*") if path.is_file())
    print(f"{manifest.model}, step {manifest.step}: {arguments.to}, {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
