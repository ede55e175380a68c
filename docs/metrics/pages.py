"""Writes one page per metric and their index beside itself: ``python docs/metrics/pages.py``.

A page says what the metric dictionary, the reasons for NULL and dbt's manifest say. The figures of its example are those of
``examples.csv``, which ``python docs/metrics/pages.py HOME`` takes anew from the company that the index names.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.lake.connection import Lake
from pipelines.settings import PROJECT_DIR, load_settings
from pipelines.transformation.build import manifest_path

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples.csv"

Row = Mapping[str, str]
Manifest = Mapping[str, Any]

_LAYERS = ("raw", "staging", "intermediate", "marts")

SPECIFIED = {
    "roas": ("$18,450 of revenue ÷ $14,500 of spend", 18_450 / 14_500),
    "ctr": ("100 × 14,562 clicks ÷ 384,230 impressions", 100 * 14_562 / 384_230),
    "conversion_rate": ("100 × 1,284 converting ÷ 14,562 clicking users", 100 * 1_284 / 14_562),
    "cpc": ("$14,500 of spend ÷ 14,562 clicks", 14_500 / 14_562),
    "incrementality_percent": (
        "100 × (1,226 − 58 × 349,650 ÷ 34,580) ÷ 1,226",
        100 * (1_226 - 58 * 349_650 / 34_580) / 1_226,
    ),
}
"""The worked examples of the founding specification, as `tests/golden` holds the platform to them."""

PAGE = """# {metric_number} · {name}

`{metric_id}` — {definition}.

    {metric_id} = {formula}

| | |
|---|---|
| unit | {unit} |
| one value per | {grain} |
| healthy range | {healthy} |
| target | {target} |
| owner | {owner} |
| refreshed | {refresh_class}, at most {refreshed} apart |
| priority | {priority} |
| sources | {sources} |
| show it as | {visualization} |

## Where it comes from

{computed}

{lineage}

## Example

{example}

## Why is it NULL?

{reasons}
"""

INDEX = """# The 25 metrics

One page per metric: what it means, how it is computed and by which model, an example, and why it may be NULL. All are
made by `python docs/metrics/pages.py` from the metric dictionary, the reasons for NULL and the dbt project, which also the
published tables `metric_dictionary`, `null_reasons` and `metric_values` come from.

{table}

Status is `below`, `in_range` or `above` the healthy range. The figures of the examples are those of a simulated company:

    export TRUELIFT_HOME=.truelift/examples
    truelift simulate --seed 7 --customers 800 --events 15000 --end 2025-06-30T18:00:00Z --out $TRUELIFT_HOME/landing
    truelift run --backfill --as-of 2025-06-30T18:00:00Z
