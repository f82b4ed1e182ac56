"""The dashboards: as the panels say, whole, and every query of every panel returns data from a real Prometheus after a real load.

The load: a real gateway, the worker with a cheap engine, and players in real time, one of whom is watched.
"""

import asyncio
import json
import math
import re
import shutil
import time
import urllib.request

import pytest
from matplotlib.image import imread

from deploy.monitoring.console import console
from deploy.monitoring.dashboards import FOLDER, built
from deploy.monitoring.draw import draw
from deploy.monitoring.pages import PAGES, SESSION
from deploy.monitoring.panels import Page, filled
from deploy.monitoring.prometheus import running
from tests.deploy.houses import house, play
from tests.deploy.test_alerts import DOCUMENTED, RULES, series_in

PANELS = [(page, panel) for page in PAGES for panel in page.panels]
WINDOW = "20s"
SECONDS = 12.0
BY_HAND = {
    f"sideman_{name}"
    for name in (
        "sessions_started_total",
        "messages_total",
        "batch_size",
        "round_trip_seconds",
        "worker_rss_bytes",
        "worker_slots",
        "worker_slots_used",
        "worker_wait_p90_seconds",
        "worker_late_ratio",
        "workers_crowded",
        "engine_waiting",
    )
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_the_json_is_what_the_panels_say(page):
    assert (FOLDER / f"{page.uid}.json").read_text() == built(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_a_dashboard_is_whole(page):
    """Unique panels that do not overlap, each with a sentence; every variable of a query is one of the dashboard's."""
    board = json.loads(built(page))
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in board["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(set(cells)) == len(cells)
    assert len({panel["title"] for panel in board["panels"]}) == len(board["panels"])
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", *page.variables}
    for panel in page.panels:
        assert panel.meaning.endswith(".")
        for query in panel.queries:
            assert set(re.findall(r"\$(\w+)", query.expression)) <= {*page.variables, "__rate_interval"}


def test_every_series_in_the_dashboards_is_a_documented_one():
    named = set().union(*(series_in(query.expression) for _, panel in PANELS for query in panel.queries))
    assert named <= DOCUMENTED


def test_every_recorded_series_in_the_dashboards_is_one_that_the_rules_record():
    named = set().union(*(re.findall(r"sideman:[\w:]+", query.expression) for _, panel in PANELS for query in panel.queries))
    assert named
    assert named <= {rule["record"] for rule in RULES if "record" in rule}


def test_every_series_is_in_a_dashboard_or_in_an_alert():
    """What nobody looks at need not be counted; these are for reading by hand."""
    shown = set().union(*(series_in(query.expression) for _, panel in PANELS for query in panel.queries))
    alerted = set().union(*(series_in(rule["expr"]) for rule in RULES))
    assert DOCUMENTED - shown - alerted == BY_HAND


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus")
async def test_every_query_returns_data_after_a_load(tmp_path):
    async with house(tmp_path) as service:
        jobs = {"sideman-gateway": [(service.gateway, {})], "sideman-worker": [(service.worker, {})]}
        with running(tmp_path, jobs, consoles={"x.html": console(PAGES, WINDOW)}) as prometheus:

            async def watch(session):
                request = urllib.request.Request(f"http://{service.gateway}/watch/{session}", method="POST")
                with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
                    assert answer.status == 200

            welcomed = [watch, None, None, None]
            await asyncio.gather(*(play(service.url, name="near", seconds=SECONDS, seed=n, welcomed=w) for n, w in enumerate(welcomed)))
            empty = [
                f"{page.title} / {panel.title}: {query.expression}"
                for page, panel in PANELS
                for query in panel.queries
                if not await asyncio.to_thread(prometheus.now, filled(query.expression, WINDOW))
            ]
            answer = await asyncio.to_thread(urllib.request.urlopen, f"{prometheus.url}/consoles/x.html")
            with answer:
                assert answer.read().decode() == console(PAGES, WINDOW)
            for page in PAGES:
                picture = tmp_path / f"{page.uid}.png"
                moments = {"start": time.time() - SECONDS, "end": time.time()}
                await asyncio.to_thread(draw, picture, page, prometheus, rate_interval=WINDOW, **moments)
                assert imread(picture).shape[1] > 600
    assert not empty, "\n".join(empty)


class Gaps:
    """A Prometheus whose every answer is one curve, of which a part, or all, is no number."""

    def __init__(self, *values):
        self.values = values

    def now(self, _expression, _at=None):
        return [({}, self.values[-1])]

    def over(self, _expression, start, _end, step_s):
        return [({"model": "m"}, [(start + number * step_s, value) for number, value in enumerate(self.values)])]


@pytest.mark.parametrize("values", [(1.0, math.nan, 2.0), (math.nan, math.inf), (0.0, 0.0)])
def test_what_is_no_number_is_left_out_of_a_picture(values, tmp_path):
    """A mean of nothing, before the first plan; with and without a limit, and in bytes."""
    some = [panel for _, panel in PANELS if panel.title in ("Sessions", "Device busy", "Memory")]
    draw(tmp_path / "x.png", Page("x", "x", "", {}, tuple(some)), Gaps(*values), start=0.0, end=60.0, rate_interval=WINDOW)
    assert imread(tmp_path / "x.png").shape[1] > 600


def test_the_session_page_is_about_one_place():
    assert all("$watched" in query.expression for panel in SESSION.panels for query in panel.queries)
