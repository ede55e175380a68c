"""Charts are well-formed pictures whose bars have the heights that the values ask for."""

from __future__ import annotations

import base64
import re
from datetime import date
from xml.etree import ElementTree

import pytest

from pipelines.automation.charts import daily_chart, daily_svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[tuple[float, float, str]]:
    rectangles = ElementTree.fromstring(svg).findall(f"{NAMESPACE}rect")[1:]
    return [
        (float(bar.attrib["x"]), float(bar.attrib["height"]), bar.findtext(f"{NAMESPACE}title", ""))
        for bar in rectangles
    ]


def test_heights_are_proportional_and_gaps_stay_open() -> None:
    drawn = bars(daily_svg("Events", [(date(2025, 1, 1), 10), (date(2025, 1, 2), 5), (date(2025, 1, 5), 2.5)]))
    (x0, h0, title), (x1, h1, _), (x4, h4, _) = drawn
    assert h1 / h0 == pytest.approx(0.5, abs=0.01)
    assert h4 / h0 == pytest.approx(0.25, abs=0.01)
    assert (x4 - x0) / (x1 - x0) == pytest.approx(4, abs=0.01)
    assert title == "2025-01-01: 10"


@pytest.mark.parametrize(
    "days",
    [[], [(date(2025, 1, 1), 0.0)], [(date(2025, 1, 1), 1e12)], [(date(2025, 1, 1), -5.0), (date(2025, 1, 2), 5.0)]],
)
def test_degenerate_series_are_still_pictures(days: list[tuple[date, float]]) -> None:
    for _, height, _ in bars(daily_svg("x", days)):
        assert 0 <= height <= 220


def test_titles_are_escaped_and_the_picture_is_inline() -> None:
    markdown = daily_chart('<script>"', []).md_str
    assert markdown is not None and "<script>" not in markdown
    encoded = re.search(r"base64,([^)]+)\)", markdown)
    assert encoded is not None
    ElementTree.fromstring(base64.b64decode(encoded.group(1)))
