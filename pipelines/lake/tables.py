"""Tables that Python writes: raw, quarantine, references and the operational logs. dbt owns the others."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from quality.contracts import Contract

SCHEMAS = ("raw", "staging", "intermediate", "marts", "models", "ops", "published")

QUARANTINE: Mapping[str, str] = {
    "load_id": "bigint",
    "source_file": "varchar",
    "source_line": "bigint",
    "raw_line": "varchar",
    "reasons": "varchar[]",
    "details": "varchar",
    "event_id": "varchar",
    "ingested_at": "timestamp",
    "released_at": "timestamp",
    "released_by_load_id": "bigint",
}

LOAD_LOG: Mapping[str, str] = {
    "load_id": "bigint",
    "source": "varchar",
    "target": "varchar",
    "source_file": "varchar",
    "content_hash": "varchar",
    "status": "varchar",
    "error": "varchar",
    "conversions": "varchar",
    "bytes": "bigint",
    "source_rows": "bigint",
    "lines": "bigint",
    "accepted": "bigint",
    "late": "bigint",
    "replaced": "bigint",
    "duplicates": "bigint",
    "rejected": "bigint",
    "filtered": "bigint",
    "rejected_by_reason": "varchar",
    "pii_masked": "bigint",
    "min_timestamp": "timestamp",
    "max_timestamp": "timestamp",
    "ingested_at": "timestamp",
    "seconds": "double",
    "events_per_second": "double",
}

TOUCHED_DAYS: Mapping[str, str] = {"load_id": "bigint", "event_date": "date", "user_id": "varchar", "cause": "varchar"}
"""Days (and, where it is known, the user in them) that a load changed other than by adding rows."""

BUILD_LOG: Mapping[str, str] = {
    "model": "varchar",
    "load_id": "bigint",
    "as_of": "timestamp",
    "full_refresh": "boolean",
    "project": "varchar",
}
"""The last load that each incremental model has taken in, and the fingerprint of the dbt project that did it."""

QUALITY_RESULTS: Mapping[str, str] = {
    "audit_id": "bigint",
    "run_id": "varchar",
    "scope": "varchar",
    "version": "bigint",
    "as_of": "timestamp",
    "origin": "varchar",
    "table_name": "varchar",
    "check_name": "varchar",
    "severity": "varchar",
    "passed": "boolean",
    "observed": "varchar",
    "unexpected_count": "bigint",
    "sample": "varchar",
    "description": "varchar",
}

PUBLISH_LOG: Mapping[str, str] = {
    "publish_id": "bigint",
    "version": "bigint",
    "previous_version": "bigint",
    "as_of": "timestamp",
    "published_at": "timestamp",
    "action": "varchar",
    "views": "varchar[]",
    "checks_passed": "bigint",
    "checks_warned": "bigint",
    "note": "varchar",
}

MODEL_VERSIONS: Mapping[str, str] = {
    "id": "varchar",
    "kind": "varchar",
    "as_of": "timestamp",
    "training_start": "timestamp",
    "training_end": "timestamp",
    "data_version": "varchar",
    "input_schema": "varchar",
    "parameters": "varchar",
    "metrics": "varchar",
    "importances": "varchar",
    "references": "varchar",
    "artifact_hash": "varchar",
    "status": "varchar",
    "approved_by": "varchar",
}
"""Trained models, as ``models_ml.registry.ModelVersion.row`` writes them."""

MODEL_EVALUATIONS: Mapping[str, str] = {
    "kind": "varchar",
    "as_of": "timestamp",
    "model_id": "varchar",
    "tested_from": "timestamp",
    "tested_until": "timestamp",
    "cases": "bigint",
    "auc": "double",
    "auc_low": "double",
    "auc_high": "double",
    "precision_score": "double",
    "recall_score": "double",
    "f1_score": "double",
    "qini": "double",
    "null_reason": "varchar",
    "details": "varchar",
}
"""One row per kind of model and training: how the model does out of time, or why there is none."""

REFERENCES: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "campaigns": (
        ("campaign_id",),
        {
            "campaign_id": "uuid",
            "name": "varchar",
            "campaign_type": "varchar",
            "platform": "varchar",
            "status": "varchar",
            "budget": "decimal(18,4)",
            "daily_budget": "decimal(18,4)",
            "currency": "varchar",
            "start_date": "date",
            "end_date": "date",
            "target_segment": "varchar",
            "min_age": "bigint",
            "created_by": "varchar",
            "holdout_share": "double",
        },
    ),
    "creatives": (
        ("creative_id",),
        {"creative_id": "uuid", "campaign_id": "uuid", "headline": "varchar", "body": "varchar", "cta": "varchar"},
    ),
    "customers": (
        ("user_id",),
        {
            "user_id": "varchar",
            "signup_date": "date",
            "first_campaign_id": "uuid",
            "region": "varchar",
            "birth_year": "bigint",
            "is_minor": "boolean",
            "timezone": "varchar",
        },
    ),
    "products": (
        ("product_id",),
        {
            "product_id": "varchar",
            "name": "varchar",
            "category": "varchar",
            "unit_cost": "decimal(18,4)",
            "currency": "varchar",
        },
    ),
    "order_items": (
        ("order_id", "product_id"),
        {
            "order_id": "uuid",
            "product_id": "varchar",
            "quantity": "double",
            "unit_price": "decimal(18,4)",
            "unit_cost": "decimal(18,4)",
            "currency": "varchar",
            "store_id": "varchar",
        },
    ),
    "ad_spend_daily": (
        ("campaign_id", "date", "platform"),
        {
            "campaign_id": "uuid",
            "date": "date",
            "platform": "varchar",
            "impressions": "bigint",
            "clicks": "bigint",
            "spend": "decimal(18,4)",
            "conversions": "double",
            "revenue": "decimal(18,4)",
            "currency": "varchar",
            "reported_at": "timestamp",
        },
    ),
    "fx_rates": (("date", "currency"), {"date": "date", "currency": "varchar", "rate": "double"}),
    "query_costs": (
        ("query_id",),
        {
            "query_id": "varchar",
            "started_at": "timestamp",
            "engine": "varchar",
            "name": "varchar",
            "actor": "varchar",
            "seconds": "double",
            "bytes": "bigint",
            "cost": "decimal(18,4)",
        },
    ),
    "service_probes": (
        ("probe_id",),
        {
            "probe_id": "varchar",
            "service": "varchar",
            "started_at": "timestamp",
            "status_code": "bigint",
            "response_ms": "double",
        },
    ),
}
"""Reference inputs (specification 01-events.md): key columns, then columns with their SQL types."""

HISTORY: Mapping[str, str] = {
    "valid_from": "timestamp",
    "valid_to": "timestamp",
    "load_id": "bigint",
    "closed_by_load_id": "bigint",
    "source_file": "varchar",
    "source_line": "bigint",
}
"""Columns that every reference table adds: a row is current while ``valid_to`` is null."""


def create_tables(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Create what is missing, and add the columns of newly declared properties; leave the rest as it is."""
    existing = _columns(connection)
    if not {"raw", "published"} <= {schema for (schema, _) in existing} | _schemas(connection):
        for schema in SCHEMAS:
            connection.execute(f"create schema if not exists lake.{schema}")
        # Rows kept inside the catalog come back to life in older versions once they are flushed (duckdb/ducklake#1406),
        # which would change what is published. Stored in the catalog, so that it binds every client.
        connection.execute("call lake.set_option('data_inlining_row_limit', 0)")
    for (schema, name), columns in _tables(contract).items():
        known = existing.get((schema, name))
        if known is None:
            body = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"create table lake.{schema}.{name} ({body})")
        else:
            for column in columns.keys() - known:
                connection.execute(f'alter table lake.{schema}.{name} add column "{column}" {columns[column]}')


def _tables(contract: Contract) -> dict[tuple[str, str], Mapping[str, str]]:
    return {
        ("raw", "events"): contract.event_columns,
        ("raw", "quarantine"): QUARANTINE,
        **{("raw", name): {**columns, **HISTORY} for name, (_, columns) in REFERENCES.items()},
        ("models", "model_versions"): MODEL_VERSIONS,
        ("models", "model_evaluations"): MODEL_EVALUATIONS,
        ("ops", "load_log"): LOAD_LOG,
        ("ops", "touched_days"): TOUCHED_DAYS,
        ("ops", "build_log"): BUILD_LOG,
        ("ops", "quality_results"): QUALITY_RESULTS,
        ("ops", "publish_log"): PUBLISH_LOG,
    }


def _schemas(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute("select schema_name from duckdb_schemas() where database_name = 'lake'").fetchall()
    return {name for (name,) in rows}


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], set[str]]:
    rows = connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() where database_name = 'lake'"
    ).fetchall()
    found: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in rows:
        found.setdefault((schema, table), set()).add(column)
    return found
