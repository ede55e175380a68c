"""What the dbt project consists of, as its manifest tells: the relations it builds, and the code that they follow from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.settings import Settings

_NAME = "truelift"


@dataclass(frozen=True)
class Project:
    """``fingerprint`` changes with any SQL or setting that shapes the tables; ``relations`` are (schema, name)."""

    fingerprint: str
    relations: frozenset[tuple[str, str]]


def project_of(manifest: Any, settings: Settings) -> Project:
    """Read the project off dbt's manifest."""
    built = [node for node in manifest.nodes.values() if node.resource_type in ("model", "seed")]
    relations = {(node.schema, node.alias) for node in built if node.config.materialized != "ephemeral"}
    shaping = [
        settings.base_currency,
        str(settings.attribution_lookback_days),
        str(settings.compute_price_per_hour),
    ]
    digest = hashlib.sha256("\n".join([*shaping, *sorted(_code(manifest, built))]).encode())
    return Project(digest.hexdigest()[:16], frozenset(relations))


def _code(manifest: Any, built: list[Any]) -> Iterator[str]:
    """Everything that tables follow from: not their tests, and not their descriptions."""
    for node in built:
        yield f"{node.unique_id} {node.config.materialized} {node.checksum.checksum}"
    for macro in manifest.macros.values():
        if macro.package_name == _NAME and not macro.name.startswith("test_"):
            yield f"{macro.unique_id} {macro.macro_sql}"
