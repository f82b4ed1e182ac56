"""The dashboards as a page that Prometheus itself serves: every panel with its meaning, leading to its graph. Pure.

For who has no Grafana. Links are relative, so they hold behind whatever address Prometheus is reached at.
"""

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from deploy.monitoring.panels import Page, Panel, filled

NAME = "sideman.html"  # a template of Prometheus: nothing in it may look like one of its own instructions
RANGE = "3m"
STYLE = "body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em } li { margin: .3em 0 }"


def console(pages: Sequence[Page], rate_interval: str) -> str:
    """The whole page."""
    parts = ["<!doctype html>", '<html lang="en"><meta charset="utf-8"><title>Sideman</title>', f"<style>{STYLE}</style>"]
    for page in pages:
        parts.append(f"<h1>{escape(page.title)}</h1>\n<ul>")
        for panel in page.panels:
            parts.append(f'<li><a href="{escape(link(panel, rate_interval))}">{escape(panel.title)}</a>: {escape(panel.meaning)}')
        parts.append("</ul>")
    parts.append('<p><a href="../alerts">Alerts</a></p></html>')
    return "\n".join(parts) + "\n"


def link(panel: Panel, rate_interval: str) -> str:
    """The panel's queries, one below the other, in Prometheus' own graphs."""
    asked: dict[str, str] = {}
    for number, query in enumerate(panel.queries):
        graph = {"expr": filled(query.expression, rate_interval), "tab": "0", "range_input": RANGE}
        asked |= {f"g{number}.{name}": value for name, value in graph.items()}
    return f"../graph?{urlencode(asked)}"
