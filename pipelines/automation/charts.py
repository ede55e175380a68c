"""Small pictures for asset metadata: bars over days as an inline SVG, so that the UI shows a course at a glance."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from html import escape

from dagster import MarkdownMetadataValue

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 34, 28
_BAR, _GRID, _TEXT, _MUTED = "#4f43dd", "#e4e4ec", "#1f2430", "#6b7080"


def daily_chart(title: str, days: Sequence[tuple[date, float]]) -> MarkdownMetadataValue:
    """A bar chart of one value per day, oldest first, as Markdown metadata.

    ``days`` may have gaps; the axis is the calendar from the first to the last day.
    """
    encoded = base64.b64encode(daily_svg(title, days).encode()).decode()
    return MarkdownMetadataValue(f"![{escape(title)}](data:image/svg+xml;base64,{encoded})")


def daily_svg(title: str, days: Sequence[tuple[date, float]]) -> str:
    """The SVG document behind :func:`daily_chart`."""
    body = _bars(days) if days else _label(_WIDTH / 2, _HEIGHT / 2, "no data", anchor="middle")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="12" y="20" font-size="14" fill="{_TEXT}">{escape(title)}</text>{body}</svg>'
    )


def _bars(days: Sequence[tuple[date, float]]) -> str:
    first, last = days[0][0], days[-1][0]
    slots = (last - first).days + 1
    values = [value for _, value in days]
    top, bottom = max(values) or 1.0, min(0.0, *values)
    plot_width, plot_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    slot_width = plot_width / slots

    def vertical(value: float) -> float:
        return _TOP + plot_height * (top - value) / (top - bottom)

    parts = []
    for value in (bottom, (top + bottom) / 2, top):
        height = vertical(value)
        parts.append(f'<path d="M{_LEFT} {height:.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>')
        parts.append(_label(_LEFT - 8, height + 4, _short(value), anchor="end"))
    for day, value in days:
        left = _LEFT + (day - first).days * slot_width
        upper, lower = sorted((vertical(value), vertical(0.0)))
        parts.append(
            f'<rect x="{left + slot_width * 0.1:.1f}" y="{upper:.1f}" width="{slot_width * 0.8:.1f}" '
            f'height="{lower - upper:.1f}" fill="{_BAR}"><title>{day}: {value:,.10g}</title></rect>'
        )
    parts.append(_label(_LEFT, _HEIGHT - 8, str(first)))
    if last != first:
        parts.append(_label(_WIDTH - _RIGHT, _HEIGHT - 8, str(last), anchor="end"))
    return "".join(parts)


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_MUTED}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(value: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"
