"""Versions: what they know, their steps, and their way through a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl
import pytest

from models_ml.registry import Metric, ModelVersion, Provenance, Status, hash_of, load, register


@dataclass(frozen=True)
class Rule:
    """A small model."""

    threshold: float


INPUTS = pl.DataFrame({"days": [1.0, 2.0, None], "orders": [3, 4, 5]})
PROVENANCE = Provenance(
    as_of=datetime(2025, 3, 1, 6, tzinfo=UTC),
    training_start=datetime(2024, 9, 1, tzinfo=UTC),
    training_end=datetime(2025, 2, 1, tzinfo=UTC),
    data_version="42",
)


def registered(threshold: float = 0.5) -> tuple[ModelVersion, bytes]:
    return register(
        Rule(threshold),
        kind="churn",
        provenance=PROVENANCE,
        inputs=INPUTS,
        trusted=[Rule],
        parameters={"learning_rate": 0.06, "interaction_cst": "no_interactions"},
        metrics={"auc": Metric(0.87, 0.85, 0.89), "rate": Metric(0.1)},
        importances={"days": 0.8, "orders": 0.2},
    )


def test_a_version_knows_its_artifact_and_its_inputs() -> None:
    version, artifact = registered()
    assert version.artifact_hash == hash_of(artifact)
    assert version.id == f"churn-20250301T060000-{version.artifact_hash[:8]}"
    assert load(artifact, [Rule], version.artifact_hash) == Rule(0.5)
    assert version.input_schema == {"days": "Float64", "orders": "Int64"}
    assert version.references["days"].counts[0] == 1
    assert version.status is Status.CANDIDATE


def test_equal_trainings_are_equal_versions_and_others_are_not() -> None:
    assert registered() == registered()
    assert registered()[0].id != registered(0.6)[0].id


def test_a_version_goes_through_a_table_unchanged() -> None:
    version, _ = registered()
    approved = version.advance(Status.APPROVED, approved_by="ada")
    table = pl.DataFrame([approved.row()])
    assert table.schema["as_of"] == pl.Datetime("us", "UTC")
    assert all(not dtype.is_nested() for dtype in table.schema.values())
    assert ModelVersion.from_row(table.row(0, named=True)) == approved


def test_life_has_its_steps() -> None:
    version, _ = registered()
    approved = version.advance(Status.APPROVED, approved_by="ada")
    champion = approved.advance(Status.CHAMPION)
    retired = champion.advance(Status.RETIRED)
    assert [each.approved_by for each in (version, approved, champion, retired)] == [None, "ada", "ada", "ada"]
    assert replace(retired, status=Status.CANDIDATE, approved_by=None) == version
    with pytest.raises(ValueError, match="is candidate; it can become approved or retired, not champion"):
        version.advance(Status.CHAMPION)
    with pytest.raises(ValueError, match="is retired; it can become nothing, not candidate"):
        retired.advance(Status.CANDIDATE)
    with pytest.raises(ValueError, match="an approval, and only that, names a person"):
        version.advance(Status.APPROVED)
    with pytest.raises(ValueError, match="an approval, and only that, names a person"):
        approved.advance(Status.CHAMPION, approved_by="ada")


def test_input_is_held_against_the_schema() -> None:
    version, _ = registered()
    version.check_input(INPUTS.with_columns(other=pl.lit("x")))
    with pytest.raises(ValueError, match="days is String instead of Float64; orders is absent instead of Int64"):
        version.check_input(pl.DataFrame({"days": ["1"]}))
