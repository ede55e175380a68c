"""Writes the staging models from the event contract and the reference tables: SQL and its YAML twin.

A staging model only selects and names; its columns and their descriptions are those of the contract. So they are
derived rather than kept by hand: ``python -m pipelines.transformation.staging`` writes them, and a test fails when the
files and the contract disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from pipelines.lake.tables import REFERENCES
from pipelines.settings import PROJECT_DIR
from quality.contracts import Contract, EventType, load_contract

FOLDER = PROJECT_DIR / "dbt_project" / "models" / "staging"

_ENVELOPE: Mapping[str, str] = {
    "event_id": "event_id",
    "occurred_at": "timestamp",
    "event_date": "event_date",
    "user_id": "user_id",
    "session_id": "session_id",
    "source": "source",
    "app_version": "app_version",
    "device_platform": "platform",
    "user_segment": "user_segment",
    "region": "region",
}
"""Column of the staging models to column of ``raw.events``: two words are taken by SQL and by advertising."""

_BOOKKEEPING = ("load_id", "ingested_at", "late_arrival")
_HISTORY = ("valid_from", "valid_to", "load_id", "closed_by_load_id")
_SHARED = ("campaign_id", "creative_id", "user_id", "product_id", "order_id", "currency", "date")
"""Columns that mean the same in every reference input; the others are described per input."""


def staging_files(contract: Contract) -> dict[Path, str]:
    """Every staging file, path to content: one model and its description per event type and per reference input."""
    files = {FOLDER / "stg_events.sql": _all_events_sql(), FOLDER / "stg_events.yml": _all_events_yaml()}
    for event_type in contract.event_types:
        stem = FOLDER / "events" / f"stg_{event_type.name}"
        files[stem.with_suffix(".sql")] = _event_sql(event_type, contract)
        files[stem.with_suffix(".yml")] = _event_yaml(event_type, contract)
    for name in REFERENCES:
        stem = FOLDER / "references" / f"stg_{name}"
        files[stem.with_suffix(".sql")] = _reference_sql(name)
        files[stem.with_suffix(".yml")] = _reference_yaml(name)
    return files


def _property_columns(event_type: EventType, contract: Contract) -> dict[str, str]:
    envelope = contract.envelope["properties"]
    return {prop.name: prop.description for prop in event_type.properties if prop.name not in envelope}


def _all_events_sql() -> str:
    return _select([*_envelope_columns(), "event_type", "ingestion_lag_seconds", *_BOOKKEEPING], "events")


def _all_events_yaml() -> str:
    columns = [*_ENVELOPE, "event_type", "ingestion_lag_seconds", *_BOOKKEEPING]
    return _yaml("stg_events", "One row per accepted event of any type, without its properties.", _documented(columns))


def _envelope_columns() -> list[str]:
    return [raw if raw == column else f"{raw} as {column}" for column, raw in _ENVELOPE.items()]


def _documented(columns: Iterable[str]) -> dict[str, str]:
    return {column: f'{{{{ doc("{column}") }}}}' for column in columns}


def _event_sql(event_type: EventType, contract: Contract) -> str:
    columns = [*_envelope_columns(), *_property_columns(event_type, contract), *_BOOKKEEPING]
    return _select(columns, "events", f"where event_type = '{event_type.name}'")


def _reference_sql(name: str) -> str:
    _, columns = REFERENCES[name]
    return _select([*columns, *_HISTORY], name)


def _select(columns: list[str], table: str, condition: str = "") -> str:
    body = ",\n".join(f"    {column}" for column in columns)
    return "\n".join(["select", body, f"from {{{{ source('raw', '{table}') }}}}", condition]).strip() + "\n"


def _event_yaml(event_type: EventType, contract: Contract) -> str:
    described = {
        **_documented(_ENVELOPE),
        **_property_columns(event_type, contract),
        **_documented(_BOOKKEEPING),
    }
    grain = f"One row per accepted {event_type.name} event. {event_type.description}"
    return _yaml(f"stg_{event_type.name}", grain, described)


def _reference_yaml(name: str) -> str:
    key, columns = REFERENCES[name]
    blocks = {column: column if column in _SHARED else f"{name}_{column}" for column in columns}
    blocks |= {column: column for column in _HISTORY}
    described = {column: f'{{{{ doc("{block}") }}}}' for column, block in blocks.items()}
    grain = f"One row per version of {', '.join(key)} of the reference input {name}; the current one has no valid_to."
    return _yaml(f"stg_{name}", grain, described)


def _yaml(name: str, grain: str, columns: Mapping[str, str]) -> str:
    model = {
        "name": name,
        "description": grain,
        "columns": [{"name": column, "description": text} for column, text in columns.items()],
    }
    text: str = yaml.safe_dump({"models": [model]}, sort_keys=False, width=120, allow_unicode=True)
    return text


def main() -> None:
    """Write the files, and remove the models of event types and references that are no longer declared."""
    files = staging_files(load_contract())
    for folder in (FOLDER / "events", FOLDER / "references"):
        folder.mkdir(parents=True, exist_ok=True)
        for path in set(folder.iterdir()) - set(files):
            path.unlink()
    for path, text in files.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
