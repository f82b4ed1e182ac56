"""Pictures of an evaluation as PNG files: note in chord by beat, after a cold start and around a jump, and chord lengths. Shell.

They show what `training.evaluate` computed. The human chords are always grey, floors are thin and dashed, live models bold with their
bands, their warm starts dashed; models that hear all of the melody are dotted and dark: what playing along could reach at best.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from schema.grid import FRAMES_PER_BEAT
from training.evaluate import OVERLONG_FRAMES, Curve, Kind

_GREY = "#8a8f98"
_PALE = "#c9ccd2"
INK = "#30343b"
_COLOURS: Mapping[Kind, Sequence[str]] = {
    "people": (_GREY,),
    "live": ("#2364aa", "#e07a1f", "#3a9d5d", "#c1292e", "#1b9aaa"),  # blue and orange first: most eyes tell them apart
    "offline": (INK, "#7b3f61"),
    "floor": ("#a07fb5", "#a98467", "#7f9172"),
}
_PANELS_PER_ROW = 2
_WARM = ", warm"  # how the name of a warm start ends: a dashed line beside its model's


class Lengths(NamedTuple):
    """What share of chords has which length in frames, from 0 on; the last counts all that are longer."""

    name: str
    kind: Kind
    shares: Sequence[float]


def draw_cold_start(path: Path, panels: Mapping[str, Sequence[Curve]], about: str) -> None:
    """Note in chord by beat from the first chord on, a panel for each way to begin; `about` says what was played, in small print."""
    figure, all_axes = _canvas("The first beats of an accompaniment", about, panels=len(panels))
    colour_of = _Colours()
    for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
        _draw_curves(axes, curves, range(len(curves[0].value)), colour_of)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_xlabel("beats since the chords began", color=INK)
    _legend(figure)
    save(figure, path)


def draw_jump(path: Path, curves: Sequence[Curve], about: str, jump: tuple[int, int]) -> None:
    """The same around a jump = (beat, semitones)."""
    beat, semitones = jump
    figure, (axes,) = _canvas("Change of key: the melody jumps, and nothing announces it", about)
    _draw_curves(axes, curves, range(beat // 2, len(curves[0].value)), _Colours())
    axes.set_xlabel("beats since the melody began", color=INK)
    axes.axvline(beat, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"{semitones:+d} semitones",
        (beat, 0.99),
        (5, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        color=INK,
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )
    _legend(figure)
    save(figure, path)


def draw_lengths(path: Path, human: Lengths, others: Sequence[Lengths], about: str) -> None:
    """How long chords last: a panel for each of `others`, the human ones behind."""
    columns = min(len(others), _PANELS_PER_ROW)
    rows = -(-len(others) // columns)
    figure = Figure(figsize=(4.8 * columns + 0.4, 2.7 * rows + 1.0), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    colour_of = _Colours()
    for panel, other in zip(panels, others, strict=False):
        _draw_histogram(panel, human, other, colour_of(other.kind, other.name))
    for panel in panels[len(others) :]:
        panel.set_visible(False)
    figure.supylabel("share of chords", fontsize=10, color=INK)
    figure.suptitle(f"How long chords last\n{about}", fontsize=10, color=INK, x=0.01, ha="left")
    save(figure, path)


def _draw_histogram(axes: Axes, human: Lengths, other: Lengths, colour: str) -> None:
    """Narrow bars over broad ones; what is longer than OVERLONG_FRAMES stands a beat to the right of all others."""
    beats = np.arange(len(human.shares)) / FRAMES_PER_BEAT
    longest = OVERLONG_FRAMES // FRAMES_PER_BEAT
    beats[-1] = longest + 1
    axes.bar(beats, human.shares, 0.8 / FRAMES_PER_BEAT, color=_PALE, label=human.name)
    axes.bar(beats, other.shares, 0.4 / FRAMES_PER_BEAT, color=colour, label=_label(other.name, other.kind))
    axes.set_xticks([*range(1, longest + 2)], [*(str(beat) for beat in range(1, longest + 1)), f">{longest}"])
    axes.set_xlim(0, longest + 1.5)
    axes.set_xlabel("length in beats", color=INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    quiet(axes)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)


def _canvas(title: str, about: str, panels: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Panels side by side over one vertical axis; their titles and legend are the caller's."""
    figure = Figure(figsize=(9 if panels == 1 else 1.6 + 5 * panels, 4.6), layout="constrained")
    all_axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    figure.suptitle(title + "\n" * panels, fontsize=12, color=INK, x=0.01, ha="left")
    small = f"mean of {about}; bands: 95 % confidence"
    figure.text(0.01, 0.925, small, fontsize=9, color=_GREY, va="top")
    all_axes[0].set_ylabel("note in chord (share of frames)", color=INK)
    for axes in all_axes:
        axes.xaxis.set_major_locator(MultipleLocator(4))
        quiet(axes)
    return figure, all_axes


def _draw_curves(axes: Axes, curves: Sequence[Curve], beats: range, colour_of: "_Colours") -> None:
    """Lines with a point in the middle of each beat."""
    at = np.array(beats) + 0.5
    for drawn in curves:
        value, low, high = (np.array(values)[beats.start : beats.stop] for values in (drawn.value, drawn.low, drawn.high))
        colour, label = colour_of(drawn.kind, drawn.name), _label(drawn.name, drawn.kind)
        if drawn.kind == "floor":
            axes.plot(at, value, color=colour, linewidth=1.2, linestyle=(0, (5, 2)), label=label, clip_on=False)
        elif drawn.kind == "offline":
            axes.plot(at, value, color=colour, linewidth=1.8, linestyle=(0, (1, 1)), label=label, clip_on=False)
        elif drawn.name.endswith(_WARM):
            axes.plot(at, value, color=colour, linewidth=1.4, linestyle=(0, (4, 1.5)), label=label, clip_on=False, zorder=3)
        else:
            axes.fill_between(at, low, high, color=colour, alpha=0.14, linewidth=0)
            axes.plot(at, value, color=colour, linewidth=2, marker="o", markersize=3.5, label=label, clip_on=False, zorder=3)
    axes.set_xlim(beats.start, beats.stop)
    axes.set_ylim(0, 1)


def _label(name: str, kind: Kind) -> str:
    return f"{name} (hears all)" if kind == "offline" else name


def _legend(figure: Figure) -> None:
    """One for all panels, right of them; who is in several of them stands there once."""
    panels = sorted((axes.get_lines() for axes in figure.axes), key=len, reverse=True)
    lines = {str(line.get_label()): line for panel in panels for line in panel if not str(line.get_label()).startswith("_")}
    figure.legend(lines.values(), lines.keys(), frameon=False, fontsize=9, labelcolor=INK, loc="outside right upper")


class _Colours:
    """A colour for each name, the same in every panel of a picture, and for its warm start."""

    def __init__(self) -> None:
        self._left: dict[Kind, Iterator[str]] = {kind: cycle(colours) for kind, colours in _COLOURS.items()}
        self._of: dict[str, str] = {}

    def __call__(self, kind: Kind, name: str) -> str:
        """The name's own, or the next of its kind."""
        model = name.removesuffix(_WARM)
        if model not in self._of:
            self._of[model] = next(self._left[kind])
        return self._of[model]


def quiet(axes: Axes) -> None:
    """Little ink for what is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(axis="y", color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=144, facecolor="white")
