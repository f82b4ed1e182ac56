"""The gateway with a fake worker, on the event loop that serves."""

import uvloop

from tests.gateway.conftest import house, open_house

__all__ = ["house", "open_house"]


def pytest_asyncio_loop_factories():
    """The loop of `python -m gateway`; the gateway's own tests run on asyncio's too."""
    return {"uvloop": uvloop.new_event_loop}
