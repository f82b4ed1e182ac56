"""The dashboards: as the panels say, whole, and every query of every panel returns data from a real Prometheus after a real load.

The load: `sideman serve` with small networks, `sideman bench load`, and one watched session.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import urllib.request

import pytest

from deploy.monitoring.dashboards import FOLDER, built
from deploy.monitoring.pages import PAGES, SESSION
from deploy.monitoring.panels import filled
from deploy.monitoring.prometheus import running
from sideman_client.generated.messages import Configure
from tests.deploy.houses import play
from tests.deploy.test_alerts import DOCUMENTED, RULES, series_in
from tests.system.service import START_S, Service

PANELS = [(page, panel) for page in PAGES for panel in page.panels]
WINDOW = "20s"
SECONDS = 8
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


def test_every_series_is_in_a_dashboard_or_in_an_alert():
    """What nobody looks at need not be counted; these are for reading by hand."""
    shown = set().union(*(series_in(query.expression) for _, panel in PANELS for query in panel.queries))
    alerted = set().union(*(series_in(rule["expr"]) for rule in RULES))
    assert DOCUMENTED - shown - alerted == BY_HAND


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus")
async def test_every_query_returns_data_after_a_load(tiny_checkpoint, tiny_offline_checkpoint, environment, tmp_path):
    options = ["--checkpoint", str(tiny_checkpoint), "--checkpoint", str(tiny_offline_checkpoint), "--worker-metrics-port", "0"]
    with Service(*options, environment=environment, errors=tmp_path / "errors") as service:
        service.until_ready()
        gateway, worker = (address.removeprefix("http://") for address in (service.metrics, service.worker_metrics))
        jobs = {"sideman-gateway": [(gateway, {})], "sideman-worker": [(worker, {})]}
        with running(tmp_path, jobs) as prometheus:
            await load(service, environment)
            empty = [
                f"{page.title} / {panel.title}: {query.expression}"
                for page, panel in PANELS
                for query in panel.queries
                if not await asyncio.to_thread(prometheus.now, filled(query.expression, WINDOW))
            ]
        assert service.stop() == 0
    assert not empty, "\n".join(empty)


async def load(service, environment):
    """Players of the load generator, and beside them one whom an operator watches."""

    async def watch(session):
        request = urllib.request.Request(f"{service.metrics}/watch/{session}", method="POST")
        with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
            assert answer.status == 200

    command = [sys.executable, "-m", "sideman.cli", "bench", "load", "--url", service.url, "--sessions", "3", "--warm-up", "3"]
    settings = Configure(bpm=120.0, silence_beats=2, commit_beats=1)
    watched = play(service.url, name="sideman play", seconds=SECONDS + 6, settings=settings, welcomed=watch)
    generated = asyncio.to_thread(
        subprocess.run, [*command, "--seconds", str(SECONDS)], capture_output=True, text=True, env=environment, timeout=START_S, check=False
    )
    _, done = await asyncio.gather(watched, generated)
    assert done.returncode == 0, done.stderr


def test_the_session_page_is_about_one_place():
    assert all("$watched" in query.expression for panel in SESSION.panels for query in panel.queries)
