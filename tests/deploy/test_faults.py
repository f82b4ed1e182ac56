"""Which of three faults is present can be read off the overview dashboard alone: its own queries, and the table at its top.

Four services play at once, one of them healthy; a real Prometheus scrapes them all, and each is looked at by its `$gateway`.
"""

import asyncio
import shutil
from contextlib import AsyncExitStack

import pytest

from deploy.monitoring.overview import OVERVIEW
from deploy.monitoring.prometheus import running
from deploy.monitoring.reading import diagnose, read, told
from tests.deploy.houses import house, play, slow_link

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus"),
]

PLAYERS = 6
SECONDS = 16.0
WINDOW = "8s"
ROUNDS = 4
FAULTS = {
    "in time": {},
    "slow device": {"call_ms": 40.0},
    "more players than slots": {"slots": 2},
    "network of far": {},
}


async def perform(stack, running_house, fault):
    """Half of the players are near and half are far, whatever the fault is; only one of them makes it a long way."""
    far = running_house.url
    if fault == "network of far":
        far = await stack.enter_async_context(slow_link(running_house.url, 0.16))
    places = [("near", running_house.url), ("far", far)] * (PLAYERS // 2)
    await asyncio.gather(*(play(url, name=name, seconds=SECONDS, seed=seed) for seed, (name, url) in enumerate(places)))


async def look(prometheus, houses):
    """Let everybody play, then read the overview of every house."""
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(perform(stack, each, fault) for fault, each in houses.items()))
        return {fault: await asyncio.to_thread(read, OVERVIEW, prometheus.now, WINDOW, gateway=fault, worker=fault) for fault in houses}


async def test_the_overview_tells_which_fault_it_is(tmp_path):
    """On a machine too busy for the healthy service to be in time there is a fourth fault, so they play again."""
    async with AsyncExitStack() as stack:
        houses = {}
        for number, (fault, options) in enumerate(FAULTS.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            houses[fault] = await stack.enter_async_context(house(folder, **options))
        jobs = {
            "sideman-gateway": [(each.gateway, {"instance": fault}) for fault, each in houses.items()],
            "sideman-worker": [(each.worker, {"instance": fault}) for fault, each in houses.items()],
        }
        with running(tmp_path, jobs) as prometheus:
            for _ in range(ROUNDS):
                readings = await look(prometheus, houses)
                if diagnose(readings["in time"]) == "in time":
                    break
    for fault, reading in readings.items():
        print(f"\n{fault}\n{told(reading)}")
    assert {fault: diagnose(reading) for fault, reading in readings.items()} == {fault: fault for fault in FAULTS}
