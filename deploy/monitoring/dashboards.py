"""Writes the Grafana dashboards from `pages`: `python -m deploy.monitoring.dashboards [--check]`, from the repository. Shell.

The JSON beside this file is generated and checked in; `--check` compares.
"""

import argparse
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from deploy.monitoring.pages import PAGES
from deploy.monitoring.panels import Page, Panel

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
ABOUT_HEIGHT, PANEL_HEIGHT, NUMBER_HEIGHT = 8, 8, 4


def built(page: Page) -> str:
    """A dashboard as JSON."""
    board = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .tags(["sideman"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for name, choices in page.variables.items():
        board = board.with_variable(_variable(name, choices))
    board = board.with_panel(text.Panel().title("How to read this page").content(page.about).span(24).height(ABOUT_HEIGHT))
    for panel in page.panels:
        board = board.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _variable(name: str, choices: str) -> dashboard.QueryVariable | dashboard.CustomVariable:
    if "(" not in choices:
        return dashboard.CustomVariable(name).values(choices)
    every = models.VariableOption(selected=True, text="All", value="$__all")
    listed = dashboard.QueryVariable(name).datasource(SOURCE).query(choices).refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return listed.multi(True).include_all(True).all_value(".*").current(every)


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel:
    drawn = stat.Panel() if panel.number else timeseries.Panel()
    drawn = drawn.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(SOURCE)
    drawn = drawn.span(panel.width).height(NUMBER_HEIGHT if panel.number else PANEL_HEIGHT)
    for index, query in enumerate(panel.queries):
        drawn = drawn.with_target(
            prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(chr(ord("A") + index)).datasource(SOURCE)
        )
    if panel.limit is not None:
        steps = [models.Threshold(value=None, color="green"), models.Threshold(value=panel.limit, color="red")]
        drawn = drawn.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    if isinstance(drawn, timeseries.Panel):
        drawn = drawn.min(0)
        if panel.limit is not None:
            drawn = drawn.thresholds_style(common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.LINE))
    return drawn


def main() -> int:
    """Write, or compare; 1 if a file is not what it would be written as."""
    parser = argparse.ArgumentParser(description="Writes the Grafana dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; say which files are out of date")
    check = parser.parse_args().check
    stale = []
    for page in PAGES:
        path, content = FOLDER / f"{page.uid}.json", built(page)
        if check and (not path.exists() or path.read_text() != content):
            stale.append(path.name)
        elif not check:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(content)
    if stale:
        advice = "run: python -m deploy.monitoring.dashboards"
        print(f"expected the dashboards as the panels say, got others: {', '.join(stale)}; {advice}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
