"""What the registry knows of a trained model: one frozen row, and the steps of its life (spec 04-models)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl

from models_ml.registry.artifact import dump, hash_of
from models_ml.registry.drift import Reference, references


class Status(StrEnum):
    """The life of a version, in its order."""

    CANDIDATE = "candidate"
    APPROVED = "approved"
    CHAMPION = "champion"
    RETIRED = "retired"


_NEXT: Mapping[Status, tuple[Status, ...]] = {
    Status.CANDIDATE: (Status.APPROVED, Status.RETIRED),
    Status.APPROVED: (Status.CHAMPION, Status.RETIRED),
    Status.CHAMPION: (Status.RETIRED,),
    Status.RETIRED: (),
}


@dataclass(frozen=True)
class Metric:
    """A figure with its 95 % interval; the bounds are None where none is given."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from: the instant it was trained for, the span of its data (end excluded), their version."""

    as_of: datetime
    training_start: datetime
    training_end: datetime
    data_version: str


@dataclass(frozen=True)
class ModelVersion:
    """A trained model as the registry holds it.

    ``input_schema`` maps the columns that it reads to their Polars types, ``references`` to their distribution in
    training. ``artifact_hash`` is the SHA-256 of the stored bytes, of which the ``id`` has the beginning.
    """

    id: str
    kind: str
    provenance: Provenance
    input_schema: Mapping[str, str]
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    importances: Mapping[str, float]
    references: Mapping[str, Reference]
    artifact_hash: str
    status: Status = Status.CANDIDATE
    approved_by: str | None = None

    def advance(self, status: Status, *, approved_by: str | None = None) -> ModelVersion:
        """The version one step on; an approval names the person.

        Raises ValueError for a step that life does not have, such as from candidate straight to champion, and for an
        approval without a name.
        """
        if status not in _NEXT[self.status]:
            possible = " or ".join(_NEXT[self.status]) or "nothing"
            raise ValueError(f"{self.id} is {self.status}; it can become {possible}, not {status}.")
        if (status is Status.APPROVED) != bool(approved_by):
            raise ValueError(f"{self.id} to {status} by {approved_by!r}: an approval, and only that, names a person.")
        return replace(self, status=status, approved_by=approved_by or self.approved_by)

    def check_input(self, frame: pl.DataFrame) -> None:
        """Raise ValueError unless ``frame`` has every column that the model reads, in its type."""
        found = {name: str(dtype) for name, dtype in frame.schema.items()}
        wrong = [
            f"{name} is {found.get(name, 'absent')} instead of {dtype}"
            for name, dtype in self.input_schema.items()
            if found.get(name) != dtype
        ]
        if wrong:
            raise ValueError(f"The input does not fit {self.id}: {'; '.join(wrong)}.")

    def row(self) -> dict[str, Any]:
        """The version as a row of a table: texts, instants, and JSON for what is nested."""
        content = asdict(self) | asdict(self.provenance)
        del content["provenance"]
        return {name: json.dumps(value) if isinstance(value, Mapping) else value for name, value in content.items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> ModelVersion:
        """The version of which :meth:`row` made this row."""
        content = dict(row)
        names = ("as_of", "training_start", "training_end", "data_version")
        provenance = Provenance(**{name: content.pop(name) for name in names})
        for name in ("input_schema", "parameters", "metrics", "importances", "references"):
            content[name] = json.loads(content[name])
        content["metrics"] = {name: Metric(**metric) for name, metric in content["metrics"].items()}
        content["references"] = {
            name: Reference(tuple(each["cut_points"]), tuple(each["counts"]))
            for name, each in content["references"].items()
        }
        content["status"] = Status(content["status"])
        return cls(provenance=provenance, **content)


def register(
    model: object,
    *,
    kind: str,
    provenance: Provenance,
    inputs: pl.DataFrame,
    trusted: Sequence[type],
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Metric],
    importances: Mapping[str, float],
) -> tuple[ModelVersion, bytes]:
    """A trained model as a candidate version, and the artifact to store under its hash.

    ``inputs`` are the columns that it reads, as they were in training; numeric. ``trusted`` as :func:`dump` takes them.
    Equal models of equal provenance have equal ids. Raises ValueError for a model of types that are not trusted.
    """
    artifact = dump(model, trusted)
    artifact_hash = hash_of(artifact)
    version = ModelVersion(
        id=f"{kind}-{provenance.as_of:%Y%m%dT%H%M%S}-{artifact_hash[:8]}",
        kind=kind,
        provenance=provenance,
        input_schema={name: str(dtype) for name, dtype in inputs.schema.items()},
        parameters=parameters,
        metrics=metrics,
        importances=importances,
        references=references(inputs),
        artifact_hash=artifact_hash,
    )
    return version, artifact
