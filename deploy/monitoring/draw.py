"""Draws a dashboard as a picture, from the same panels and the same queries, for pages without Grafana. Shell."""

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from deploy.monitoring.panels import Page, Panel, filled
from deploy.monitoring.prometheus import Api
from deploy.monitoring.reading import named, written

COLUMNS = 2
ROW_INCHES, WIDTH_INCHES = 2.6, 13.0
POINTS = 150
MANY = 4
LEGEND_COLUMNS = 4
HEADROOM = 1.05  # above the highest value


def draw(path: Path, page: Page, prometheus: Api, *, start: float, end: float, rate_interval: str) -> None:
    """A picture of what the dashboard shows of the time from `start` to `end`."""
    numbers = [panel for panel in page.panels if panel.number]
    curves = [panel for panel in page.panels if not panel.number]
    rows = -(-len(curves) // COLUMNS)
    figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * rows + (1.2 if numbers else 0.5)), layout="constrained")
    figure.suptitle(page.title, fontsize=14, x=0.01, ha="left", weight="bold")
    top, below = figure.subfigures(2, 1, height_ratios=[1.0 if numbers else 0.01, ROW_INCHES * rows], squeeze=False).flat
    for number, panel in enumerate(numbers):
        _figures(top.add_subplot(1, len(numbers), number + 1), panel, prometheus, end, rate_interval)
    for number, panel in enumerate(curves):
        _curve(below.add_subplot(rows, COLUMNS, number + 1), panel, prometheus, start, end, rate_interval)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=80)


def _figures(axes: Axes, panel: Panel, prometheus: Api, at: float, rate_interval: str) -> None:
    """A panel that is a few numbers."""
    axes.set_axis_off()
    values = [
        f"{written(value, panel.unit)} {named(query.legend, labels)}"
        for query in panel.queries
        for labels, value in prometheus.now(filled(query.expression, rate_interval), at)
    ]
    axes.text(0.0, 1.0, panel.title, fontsize=9, va="top", color="0.35", transform=axes.transAxes)
    axes.text(0.0, 0.55, "\n".join(values) or "no data", fontsize=13, va="top", transform=axes.transAxes)


def _curve(axes: Axes, panel: Panel, prometheus: Api, start: float, end: float, rate_interval: str) -> None:
    """A panel that is some lines over time."""
    step_s = (end - start) / POINTS
    lines = [
        (named(query.legend, labels), [point for point in points if math.isfinite(point[1])])  # a mean of nothing is none
        for query in panel.queries
        for labels, points in prometheus.over(filled(query.expression, rate_interval), start, end, step_s)
    ]
    lines = [(name, points) for name, points in lines if points]
    happened = [(name, points) for name, points in lines if any(value > 0 for _, value in points)]
    if len(lines) > MANY:  # those that only say that nothing happened would hide the others
        lines = happened
    for name, points in lines:
        axes.plot([moment - start for moment, _ in points], [value for _, value in points], label=name, lw=1.3)
    if panel.limit is not None:
        axes.axhline(panel.limit, color="tab:red", lw=0.8, ls="--")
    axes.set_title(panel.title, fontsize=10, loc="left")
    if not lines:
        axes.text(0.5, 0.5, "none", fontsize=10, color="0.5", ha="center", va="center", transform=axes.transAxes)
    highest = max([value for _, points in happened for _, value in points], default=panel.limit or 1.0)
    axes.set_ylim(0, HEADROOM * max(highest, panel.limit if panel.limit and panel.limit < 2 * highest else 0.0))
    axes.set_xlim(0, end - start)
    if panel.unit == "bytes":
        axes.yaxis.set_major_locator(MultipleLocator(2 ** (int(highest).bit_length() - 2)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, panel.unit)))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, ncols=LEGEND_COLUMNS, loc="lower right", bbox_to_anchor=(1.0, 0.98), frameon=False, borderpad=0.0)
