"""E-mail addresses and phone numbers leave no trace in the lake, wherever and however they were written."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import load_settings
from tests.oracles.world import id_of
from tests.properties.event_lines import FIRST_LOAD

MARKS = ("zelda", "5550199")
"""Part of every planted address and number, and of nothing else."""

ADDRESSES = ["zelda@example.com", "Zelda.Fitz+ads@mail.example.co.uk", "zelda_1@example.io"]
NUMBERS = ["+1 415 5550199", "+14155550199", "+44 20 5550199"]
SURROUNDINGS = ["{}", "write to {}, please", "<{}>", "https://example.com/?to={}&x=1", "({})", "a;{};b", "ä{}漢"]


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """An event with personal data somewhere: in a declared, undeclared or nested text, an id, a rejected line."""
    planted = draw(st.sampled_from(SURROUNDINGS)).format(draw(st.sampled_from(ADDRESSES + NUMBERS)))
    event: dict[str, Any] = {
        "event_id": str(draw(st.uuids())),
        "event_type": "campaign_clicked",
        "timestamp": (FIRST_LOAD - timedelta(hours=1)).isoformat(),
        "user_id": "ann",
        "session_id": "s",
        "source": "mobile",
        "properties": {"campaign_id": id_of("campaign")},
        "context": {},
    }
    place = draw(st.sampled_from(["destination_url", "undeclared", "nested", "key", "region", "session_id", "user_id"]))
    if place in ("session_id", "user_id"):
        event[place] = draw(st.sampled_from(ADDRESSES + NUMBERS)) if place == "user_id" else planted
    elif place == "region":
        event["context"][place] = planted
    else:
        event["properties"][place] = {"nested": [{"text": planted}], "key": {planted: 1}}.get(place, planted)
    fault = draw(st.sampled_from(["none", "none", "rejected", "broken"]))
    if fault == "rejected":
        event["source"] = "web"
    text = json.dumps(event, ensure_ascii=draw(st.booleans()))
    if draw(st.booleans()):
        text = text.replace("@", "\\u0040").replace("+1", "\\u002b1")
    return (text[:-1] if fault == "broken" else text).encode()


@given(landed=st.lists(lines(), min_size=20, max_size=40))
@hypothesis_settings(max_examples=3, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
def test_nothing_personal_is_written(tmp_path_factory: pytest.TempPathFactory, landed: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(folder / "home")}).prepare())
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(landed))
    (result,) = ingest_files(lake, [path], ingested_at=FIRST_LOAD)
    assert result.pii_masked == len(landed)
    found = [row for row in everything_in(lake) if any(mark in row.lower() for mark in MARKS)]
    assert found == []


def test_what_only_resembles_personal_data_stays(lake: Lake, tmp_path: Path) -> None:
    texts = [
        "1-2-3",
        "@home",
        "a@b",
        "2025-06-10T12:00:00+00:00",
        "id 555-0199",
        "12345678901234567890",
        "+5 % off",
        "10.5+20",
    ]
    path = tmp_path / "events.jsonl"
    with path.open("w") as file:
        for text in texts:
            event = {
                "event_id": id_of(text),
                "event_type": "campaign_clicked",
                "timestamp": FIRST_LOAD.isoformat(),
                "user_id": f"user-{id_of(text)}",
                "source": "mobile",
                "properties": {"campaign_id": id_of("campaign"), "destination_url": text},
            }
            file.write(json.dumps(event) + "\n")
    (result,) = ingest_files(lake, [path], ingested_at=FIRST_LOAD)
    with lake.reader() as connection:
        rows = connection.execute("select destination_url, user_id from lake.raw.events").fetchall()
    assert result.pii_masked == 0
    assert sorted(rows) == sorted((text, f"user-{id_of(text)}") for text in texts)


def test_a_personal_user_id_becomes_one_stable_pseudonym_per_key(lake: Lake, tmp_path: Path) -> None:
    for number, user in enumerate(["zelda@example.com", "zelda@example.com", "other@example.com", "+1 415 5550199"]):
        event = {
            "event_id": id_of(number),
            "event_type": "user_engaged",
            "timestamp": FIRST_LOAD.isoformat(),
            "user_id": user,
            "source": "mobile",
            "properties": {"engagement_type": "search"},
        }
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps(event))
        ingest_files(lake, [path], ingested_at=FIRST_LOAD + timedelta(hours=number))
    with lake.reader() as connection:
        users = [
            user for (user,) in connection.execute("select user_id from lake.raw.events order by load_id").fetchall()
        ]
    assert users[0] == users[1]
    assert len(set(users)) == 3


def everything_in(lake: Lake) -> list[str]:
    """Every row of every table that Python writes, as text."""
    with lake.reader() as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'lake'"
        ).fetchall()
        return [str(row) for s, t in tables for row in connection.execute(f"from lake.{s}.{t}").fetchall()]
