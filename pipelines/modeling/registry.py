"""The registry: trained models as rows of the lake and files beside it, and how each did on cases that it had not seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from models_ml.registry import ModelVersion
from pipelines.errors import FREE_SPACE, WorkFailedError, is_disk_full
from pipelines.lake.connection import Lake, lake_time, transaction
from pipelines.lake.tables import MODEL_VERSIONS
from pipelines.settings import Settings


@dataclass(frozen=True)
class Evaluation:
    """How a model of a kind does out of time, or why there is none: a row of ``models.model_evaluations``."""

    kind: str
    as_of: datetime
    model_id: str | None = None
    tested_from: datetime | None = None
    tested_until: datetime | None = None
    cases: int | None = None
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None
    precision_score: float | None = None
    recall_score: float | None = None
    f1_score: float | None = None
    qini: float | None = None
    null_reason: str | None = None
    details: str | None = None

    @classmethod
    def of(cls, model: ModelVersion, tested_from: datetime, tested_until: datetime, cases: int) -> Evaluation:
        """The evaluation that a version carries as its metrics; what was not measured is none."""
        values = {name: metric.value for name, metric in model.metrics.items()}
        auc = model.metrics["auc"]
        return cls(
            kind=model.kind,
            as_of=model.provenance.as_of,
            model_id=model.id,
            tested_from=tested_from,
            tested_until=tested_until,
            cases=cases,
            auc=auc.value,
            auc_low=auc.low,
            auc_high=auc.high,
            precision_score=values.get("precision"),
            recall_score=values.get("recall"),
            f1_score=values.get("f1"),
            qini=values.get("qini"),
        )


@dataclass(frozen=True)
class Trained:
    """The outcome of one training; ``version`` and ``artifact`` are there when there is a model."""

    evaluation: Evaluation
    version: ModelVersion | None = None
    artifact: bytes = b""


def store(lake: Lake, trained: Sequence[Trained]) -> None:
    """Keep the outcomes: artifacts first, then their rows as one commit, in the place of those of the same kind and instant.

    Raises WorkFailedError when an artifact can't be written.
    """
    for each in trained:
        if each.version is not None:
            _write(lake.settings, each.version.artifact_hash, each.artifact)
    with lake.writer() as connection, transaction(connection):
        for each in trained:
            found = each.evaluation
            for table in ("model_versions", "model_evaluations"):
                connection.execute(
                    f"delete from lake.models.{table} where kind = $kind and as_of = $as_of",
                    {"kind": found.kind, "as_of": _plain(found.as_of)},
                )
            rows = {"model_evaluations": asdict(found)}
            if each.version is not None:
                row = each.version.row()
                rows["model_versions"] = {name: row[name] for name in MODEL_VERSIONS}
            for table, row in rows.items():
                columns = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" for _ in row)
                connection.execute(
                    f"insert into lake.models.{table} ({columns}) values ({marks})",
                    [_plain(value) for value in row.values()],
                )


def _write(settings: Settings, artifact_hash: str, artifact: bytes) -> None:
    """Write an artifact, whole or not at all."""
    path = settings.models / f"{artifact_hash}.skops"
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            file.write(artifact)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise WorkFailedError(
            f"The trained model {path} can't be written: {error.strerror or error}.",
            FREE_SPACE if is_disk_full(error) else "Make the folder writable.",
        ) from error


def _plain(value: object) -> object:
    return lake_time(value) if isinstance(value, datetime) else value
