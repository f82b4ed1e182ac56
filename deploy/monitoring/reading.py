"""Reads a dashboard as a person does: the newest value of every line of every panel, and what the overview's table says about them.

Pure but for the queries themselves, which are handed in.
"""

import math
import re
from collections.abc import Callable, Mapping

from deploy.monitoring.overview import OVERVIEW
from deploy.monitoring.panels import Page, filled

Reading = dict[str, dict[str, float]]  # panel -> line -> value
Ask = Callable[[str], list[tuple[dict[str, str], float]]]

FAILED_TOO_OFTEN = 0.01  # the objective
FROM_NOTHING_TOO_OFTEN = 0.1  # the line in the panel
FAR_ABOVE = 3.0  # a group, against the median of the others
LONG_WAY_S = 0.05  # there and back: most of a frame at 200 BPM
LATE_LOOP_S = 0.02  # the line in the panel
SLOW_STAGE_S = 0.02  # a plan that waits or computes for so long on average leaves too little of a frame at 200 BPM


def read(page: Page, ask: Ask, rate_interval: str, **chosen: str) -> Reading:
    """Every line that has a value now."""
    reading: Reading = {}
    for panel in page.panels:
        lines = reading[panel.title] = {}
        for query in panel.queries:
            for labels, value in ask(filled(query.expression, rate_interval, **chosen)):
                if math.isfinite(value):
                    lines[named(query.legend, labels)] = value
    return reading


def named(legend: str, labels: Mapping[str, str]) -> str:
    """What Grafana calls a line."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend)


def diagnose(reading: Mapping[str, Mapping[str, float]]) -> str:
    """What the table at the top of the overview says: the first row that fits."""
    spared = max(reading["Spared under load"].values(), default=0.0)
    if reading["Plans that failed"].get("failed", 0.0) <= FAILED_TOO_OFTEN and not spared:
        return "in time"
    if reading["Workers ready"].get("ready", 0.0) < reading["Workers ready"].get("told of", 0.0):
        return "worker lost"
    if max(reading["Plans from nothing"].values(), default=0.0) > FROM_NOTHING_TOO_OFTEN:
        return "more players than slots"
    network = {line.removesuffix(" p50"): value for line, value in reading["Network by client group"].items() if line.endswith(" p50")}
    slowest = max(network, key=lambda group: network[group], default=None)
    stages = reading["Where plans spend their time"]
    slow_stage = max(stages.get("device", 0.0), stages.get("queue", 0.0), *reading["Device calls"].values())
    if slowest is not None and network[slowest] > max(slow_stage, LONG_WAY_S):
        others = sorted(value for group, value in network.items() if group != slowest)
        if others and network[slowest] > FAR_ABOVE * others[len(others) // 2]:
            return f"network of {slowest}"
        return "network of all"
    if slow_stage > SLOW_STAGE_S:
        return "slow device"
    if max(reading["Event loop late"].values(), default=0.0) > LATE_LOOP_S:
        return "gateway without CPU"
    return "none of these"


def told(reading: Mapping[str, Mapping[str, float]], page: Page = OVERVIEW) -> str:
    """A reading as text, one panel a line."""
    units = {panel.title: panel.unit for panel in page.panels}
    lines = []
    for title, values in reading.items():
        shown = ", ".join(f"{name} {written(value, units[title])}" for name, value in values.items() if value) or "nothing"
        lines.append(f"  {title + ':':32} {shown}")
    return "\n".join(lines)


def written(value: float, unit: str) -> str:
    """A value with its unit."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "s":
            return f"{value * 1000:.3g} ms"
        case "ops":
            return f"{value:.4g}/s"
        case "bytes":
            return f"{value / 2**20:.4g} MiB"
        case _:
            return f"{value:.4g}"
