"""The page as HTTP answers: what is there, what is not, what is kept; and over real sockets beside the players."""

import asyncio
import gzip
from http import HTTPStatus
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.page import Page
from gateway.page_sender import read_page
from schema.client_messages import Keep, Tick

INDEX = b"<!doctype html><title>Sideman</title>"
SCRIPT = b"export const chord = 'Cmaj7';\n" * 100
FILES = {"index.html": INDEX, "assets/app-a1B2c3D4.js": SCRIPT, "instruments/piano.sound": bytes(range(256)) * 2000, "notes.secret": b"x"}


@pytest.fixture
def page() -> Page:
    return Page(FILES)


@pytest.mark.parametrize("target", ["/", "/index.html", "/?from=a-link", "/index.html?x=1"])
def test_the_page_is_at_the_root(page, target):
    answer = page.answer(target)
    assert (answer.status, answer.body, dict(answer.headers)["Content-Type"]) == (HTTPStatus.OK, INDEX, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "target", ["/nothing.js", "/../gateway/settings.py", "/%2e%2e/settings.py", "/assets", "/notes.secret", "//index.html/"]
)
def test_nothing_else_can_be_asked_for(page, target):
    answer = page.answer(target)
    assert answer.status is HTTPStatus.NOT_FOUND
    assert b"expected the address of a file of this page" in answer.body


def test_everything_may_load_from_here_only(page):
    for target in ("/", "/assets/app-a1B2c3D4.js", "/nothing"):
        policy = dict(page.answer(target).headers)["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "http" not in policy
        assert "'unsafe-" not in policy  # WebAssembly has a word of its own


def test_text_is_squeezed_for_who_can_read_it(page):
    squeezed = page.answer("/assets/app-a1B2c3D4.js", accept_encoding="gzip, br")
    assert gzip.decompress(squeezed.body) == SCRIPT
    assert dict(squeezed.headers)["Content-Encoding"] == "gzip"
    assert page.answer("/assets/app-a1B2c3D4.js").body == SCRIPT
    assert "Content-Encoding" not in dict(page.answer("/instruments/piano.sound", accept_encoding="gzip").headers)


def test_hashed_names_are_kept_for_ever_and_the_others_asked_for_again(page):
    assert "immutable" in dict(page.answer("/assets/app-a1B2c3D4.js").headers)["Cache-Control"]
    index = dict(page.answer("/").headers)
    assert index["Cache-Control"] == "no-cache"
    again = page.answer("/", if_none_match=index["ETag"])
    assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
    assert page.answer("/", if_none_match='"another"').status is HTTPStatus.OK


def test_a_folder_without_a_page_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="expected a folder with index"):
        read_page(tmp_path)


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, body in FILES.items():
        path = tmp_path / "page" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "page"


async def get(port: int, target: str) -> tuple[bytes, bytes]:
    """Head and body of one answer, read to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body


async def test_files_of_any_size_arrive_whole_beside_a_player(open_house, folder):
    house = await open_house(page=str(folder))
    async with house.client() as client:
        await client.hello()
        for target, name in (("/", "index.html"), ("/instruments/piano.sound", "instruments/piano.sound")):
            head, body = await get(house.gateway.port, target)
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert body == FILES[name]
        assert await client.ask(Tick(1, 0)) == Keep(1, "listening")


async def test_who_does_not_read_is_cut_and_takes_no_place_for_ever(open_house, folder):
    (folder / "instruments/choir.sound").write_bytes(bytes(8_000_000))
    house = await open_house(page=str(folder), page_timeout_s=0.2, max_page_answers=1)
    reader, stalled = await asyncio.open_connection("127.0.0.1", house.gateway.port, limit=1024)
    stalled.write(b"GET /instruments/choir.sound HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readline()
    (sender,) = house.gateway._page_senders
    assert await get(house.gateway.port, "/") == (b"", b"")
    assert house.metric("refusals_total", code="page_answers") == 1
    await sender.gone
    assert (await get(house.gateway.port, "/"))[1] == INDEX
    stalled.close()


async def test_without_a_page_only_websockets_are_answered(house):
    head, _ = await get(house.gateway.port, "/")
    assert b" 426 " in head.splitlines()[0]
