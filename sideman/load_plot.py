"""The round trips of a load run as a PNG file: how many took how long, and what share was there by when. Shell."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from sideman.load_report import LoadReport

_GREY = "#8a8f98"
_INK = "#30343b"
_BLUE = "#2364aa"
_PALE_BLUE = "#b9cde3"
_BINS_PER_DECADE = 24


def draw(path: Path, report: LoadReport, waits_ms: Sequence[float]) -> None:
    """Histogram and empirical distribution on a logarithmic axis, with the frame budget; `waits_ms` in rising order.

    Ticks that were never answered are in no bar, and keep the distribution below 100 %.
    """
    answered = np.array([wait for wait in waits_ms if math.isfinite(wait)] or [report.frame_budget_ms])
    low, high = max(float(answered[0]), 0.01) / 2, max(float(answered[-1]), report.frame_budget_ms) * 2
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    bars = figure.subplots()
    edges = np.geomspace(low, high, 1 + round(_BINS_PER_DECADE * math.log10(high / low)))
    bars.hist(answered, edges.tolist(), weights=np.full(len(answered), 1.0 / max(1, len(waits_ms))), color=_PALE_BLUE)
    shares = bars.twinx()
    reached = np.arange(1, len(answered) + 1) / max(1, len(waits_ms))
    shares.step([low, *answered, high], [0.0, *reached, reached[-1]], where="post", color=_BLUE, linewidth=2)
    shares.set_ylim(0, 1.02)
    _budget(shares, report.frame_budget_ms)
    _label(bars, shares, report)
    bars.set_xscale("log")
    bars.set_xlim(low, high)
    bars.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.savefig(path, format="png", dpi=144, facecolor="white")


def _budget(axes: Axes, budget_ms: float) -> None:
    axes.axvline(budget_ms, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"one frame: {budget_ms:g} ms",
        (budget_ms, 0.5),
        (-6, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="center",
        color=_INK,
        fontsize=9,
    )


def _label(bars: Axes, shares: Axes, report: LoadReport) -> None:
    """Little ink for what is not data."""
    settings, share = report.settings, report.share_in_budget
    bars.set_title("Round trip, from the moment a tick was due", loc="left", fontsize=12, color=_INK, pad=26)
    in_budget = "" if share is None else f"; {share:.2%} in budget"
    small = f"{report.sessions} sessions for {report.seconds:g} s at {settings.bpm:g} bpm, {report.model}, {report.cores} cores{in_budget}"
    bars.annotate(small, (0, 1), (0, 9), xycoords="axes fraction", textcoords="offset points", fontsize=9, color=_GREY)
    bars.set_xlabel("ms", color=_INK)
    bars.set_ylabel("share of ticks (bars)", color=_INK)
    shares.set_ylabel("share answered by then (line)", color=_INK)
    for axes in (bars, shares):
        axes.spines[["top"]].set_visible(False)
        axes.spines[["left", "bottom", "right"]].set_color(_GREY)
        axes.tick_params(colors=_INK, labelsize=9)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    shares.grid(axis="y", color="#e3e5e8", linewidth=0.8)
    shares.set_axisbelow(True)
