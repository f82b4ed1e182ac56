"""Reading a dashboard: lines by their names, and the table at the top of the overview row by row."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest

from deploy.monitoring.console import console
from deploy.monitoring.overview import OVERVIEW
from deploy.monitoring.pages import PAGES
from deploy.monitoring.panels import Page, Panel, Query, filled
from deploy.monitoring.reading import diagnose, read, told, written

WELL = {panel.title: {} for panel in OVERVIEW.panels} | {
    "Plans that failed": {"failed": 0.002},
    "Workers ready": {"ready": 1.0, "told of": 1.0},
    "Network by client group": {"web p50": 0.02, "web p95": 0.05, "play p50": 0.01},
    "Where plans spend their time": {"queue": 0.001, "device": 0.004, "link": 0.002},
    "Device calls": {"decode": 0.001},
    "Plans from nothing": {"from nothing": 0.01, "forgotten": 0.0},
    "Spared under load": {"a": 0.0},
}
FAILING = WELL | {"Plans that failed": {"failed": 0.3}}


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (WELL, "in time"),
        (WELL | {"Plans that failed": {}}, "in time"),
        (FAILING, "none of these"),
        (FAILING | {"Event loop late": {"a p99": 0.09, "b p99": 0.001}}, "gateway without CPU"),
        (FAILING | {"Event loop late": {"a p99": 0.09}, "Device calls": {"decode": 0.3}}, "slow device"),
        (WELL | {"Spared under load": {"a": 1.0}, "Plans from nothing": {"forgotten": 0.5}}, "more players than slots"),
        (WELL | {"Spared under load": {"a": 2.0}, "Where plans spend their time": {"queue": 0.1}}, "slow device"),
        (FAILING | {"Workers ready": {"ready": 0.0, "told of": 1.0}}, "worker lost"),
        (FAILING | {"Plans from nothing": {"from nothing": 0.5}}, "more players than slots"),
        (FAILING | {"Plans from nothing": {"forgotten": 0.5}, "Where plans spend their time": {}}, "more players than slots"),
        (FAILING | {"Network by client group": {"web p50": 0.4, "play p50": 0.01}}, "network of web"),
        (FAILING | {"Network by client group": {"web p50": 0.4, "play p50": 0.3}}, "network of all"),
        (FAILING | {"Network by client group": {"web p50": 0.4}}, "network of all"),
        (FAILING | {"Where plans spend their time": {"queue": 0.2, "device": 0.004}}, "slow device"),
        (FAILING | {"Where plans spend their time": {}, "Device calls": {"decode": 0.3}, "Network by client group": {}}, "slow device"),
    ],
)
def test_the_first_row_of_the_table_that_fits_is_what_is_said(seen, said):
    assert diagnose(seen) == said


def test_lines_are_named_as_grafana_names_them_and_what_is_no_number_is_no_line():
    panel = Panel("P", "x.", (Query("q$gateway", "{{group}} p50"), Query("r", "plain")))
    answers = {"qa": [({"group": "web"}, 1.0), ({"group": "play"}, float("nan"))], "r": [({}, 2.0)]}
    assert read(Page("u", "t", "", {}, (panel,)), answers.__getitem__, "1m", gateway="a") == {"P": {"web p50": 1.0, "plain": 2.0}}


def test_variables_that_are_not_chosen_match_everything():
    expression = 'x{instance=~"$gateway",model=~"$model"}[$__rate_interval]'
    assert filled(expression, "5m", gateway="a") == 'x{instance=~"a",model=~".*"}[5m]'


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.123, "percentunit", "12.3 %"), (0.0123, "s", "12.3 ms"), (2**21, "bytes", "2 MiB"), (1.5, "ops", "1.5/s"), (1.5, "short", "1.5")],
)
def test_values_have_their_units(value, unit, text):
    assert written(value, unit) == text


def test_a_reading_is_a_line_a_panel():
    assert told(WELL).count("\n") == len(OVERVIEW.panels) - 1
    assert "failed 0.2 %" in told(WELL)


def test_the_console_leads_to_every_query_of_every_panel_and_holds_no_instruction_for_prometheus():
    page = console(PAGES, "20s")
    links = re.findall(r'href="(\.\./graph\?[^"]+)"', page)
    asked = [query for link in links for name, query in parse_qsl(urlsplit(unescape(link)).query) if name.endswith(".expr")]
    assert asked == [filled(query.expression, "20s") for page in PAGES for panel in page.panels for query in panel.queries]
    assert "{{" not in page
