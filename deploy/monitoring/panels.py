"""What a dashboard is made of: panels as values, one sentence and some queries each. Pure.

In queries `$gateway` and `$worker` are instances, `$model` is a model, `$watched` one of the four places for a watched session; Grafana
fills them in, and whoever else runs the queries does as `filled` does. `$__rate_interval` is the span of a rate.
"""

from collections.abc import Sequence
from typing import NamedTuple

GATEWAY = 'instance=~"$gateway"'
MODEL = f'{GATEWAY},model=~"$model"'
WORKER = 'instance=~"$worker",model=~"$model"'
WATCHED = f'{GATEWAY},watched="$watched"'


class Query(NamedTuple):
    """One PromQL expression and what its lines are called."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """A picture. `unit` is one of Grafana's; `limit` draws a line that should not be crossed."""

    title: str
    meaning: str
    queries: tuple[Query, ...]
    unit: str = "short"
    limit: float | None = None
    number: bool = False  # one figure instead of a curve
    width: int = 12  # of 24


class Page(NamedTuple):
    """A dashboard. `variables` are its choices, by name: the query that lists them, or the choices themselves."""

    uid: str
    title: str
    about: str  # Markdown, shown at the top
    variables: dict[str, str]
    panels: tuple[Panel, ...]


def filled(expression: str, rate_interval: str, **chosen: str) -> str:
    """The expression with its variables filled in; those not chosen match everything."""
    values = {"gateway": ".*", "worker": ".*", "model": ".*", "watched": "1", **chosen}
    for name, value in values.items():
        expression = expression.replace(f"${name}", value)
    return expression.replace("$__rate_interval", rate_interval)


def shown(label: str) -> str:
    """A label in the name of a line."""
    return "{{" + label + "}}"


def quantiles(
    series: str, labels: str, by: Sequence[str] = (), percents: Sequence[int] = (50, 95, 99), name: str = ""
) -> tuple[Query, ...]:
    """Percentiles of a histogram."""
    grouped = ", ".join([*by, "le"])
    legend = " ".join([shown(label) for label in by] + ([name] if name else []))
    return tuple(
        Query(
            f"histogram_quantile({percent / 100:g}, sum by ({grouped}) (rate({series}_bucket{{{labels}}}[$__rate_interval])))",
            f"{legend} p{percent}".strip(),
        )
        for percent in percents
    )


def mean(series: str, labels: str, by: str) -> Query:
    """Mean of a histogram."""
    parts = (f"sum by ({by}) (rate({series}_{part}{{{labels}}}[$__rate_interval]))" for part in ("sum", "count"))
    return Query(" / ".join(parts), shown(by))


def ratio(part: str, whole: str, labels: str, by: str = "", part_labels: str = "") -> str:
    """How much of one counter another is, over the rate interval."""
    grouped = f"sum by ({by}) " if by else "sum"
    both = ",".join(filter(None, (labels, part_labels)))
    above = f"{grouped}(rate({part}{{{both}}}[$__rate_interval]))"
    return f"{above} / ({grouped}(rate({whole}{{{labels}}}[$__rate_interval])) > 0)"
