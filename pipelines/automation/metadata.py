"""What Dagster shows about a table: its columns, and the rows, bytes and seconds of its last materialization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagster import AssetKey, MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

from pipelines.lake.sizes import Size

OWNER = "team:data-engineering"


def table_of(key: AssetKey) -> tuple[str, str]:
    """Schema and name of the table behind an asset key ``schema/name``."""
    schema, name = key.path
    return schema, name


def column_schema(columns: Mapping[str, str], descriptions: Mapping[str, str] | None = None) -> TableSchema:
    """The columns (name to SQL type) as the UI lists them."""
    texts = descriptions or {}
    return TableSchema([TableColumn(name, kind, texts.get(name)) for name, kind in columns.items()])


def size_metadata(size: Size | None, seconds: float | None = None) -> dict[str, Any]:
    """Rows, bytes, files and seconds as far as they are known; numbers, so that the UI plots them over time."""
    values = {
        "dagster/row_count": size and size.rows,
        "bytes": size and size.bytes,
        "files": size and size.files,
        "seconds": seconds if seconds is None else round(seconds, 3),
    }
    return {name: value for name, value in values.items() if value is not None}


def rows_metadata(rows: Iterable[Mapping[str, Any]]) -> TableMetadataValue:
    """Some rows, shown as a table."""
    return MetadataValue.table([TableRecord({name: _plain(value) for name, value in row.items()}) for row in rows])


def _plain(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
