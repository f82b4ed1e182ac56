"""The web image's server: the page with the gateway's own headers, and a whole jam through it, at the page's address and at /jam."""

import asyncio
import re
import shutil
import socket
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.page import _ALWAYS
from sideman_client.generated.messages import Configure
from tests.deploy.houses import house, play
from tests.doubles import SOON_S

TEMPLATE = (Path(__file__).parents[2] / "deploy/docker/web.conf.template").read_text()
HEADERS = {name: value for name, value in _ALWAYS if name != "Connection"}
SETTINGS = Configure(bpm=120.0, silence_beats=1, commit_beats=1)


def test_the_page_has_the_headers_that_the_gateway_gives_it():
    given = {name: value.strip('"') for name, value in re.findall(r'add_header ([\w-]+) (".*"|\S+) always;', TEMPLATE)}
    assert given == HEADERS


@asynccontextmanager
async def web(folder, gateway):
    """Nginx with the image's configuration; its address."""
    (folder / "html").mkdir()
    (folder / "html/index.html").write_text("<p>the page</p>")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    site = TEMPLATE.replace("${GATEWAY}", gateway).replace("listen 8080", f"listen 127.0.0.1:{port}")
    (folder / "site.conf").write_text(site.replace("/usr/share/nginx/html", str(folder / "html")))
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; error_log {folder}/errors; daemon off; user root;\n"
        f"events {{}}\nhttp {{ access_log off; {paths} include {folder}/site.conf; }}\n"
    )
    server = await asyncio.create_subprocess_exec("nginx", "-e", f"{folder}/errors", "-c", str(folder / "nginx.conf"))
    try:
        await until_listening(port)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        await server.wait()


async def until_listening(port):
    async with asyncio.timeout(SOON_S):
        writer = None
        while writer is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx: apt-get install nginx-light")
async def test_the_page_and_a_jam_come_through_it(tmp_path):
    async with house(tmp_path) as service, web(tmp_path, service.url.removeprefix("ws://")) as address:
        answer = await asyncio.to_thread(urllib.request.urlopen, f"http://{address}/")
        with answer:
            assert (answer.status, answer.read()) == (200, b"<p>the page</p>")
            assert all(answer.headers[name] == value for name, value in HEADERS.items())
        for path in ("/", "/jam"):
            jam = await play(f"ws://{address}{path}", name="near", seconds=3.0, settings=SETTINGS)
            assert sum(frame.planned for frame in jam.frames) > 12
