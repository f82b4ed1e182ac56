"""The documentation site: every document has a page, links follow it there, and what leads nowhere is found."""

from pathlib import Path

import pytest

from deploy.site import ROOT, broken, build, moved, navigation, places

PAGES = {"deploy/RUNBOOK.md": "operations/runbook.md", "schema/PROTOCOL.md": "protocol.md", "docs/faq.md": "faq.md"}


def test_links_between_documents_lead_to_their_pages_and_all_others_are_text():
    text = "[a](../schema/PROTOCOL.md#h) [b](monitoring/rules.yaml) [c](#alerts) [d](https://example.org) ![e](../docs/pictures/x.png)"
    expected = "[a](../protocol.md#h) b [c](#alerts) [d](https://example.org) ![e](../pictures/x.png)"
    assert moved(text, "deploy/RUNBOOK.md", PAGES, frozenset({"docs/pictures/x.png"})) == expected


def test_code_is_left_alone():
    text = "```python\n[x](y)\n```\n"
    assert moved(text, "docs/faq.md", PAGES, frozenset()) == text


def test_every_document_of_the_project_has_a_page():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.md")
        if not {"node_modules", ".venv", "tests", "dist", ".cache", ".pytest_cache", "page", "public"} & set(path.relative_to(ROOT).parts)
    }
    assert found - set(places(ROOT)) <= {"clients/README.md"}


def test_pages_that_nobody_put_in_order_come_last():
    assert navigation(["index.md", "roofline.md", "protocol.md", "operations/more.md"]).splitlines() == [
        "nav:",
        "  - index.md",
        "  - Protocol:",
        "      - protocol.md",
        "  - Operations:",
        "      - operations/more.md",
        "  - More:",
        "      - roofline.md",
    ]


def test_what_leads_nowhere_or_elsewhere_is_named(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text('<h1 id="top">x</h1>')
    good = '<a href="there/#top"></a> <a href="https://example.org/"></a> <a href="there/"></a>'
    bad = '<a href="nowhere/"></a> <a href="there/#gone"></a> <img src="x.png"> <script src="https://cdn.example/x.js"></script>'
    (tmp_path / "index.html").write_text(good + bad)
    found = list(broken(tmp_path))
    assert [sentence.rpartition("got ")[2] for sentence in found] == ["x.png", "https://cdn.example/x.js", "nowhere/", "there/#gone"]


@pytest.mark.slow
def test_the_site_is_built_and_every_link_of_it_leads_somewhere(tmp_path):
    assert build(tmp_path / "site") == []
    page = (tmp_path / "site/operations/runbook/index.html").read_text()
    assert 'id="sidemanworkerlost"' in page, "alerts link here"
    assert Path(tmp_path / "site/protocol/index.html").is_file()
