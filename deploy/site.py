"""Builds the documentation site: `python -m deploy.site [--out FOLDER]`, or `make site`. Shell.

Each document stays where people who read the repository look for it; here it gets a place on the site, and its links to other documents
lead there. Links to anything else in the repository become plain text. Then Zensical builds it, and every link and picture of every page
is looked up: nothing may lead nowhere, and nothing may be loaded from another host.
"""

import argparse
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "mkdocs.yml"
# Document of the repository -> page of the site; what is in docs/ keeps its place there.
PLACES = {
    "schema/PROTOCOL.md": "protocol.md",
    "clients/python/README.md": "sdk/python.md",
    "clients/typescript/README.md": "sdk/typescript.md",
    "clients/web/README.md": "sdk/web.md",
    "deploy/RUNBOOK.md": "operations/runbook.md",
    "training/LOG.md": "training/log.md",
    "inference/weights/rl-m-small/CARD.md": "training/rl-m-small.md",
    "inference/weights/rl-s-small/CARD.md": "training/rl-s-small.md",
    "inference/weights/online-small/CARD.md": "training/online-small.md",
    "inference/weights/offline-small/CARD.md": "training/offline-small.md",
    "DECISIONS.md": "decisions.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "readme.md",
}
# Sections and their first pages, in order; pages named nowhere here come last, so that no document is lost.
ORDER = {
    "": ("index.md", "quick-start.md", "faq.md"),
    "Protocol": ("protocol.md",),
    "SDKs": ("sdk/index.md", "sdk/python.md", "sdk/typescript.md", "sdk/web.md"),
    "Operations": ("operations/index.md", "operations/dashboards.md", "operations/runbook.md", "operations/metrics.md"),
    "Training": (
        "training/index.md",
        "training/log.md",
        "training/rl-m-small.md",
        "training/rl-s-small.md",
        "training/online-small.md",
        "training/offline-small.md",
    ),
    "Project": ("readme.md", "decisions.md", "changelog.md"),
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def places(root: Path) -> dict[str, str]:
    """Every document there is, and its page."""
    own = {path.relative_to(root).as_posix(): path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md")}
    return {document: page for document, page in PLACES.items() if (root / document).is_file()} | own


def moved(text: str, document: str, pages: Mapping[str, str], exists: frozenset[str]) -> str:
    """The text of a document with its links as they are from its page; `exists` are pictures that lie beside pages."""

    def link(match: re.Match[str]) -> str:
        shown, words, target = match[1], match[2], match[3]
        address, _, anchor = target.partition("#")
        if not address or urlsplit(target).scheme:
            return match[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(document), address))
        page = pages.get(wanted) or pages.get(f"{wanted}/README.md") or (wanted.removeprefix("docs/") if wanted in exists else None)
        if page is None:
            return words
        relative = posixpath.relpath(page, posixpath.dirname(pages[document]) or ".")
        return f"{shown}[{words}]({relative}{'#' + anchor if anchor else ''})"

    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in _FENCE.split(text))


def navigation(pages: Iterable[str]) -> str:
    """The part of the configuration that orders the pages."""
    left = sorted(pages)
    lines = ["nav:"]
    for section, first in ORDER.items():
        named = [page for page in first if page in left]
        folder = posixpath.dirname(first[0])
        named += [page for page in left if page not in named and folder and page.startswith(folder + "/")]
        left = [page for page in left if page not in named]
        indent = "  "
        if section and named:
            lines.append(f"  - {section}:")
            indent = "      "
        lines += [f"{indent}- {page}" for page in named]
    if left:
        lines += ["  - More:", *(f"      - {page}" for page in left)]
    return "\n".join(lines) + "\n"


def lay_out(root: Path, folder: Path) -> None:
    """All pages and pictures, where Zensical looks for them."""
    pages = places(root)
    pictures = {path.relative_to(root).as_posix() for kind in ("png", "svg", "webp") for path in (root / "docs").rglob(f"*.{kind}")}
    for picture in pictures:
        target = folder / picture.removeprefix("docs/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / picture, target)
    for document, page in pages.items():
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(moved((root / document).read_text(), document, pages, frozenset(pictures)))


class _Page(HTMLParser):
    """What a page links to, what it loads, and the anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect (the parser calls this)."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("img", "script", "source", "iframe") and "src" in given:
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "modulepreload"):
            self.loads.append(given["href"])


def broken(site: Path) -> Iterator[str]:
    """One sentence for each link that leads nowhere and each thing that another host would be asked for."""
    pages = {path: _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        where = path.relative_to(site).as_posix()
        if where == "404.html":  # its addresses are from the root, wherever that will be
            continue
        for load in page.loads:
            if urlsplit(load).netloc or not _found(path, load).is_file():
                yield f"{where}: expected what it loads to be part of the site, got {load}"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = _found(path, parts.path) if parts.path else path
            if not target.is_file():
                yield f"{where}: expected the link to lead to a page, got {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where}: expected that page to have the anchor, got {link}"


def _found(path: Path, address: str) -> Path:
    target = Path(posixpath.normpath(path.parent.as_posix() + "/" + unquote(urlsplit(address).path)))
    return target / "index.html" if target.is_dir() else target


def build(out: Path) -> list[str]:
    """Build the site; what is wrong with it. Raises CalledProcessError if Zensical fails."""
    with tempfile.TemporaryDirectory(prefix="sideman-site-") as work:
        lay_out(ROOT, Path(work) / "docs")
        (Path(work) / "mkdocs.yml").write_text(CONFIG.read_text() + navigation(places(ROOT).values()))
        command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", f"{work}/mkdocs.yml"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(Path(work) / "site", out)
    return list(broken(out))


def main() -> int:
    """The command; 1 if a link leads nowhere."""
    parser = argparse.ArgumentParser(prog="site", description="The documentation site.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "site", help="where to (default: dist/site)")
    out = parser.parse_args().out
    try:
        problems = build(out)
    except subprocess.CalledProcessError as problem:
        print(problem.stdout + problem.stderr, file=sys.stderr)
        return 1
    print("\n".join(problems) or f"site: {len(list(out.rglob('*.html')))} pages in {out}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