"""


def pages(manifest: Manifest) -> dict[str, str]:
    """File name to content of every page."""
    metrics, reasons = _seed(manifest, "metric_dictionary"), _seed(manifest, "null_reasons")
    examples = {row["metric_id"]: row for row in _rows(EXAMPLES)}
    found = {f"{row['metric_id']}.md": _page(row, manifest, reasons, examples.get(row["metric_id"])) for row in metrics}
    return {"README.md": INDEX.format(table=_index(metrics)), **found}


def examples(lake: Lake) -> list[Row]:
    """Of each metric the published row that explains it best: a whole month of everyone, with a value other than 0."""
    query = """
        select metric_id, breakdown, breakdown_key, window_label, round_to(numerator) as numerator,
            round_to(denominator) as denominator, round_to(value) as value, coalesce(null_reason, '') as null_reason,
            coalesce(status, '') as status, round_to(completeness_percent) as completeness_percent,
            round_to(confidence_percent) as confidence_percent
        from lake.published.metric_values
        qualify row_number() over (
            partition by metric_id
            order by coalesce(value, 0) = 0, breakdown <> 'overall', window_label <> '30d', window_label not in ('1-30d', '90d', '365d'),
                period_end desc, breakdown, breakdown_key
        ) = 1
        order by metric_number
    """
    with lake.reader() as connection:
        connection.execute("create temp macro round_to(x) as coalesce(format('{:.6g}', x), '')")
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _seed(manifest: Manifest, name: str) -> list[Row]:
    return _rows(PROJECT_DIR / "dbt_project" / manifest["nodes"][f"seed.truelift.{name}"]["original_file_path"])


def _rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _page(metric: Row, manifest: Manifest, reasons: list[Row], example: Row | None) -> str:
    models = _models_of(metric["metric_id"], manifest)
    return PAGE.format(
        **metric
        | {
            "sources": ", ".join(f"`{source}`" for source in metric["sources"].split("; ")),
            "healthy": _range(metric["healthy_min"], metric["healthy_max"])
            + (f", alert above {_number(metric['alert_above'])}" if metric["alert_above"] else ""),
            "target": _range(metric["target_min"], metric["target_max"]) or "the healthy range",
            "refreshed": _duration(int(metric["refresh_seconds"])),
            "computed": _computed(metric, models, manifest),
            "lineage": _lineage(models, manifest),
            "example": "\n\n".join(_example(metric["metric_id"], example)),
            "reasons": _reasons(metric["metric_id"], reasons),
        }
    )


def _models_of(metric_id: str, manifest: Manifest) -> list[str]:
    """Ids of the models that compute a metric: those whose ``meta.metrics`` names it."""
    nodes = manifest["nodes"].items()
    return sorted(key for key, node in nodes if metric_id in node["config"].get("meta", {}).get("metrics", ()))


def _computed(metric: Row, models: list[str], manifest: Manifest) -> str:
    if not models:
        return "No model computes it yet."
    marker = f"Metric {metric['metric_number']}:"
    shown = sorted(
        f"`{node['name']}.{name}`"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
        for name, column in node["columns"].items()
        if column["description"].startswith(marker)
    )
    columns = f", and as {', '.join(shown)}" if shown else ""
    return (
        f"Computed by {', '.join(_link(manifest['nodes'][key]) for key in models)}. Published in `metric_values`"
        f" where `metric_id = '{metric['metric_id']}'`{columns}."
    )


def _lineage(models: list[str], manifest: Manifest) -> str:
    """Everything that the models follow from, layer by layer; not the bookkeeping of increments."""
    found = set(models)
    waiting = list(models)
    while waiting:
        parents = manifest["nodes"].get(waiting.pop(), {}).get("depends_on", {}).get("nodes", ())
        waiting += [key for key in parents if key not in found]
        found.update(parents)
    nodes = [manifest["nodes"].get(key) or manifest["sources"][key] for key in found]
    layers = {
        layer: sorted(_link(node) for node in nodes if node["schema"] == layer and node["resource_type"] != "seed")
        for layer in _LAYERS
    }
    return _table(("layer", "follows from"), ([layer, ", ".join(names)] for layer, names in layers.items() if names))


def _link(node: Mapping[str, Any]) -> str:
    if node["resource_type"] == "source":
        return f"`{node['name']}`"
    return f"[`{node['name']}`](../../dbt_project/{node['original_file_path']})"


def _example(metric_id: str, example: Row | None) -> Iterator[str]:
    if metric_id in SPECIFIED:
        words, value = SPECIFIED[metric_id]
        yield f"The specification's: {words} = **{value:.4g}**."
    if example is None:
        yield "No value is published yet."
        return
    columns = "numerator, denominator, value, status, completeness_percent, confidence_percent"
    yield (
        f"```sql\nselect {columns}\nfrom metric_values\nwhere metric_id = '{metric_id}' and breakdown ="
        f" '{example['breakdown']}' and breakdown_key = '{example['breakdown_key']}'\n    and window_label ="
        f" '{example['window_label']}'\n```"
    )
    names = columns.split(", ")
    yield _table(names, [[example[name] or "NULL" for name in names]])


def _reasons(metric_id: str, reasons: list[Row]) -> str:
    rows = [
        [f"`{row['null_reason']}`", row["meaning"], row["remedy"]]
        for row in reasons
        if metric_id in row["metrics"].split("; ")
    ]
    return _table(("null_reason", "what it means", "what helps"), rows) if rows else "It never is."


def _index(metrics: list[Row]) -> str:
    rows = [
        [
            row["metric_number"],
            f"[{row['name']}]({row['metric_id']}.md)",
            row["unit"],
            _range(row["healthy_min"], row["healthy_max"]),
            row["owner"],
            row["refresh_class"],
            row["priority"],
        ]
        for row in metrics
    ]
    return _table(("#", "metric", "unit", "healthy", "owner", "refreshed", "priority"), rows)


def _range(low: str, high: str) -> str:
    if low and high:
        return f"{_number(low)} to {_number(high)}"
    if low or high:
        return f"{_number(low)} and above" if low else f"{_number(high)} and below"
    return ""


def _number(text: str) -> str:
    return f"{float(text):,.6g}" if float(text) < 1_000_000 else f"{float(text):,.0f}"


def _duration(seconds: int) -> str:
    for name, length in (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{seconds // length} {name}" + ("s" if seconds >= 2 * length else "")
    return f"{seconds} seconds"


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(names)
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def main() -> None:
    """Write the pages; before that the examples, when a home is named."""
    if len(sys.argv) > 1:
        found = examples(Lake(load_settings({"TRUELIFT_HOME": sys.argv[1]})))
        with EXAMPLES.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, found[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    with tempfile.TemporaryDirectory() as home:
        manifest = json.loads(manifest_path(load_settings({"TRUELIFT_HOME": home}).prepare()).read_text())
    for name, text in pages(manifest).items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
