"""How an agent learnt, as one picture: every part of its reward, what it costs in rules, and the music it made. Shell.

Run: python -m training.learning_curves runs/rl-m --to learning.png
Reads the `curves.jsonl` that `training.train_rl` writes while it learns, so it may be run at any moment. Thin lines are the means it
wrote, bold ones the running means of SMOOTH lines.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schema.grid import FRAMES_PER_BEAT
from training import plots
from training.train_rl import CURVES_NAME, Curve

SMOOTH = 5
_COLOURS = ("#2364aa", "#e07a1f", "#3a9d5d", "#c1292e", "#1b9aaa", "#7b3f61", "#8a8f98")


class NoCurves(RuntimeError):
    """There is nothing to draw."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(path, found)

    def __str__(self) -> str:
        path, found = self.args
        return f"expected the lines that train_rl writes in {path}, got {found}: name the --out of a run that has begun"


def read_curves(run: Path) -> list[Curve]:
    """The lines of a run, of each step the last that was written: a run that resumes repeats some. Raises NoCurves."""
    path = run / CURVES_NAME
    try:
        lines = [msgspec.json.decode(line, type=Curve) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError) as problem:
        raise NoCurves(path, str(problem)) from None
    if not lines:
        raise NoCurves(path, "none")
    latest = {line.step: line for line in lines}
    return [latest[step] for step in sorted(latest)]


def panels(curves: Sequence[Curve]) -> dict[str, dict[str, list[float]]]:
    """What is drawn: a title and its named lines, one value per curve; rules that cost nothing in all steps are left out."""
    told = {name: [curve.told[name] for curve in curves] for name in curves[0].told}
    music = {name: [curve.music.get(name, float("nan")) for curve in curves] for name in curves[0].music}
    rules = {name.removeprefix("rule ").replace("_", " "): cost for name, cost in told.items() if name.startswith("rule ")}
    return {
        "reward of an episode": {"all": told["reward"]},
        "note in chord, of episodes as sampled": {"pooled": music["note_in_chord"], "by song": music["note_in_chord_by_song"]},
        "contrastive reward models, mean cosine": _ears(told, "contrastive"),
        "discriminative reward models, mean probability": _ears(told, "discriminative"),
        "rules, cost of an episode before weights": {name: cost for name, cost in rules.items() if any(cost)},
        "nats a frame": {"entropy of the choice": told["entropy"], "KL to the teacher": told["divergence"]},
        "share of frames silent, of chords overlong": {"silent": music["silent_share"], "overlong": music["overlong_share"]},
        "entropy of chord lengths, nats": {"lengths": music["length_entropy"]},
    }


def _ears(told: Mapping[str, list[float]], kind: str) -> dict[str, list[float]]:
    """The lines of one kind of reward model, named by the beats they hear, longest first, rhythm last."""
    found = []
    for name, values in told.items():
        if name.startswith(f"ear {kind}-"):
            hears, frames = name.removeprefix(f"ear {kind}-").split("-")
            found.append((hears == "rhythm", -int(frames) // FRAMES_PER_BEAT, values))
    return {f"{-beats} beats{', rhythm' * rhythm}": values for rhythm, beats, values in sorted(found)}


def smoothed(values: Sequence[float], width: int = SMOOTH) -> list[float]:
    """The mean of each value and up to `width` - 1 before it; what is no number is left out."""
    spans = [np.array(values[max(0, end - width) : end]) for end in range(1, len(values) + 1)]
    return [float(span[~np.isnan(span)].mean()) if not np.isnan(span).all() else float("nan") for span in spans]


def draw(curves: Sequence[Curve], name: str, path: Path) -> None:
    """One PNG file."""
    shown = panels(curves)
    figure = Figure(figsize=(11, 12), layout="constrained")
    steps = [curve.step for curve in curves]
    for axes, (title, lines) in zip(figure.subplots(len(shown) // 2, 2).ravel(), shown.items(), strict=True):
        _panel(axes, steps, lines)
        axes.set_title(title, loc="left", fontsize=10, color=plots.INK)
    figure.supxlabel("training steps", fontsize=10, color=plots.INK)
    figure.suptitle(f"How {name} learnt\n", fontsize=12, color=plots.INK, x=0.01, ha="left")
    plots.save(figure, path)


def _panel(axes: Axes, steps: Sequence[int], lines: Mapping[str, list[float]]) -> None:
    for (name, values), colour in zip(lines.items(), _COLOURS, strict=False):
        axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.35)
        axes.plot(steps, smoothed(values), color=colour, linewidth=1.8, label=name)
    plots.quiet(axes)
    if len(lines) > 1:
        axes.legend(fontsize=8, labelcolor=plots.INK, ncols=2, edgecolor="none", framealpha=0.75)


def main() -> None:
    """Command line of the runnable."""
    parser = argparse.ArgumentParser(description="Draw how an agent learnt: rewards, rules, music.")
    parser.add_argument("run", type=Path, help="the --out of training.train_rl")
    parser.add_argument("--to", type=Path, required=True, help="the PNG file to write")
    parser.add_argument("--name", help="in the title (default: the folder's)")
    arguments = parser.parse_args()
    try:
        draw(read_curves(arguments.run), arguments.name or arguments.run.resolve().name, arguments.to)
    except NoCurves as problem:
        sys.exit(f"learning_curves: {problem}")


if __name__ == "__main__":
    main()
