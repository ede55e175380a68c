"""The data docs: one page that shows every check of every table and what it found last.

Rendered from our own results: the pages of Great Expectations load styles and scripts from seven hosts, and write
sampled values into the markup as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from pathlib import Path

from quality.checks import CheckResult, counted

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #1a7f4b; --bad: #c62828; --warn: #b26a00; }
@media (prefers-color-scheme: dark) { :root { --good: #5fce95; --bad: #ff7b72; --warn: #f0b45a; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin: 0; } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; font-family: ui-monospace, monospace; }
.verdict { font-weight: 600; } .pass { color: var(--good); } .critical, .alert { color: var(--bad); } .warning { color: var(--warn); }
nav { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
th { background: var(--soft); font-weight: 600; }
td:first-child { white-space: nowrap; font-weight: 600; width: 9rem; }
td:nth-child(3) { width: 28%; }
code { font-size: .85rem; overflow-wrap: anywhere; } ul { margin: .3rem 0 0; padding-left: 1.1rem; }
"""


def write_data_docs(folder: Path, results: Iterable[CheckResult], as_of: datetime) -> Path:
    """Write ``index.html`` below ``folder`` and return its path; who has the page open never sees half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    draft = folder / f".index.{os.getpid()}.tmp"
    draft.write_text(render_data_docs(sorted(results, key=lambda result: result.name), as_of), encoding="utf-8")
    draft.replace(page)
    return page


def render_data_docs(results: Sequence[CheckResult], as_of: datetime) -> str:
    """The page as HTML that needs nothing but itself; ``results`` ordered by table."""
    tables = [(table, list(found)) for table, found in groupby(results, key=lambda result: result.table)]
    links = "".join(
        f'<a class="{_worst(found)}" href="#{escape(table)}">{escape(table)}</a>' for table, found in tables
    )
    sections = "".join(_section(table, found) for table, found in tables)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Data docs</title><style>{_STYLE}</style></head><body><h1>Data docs</h1>"
        f"<p>As of {as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {_verdict(results)}</p>"
        f"<nav>{links}</nav>{sections}</body></html>\n"
    )


def _verdict(results: Sequence[CheckResult]) -> str:
    critical = sum(result.blocks for result in results)
    warned = sum(not result.passed for result in results) - critical
    if critical:
        verdict = f'<span class="verdict critical">publishing is blocked by {counted(critical, "check")}</span>'
    else:
        verdict = '<span class="verdict pass">no critical check fails</span>'
    return f"{verdict}. {counted(len(results), 'check')}, {counted(warned, 'warning')}."


def _section(table: str, results: Sequence[CheckResult]) -> str:
    rows = "".join(_row(result) for result in results)
    head = "<tr><th>outcome</th><th>check</th><th>found</th></tr>"
    return f'<h2 id="{escape(table)}">{escape(table)}</h2><table>{head}{rows}</table>'


def _row(result: CheckResult) -> str:
    outcome = "✓ passed" if result.passed else f"✗ {result.severity}"
    sample = "".join(f"<li><code>{escape(row)}</code></li>" for row in result.sample)
    found = escape(result.observed) + (f"<ul>{sample}</ul>" if sample else "")
    return (
        f'<tr><td class="{_state(result)}">{outcome}</td>'
        f"<td><code>{escape(result.check)}</code><br>{escape(result.description)}</td><td>{found}</td></tr>"
    )


def _state(result: CheckResult) -> str:
    return "pass" if result.passed else result.severity


def _worst(results: Sequence[CheckResult]) -> str:
    states = {_state(result) for result in results}
    return next(state for state in ("critical", "alert", "warning", "pass") if state in states)
