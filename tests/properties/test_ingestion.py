"""Whatever lands, in whatever order: the lake holds what the oracle says, to the line."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings

from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
from tests.oracles.ingestion_oracle import IngestionOracle, lines_of
from tests.properties import lake_contents
from tests.properties.event_lines import FIRST_LOAD, File, files

# Shrinking would repeat slow loads for minutes; the differences name the lines that matter anyway.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def differences(folder: Path, landed: list[File]) -> list[str]:
    """Ingest the files one after the other into a new lake and into the oracle; what they disagree about."""
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder / "home")}).prepare())
    oracle, log = IngestionOracle(), []
    paths = [folder / f"{number:02}.jsonl" for number in range(len(landed))]
    for path, file in zip(paths, landed, strict=True):
        path.write_bytes(file.content)
        counts = oracle.load(path.name, file.content, file.ingested_at, backfill=file.backfill)
        if counts is not None:
            assert counts.lines == counts.accepted + counts.duplicates + counts.rejected
            log.append(lake_contents.expected_log(path.name, counts))
    for (ingested_at, backfill), together in groupby(
        zip(paths, landed, strict=True), key=lambda pair: (pair[1].ingested_at, pair[1].backfill)
    ):
        ingest_files(lake, [path for path, _ in together], ingested_at=ingested_at, backfill=backfill)
    lines = {
        (f"{number:02}.jsonl", n): raw
        for number, file in enumerate(landed)
        for n, raw in enumerate(lines_of(file.content), start=1)
    }
    reasons = {(row.source_file, row.source_line): set(row.reasons) for row in oracle.quarantine}
    return [
        *_differing(lake_contents.load_log(lake), log),
        *(f"{found} {lines[found[0]]!r}" for found in _unequal(lake_contents.quarantined_lines(lake), reasons)),
        *map(str, _unequal(lake_contents.stored_fields(lake), lake_contents.expected_fields(oracle))),
    ]


def _differing(ours: list[Any], theirs: list[Any]) -> list[str]:
    return [] if ours == theirs else [f"lake {ours}", f"oracle {theirs}"]


def _unequal(ours: Mapping[Any, object], theirs: Mapping[Any, object]) -> list[tuple[Any, str, object, str, object]]:
    keys = sorted({*ours, *theirs}, key=str)
    return [(k, "lake", ours.get(k), "oracle", theirs.get(k)) for k in keys if ours.get(k) != theirs.get(k)]


@given(landed=files(max_files=3, max_lines=30))
@example(landed=[File(b"junk\n\n{", FIRST_LOAD, backfill=False), File(b"", FIRST_LOAD, backfill=False)])
@hypothesis_settings(max_examples=4, phases=PHASES)
def test_lines_end_where_the_oracle_says(tmp_path_factory: pytest.TempPathFactory, landed: list[File]) -> None:
    assert differences(tmp_path_factory.mktemp("lake"), landed) == []


@pytest.mark.slow
@given(landed=files(max_files=5, max_lines=40))
@hypothesis_settings(max_examples=25, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
def test_many_lines_end_where_the_oracle_says(tmp_path_factory: pytest.TempPathFactory, landed: list[File]) -> None:
    assert differences(tmp_path_factory.mktemp("lake"), landed) == []
