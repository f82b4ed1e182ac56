"""Pictures of an evaluation as PNG files: note in chord by beat, after a cold start and around a jump, and chord lengths. Shell.

They show what `training.evaluate` computed. The human chords are always grey, floors are thin and dashed, models bold with their bands.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from schema.grid import FRAMES_PER_BEAT
from training.evaluate import OVERLONG_FRAMES, Curve

HUMAN = "human"
_GREY = "#8a8f98"
_PALE = "#c9ccd2"
_INK = "#30343b"
_MODELS = ("#2364aa", "#e07a1f", "#3a9d5d", "#c1292e", "#1b9aaa")  # blue and orange first: most eyes tell them apart
_FLOORS = ("#a07fb5", "#a98467", "#7f9172")
_PANELS_PER_ROW = 2


class Lengths(NamedTuple):
    """What share of chords has which length in frames, from 0 on; the last counts all that are longer. `live`: a model played."""

    name: str
    shares: Sequence[float]
    live: bool


def draw_cold_start(path: Path, curves: Sequence[Curve], about: str) -> None:
    """Note in chord by beat when the accompaniment begins with the melody; `about` says what was played, in small print."""
    figure, axes = _canvas("Cold start: the accompaniment begins with the melody", about)
    _draw_curves(axes, curves, range(len(curves[0].value)))
    _save(figure, path)


def draw_jump(path: Path, curves: Sequence[Curve], about: str, jump: tuple[int, int]) -> None:
    """The same around a jump = (beat, semitones)."""
    beat, semitones = jump
    figure, axes = _canvas("Change of key: the melody jumps, and nothing announces it", about)
    _draw_curves(axes, curves, range(beat // 2, len(curves[0].value)))
    axes.axvline(beat, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"{semitones:+d} semitones",
        (beat, 0.99),
        (5, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        color=_INK,
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )
    _save(figure, path)


def draw_lengths(path: Path, human: Lengths, others: Sequence[Lengths], about: str) -> None:
    """How long chords last: a panel for each of `others`, the human ones behind."""
    columns = min(len(others), _PANELS_PER_ROW)
    rows = -(-len(others) // columns)
    figure = Figure(figsize=(4.8 * columns + 0.4, 2.7 * rows + 1.0), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    colour_of = _colours()
    for panel, other in zip(panels, others, strict=False):
        _draw_histogram(panel, human, other, next(colour_of[other.live]))
    for panel in panels[len(others) :]:
        panel.set_visible(False)
    figure.supylabel("share of chords", fontsize=10, color=_INK)
    figure.suptitle(f"How long chords last\n{about}", fontsize=10, color=_INK, x=0.01, ha="left")
    _save(figure, path)


def _draw_histogram(axes: Axes, human: Lengths, other: Lengths, colour: str) -> None:
    """Narrow bars over broad ones; what is longer than OVERLONG_FRAMES stands a beat to the right of all others."""
    beats = np.arange(len(human.shares)) / FRAMES_PER_BEAT
    longest = OVERLONG_FRAMES // FRAMES_PER_BEAT
    beats[-1] = longest + 1
    axes.bar(beats, human.shares, 0.8 / FRAMES_PER_BEAT, color=_PALE, label=human.name)
    axes.bar(beats, other.shares, 0.4 / FRAMES_PER_BEAT, color=colour, label=other.name)
    axes.set_xticks([*range(1, longest + 2)], [*(str(beat) for beat in range(1, longest + 1)), f">{longest}"])
    axes.set_xlim(0, longest + 1.5)
    axes.set_xlabel("length in beats", color=_INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _quiet(axes)
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK)


def _canvas(title: str, about: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=12, color=_INK, pad=26)
    small = f"mean of {about}; bands: 95 % confidence"
    axes.annotate(small, (0, 1), (0, 9), xycoords="axes fraction", textcoords="offset points", fontsize=9, color=_GREY)
    axes.set_xlabel("beats since the melody began", color=_INK)
    axes.set_ylabel("note in chord (share of frames)", color=_INK)
    axes.xaxis.set_major_locator(MultipleLocator(4))
    _quiet(axes)
    return figure, axes


def _draw_curves(axes: Axes, curves: Sequence[Curve], beats: range) -> None:
    """Lines with a point in the middle of each beat."""
    at = np.array(beats) + 0.5
    colour_of = _colours()
    for drawn in curves:
        value, low, high = (np.array(values)[beats.start : beats.stop] for values in (drawn.value, drawn.low, drawn.high))
        if drawn.live or drawn.name == HUMAN:
            colour = next(colour_of[True]) if drawn.live else _GREY
            axes.fill_between(at, low, high, color=colour, alpha=0.14, linewidth=0)
            axes.plot(at, value, color=colour, linewidth=2, marker="o", markersize=3.5, label=drawn.name, clip_on=False, zorder=3)
        else:
            axes.plot(at, value, color=next(colour_of[False]), linewidth=1.2, linestyle=(0, (5, 2)), label=drawn.name, clip_on=False)
    axes.set_xlim(beats.start, beats.stop)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _colours() -> dict[bool, Iterator[str]]:
    """Of models (True) and of floors, in the order they are drawn."""
    return {True: cycle(_MODELS), False: cycle(_FLOORS)}


def _quiet(axes: Axes) -> None:
    """Little ink for what is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.grid(axis="y", color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=144, facecolor="white")
