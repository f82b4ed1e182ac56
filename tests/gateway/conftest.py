"""A gateway with its worker, on both event loops."""

import asyncio

import pytest
import uvloop

from gateway.server import Gateway
from gateway.settings import GatewaySettings
from tests.doubles import MODELS, FakeWorker, House


def pytest_asyncio_loop_factories():
    """Every test with a loop runs on both: uvloop is what serves, asyncio is what is always there."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def open_house(tmp_path):
    """Makes houses with given settings; all are closed at the end."""
    opened = []

    async def make(*, models=MODELS, **given):
        path = str(tmp_path / f"worker{len(opened)}.sock")
        settings = GatewaySettings(
            **{"port": 0, "metrics_port": 0, "workers": (path,), "reconnect_s": 0.02, "moving_s": 0.05, "close_timeout_s": 0.2, **given}
        )
        worker = FakeWorker(path, models)
        await worker.start()
        gateway = Gateway(settings)
        await gateway.__aenter__()
        house = House(gateway, worker)
        opened.append(house)
        if "workers" not in given:
            await house.until_ready()
        return house

    yield make
    for house in opened:
        await house.gateway.__aexit__(None, None, None)
        await house.worker.stop()


@pytest.fixture
async def house(open_house):
    return await open_house()
