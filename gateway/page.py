"""The web client's files as HTTP answers, held in memory; nothing else of the disk can be asked for. Pure.

The page may load only from here (its Content-Security-Policy says so). Names with a hash in them never change, everything else is
asked for again each time and answered with 304 while it is the same.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

INDEX = "index.html"
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
    "sound": "application/octet-stream",
    "bin": "application/octet-stream",
    "md": "text/plain; charset=utf-8",
}
_SQUEEZED = ("html", "js", "css", "json", "webmanifest", "svg", "txt", "md")  # the others are compressed already
_HASHED = re.compile(r"(assets|planner)/.+-[\w-]{8}\.\w+")
_POLICY = (
    # WebAssembly is for browsers that cannot decode the instruments themselves; it allows no other code than the page's own.
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "midi=(self), camera=(), microphone=(), geolocation=()"),
    ("Connection", "close"),
)


@dataclass(frozen=True)
class PageAnswer:
    """One whole HTTP answer."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self) -> bytes:
        """Status line and headers as they go out."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(frozen=True)
class _File:
    body: bytes
    squeezed: bytes | None
    tag: str
    kind: str
    cache: str


class Page:
    """All files of the page; `answer` says what one request gets."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` by path below the page's folder, with slashes; files of a kind that is not in TYPES are left out."""
        self._files = {name: _file(name, body) for name, body in files.items() if _ending(name) in TYPES}

    def answer(self, target: str, *, accept_encoding: str = "", if_none_match: str = "") -> PageAnswer:
        """The answer to a GET of `target`, a path with or without a query."""
        name = unquote(target.partition("?")[0]).lstrip("/") or INDEX
        file = self._files.get(name)
        if file is None:
            text = b"expected the address of a file of this page, got another; the page is at /\n"
            return _answer(HTTPStatus.NOT_FOUND, text, (("Content-Type", TYPES["txt"]),))
        kept = (("ETag", file.tag), ("Cache-Control", file.cache), ("Vary", "Accept-Encoding"))
        if if_none_match == file.tag:
            return _answer(HTTPStatus.NOT_MODIFIED, b"", kept)
        kind = (("Content-Type", file.kind), *kept)
        if file.squeezed is not None and "gzip" in accept_encoding:
            return _answer(HTTPStatus.OK, file.squeezed, (*kind, ("Content-Encoding", "gzip")))
        return _answer(HTTPStatus.OK, file.body, kind)


def _answer(status: HTTPStatus, body: bytes, headers: tuple[tuple[str, str], ...]) -> PageAnswer:
    return PageAnswer(status, (*headers, ("Content-Length", str(len(body))), *_ALWAYS), body)


def _file(name: str, body: bytes) -> _File:
    squeezed = gzip.compress(body, mtime=0) if _ending(name) in _SQUEEZED else None
    cache = "public, max-age=31536000, immutable" if _HASHED.fullmatch(name) else "no-cache"
    return _File(body, squeezed, f'"{hashlib.sha256(body).hexdigest()[:16]}"', TYPES[_ending(name)], cache)


def _ending(name: str) -> str:
    return name.rpartition(".")[2]
