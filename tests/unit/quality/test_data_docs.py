"""The data docs open without a network, show every check, and can't be made to run what the data says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from quality.checks import CheckResult
from quality.data_docs import render_data_docs, write_data_docs
from tests.unit.quality.conftest import AS_OF

RESULTS = [
    CheckResult(
        "marts.orders", "adds_up", "critical", False, "2 rows", 2, ("id=<script>alert(1)</script>",), "Sums & parts"
    ),
    CheckResult("marts.orders", "is_fresh", "warning", False, "7 minutes", description="Newest order"),
    CheckResult("raw.events", "is_complete", "critical", True, "0 rows", 0, (), "Load log"),
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_nothing_is_fetched_and_nothing_is_run() -> None:
    page = render_data_docs(RESULTS, AS_OF)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    tags = Tags()
    tags.feed(page)
    assert not {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe", "object"}
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in tags.seen)


def test_every_check_is_shown_with_what_it_found() -> None:
    page = render_data_docs(RESULTS, AS_OF)
    for text in (
        "adds_up",
        "2 rows",
        "&lt;script&gt;alert(1)",
        "Sums &amp; parts",
        "7 minutes",
        "2025-06-30 12:00:00 UTC",
    ):
        assert text in page
    assert "publishing is blocked by 1 check" in page
    assert "no critical check fails" in render_data_docs(RESULTS[1:], AS_OF)


def test_the_page_is_replaced_whole(tmp_path: Path) -> None:
    write_data_docs(tmp_path / "docs", RESULTS, AS_OF)
    page = write_data_docs(tmp_path / "docs", reversed(RESULTS), AS_OF)
    assert page.read_text() == render_data_docs(RESULTS, AS_OF)
    assert list(page.parent.iterdir()) == [page]
