"""The judge of the pipeline is judged by hand: one line per rule of specification 01-events.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.oracles.ingestion_oracle import IngestionOracle, judge, lines_of
from tests.oracles.world import id_of

NOW = datetime(2025, 6, 10, 12, tzinfo=UTC)
EVENT: Mapping[str, Any] = {
    "event_id": id_of("event"),
    "event_type": "campaign_converted",
    "timestamp": "2025-06-10T11:00:00Z",
    "user_id": "ann",
    "source": "backend",
    "properties": {"campaign_id": id_of("campaign"), "order_id": id_of("order"), "order_value": 12.5},
}


def with_properties(**changes: Any) -> dict[str, Any]:
    return {**EVENT, "properties": {**EVENT["properties"], **changes}}


@pytest.mark.parametrize(
    ("event", "reasons"),
    [
        (EVENT, set()),
        ({**EVENT, "event_id": ""}, {"missing_id"}),
        ({**EVENT, "event_id": 7, "user_id": None}, {"missing_id", "invalid_uuid"}),
        ({**EVENT, "event_type": "campaign_lost"}, {"unknown_event_type"}),
        ({**EVENT, "source": "web"}, {"invalid_source"}),
        ({**EVENT, "timestamp": "2025-06-10T11:00:00"}, {"invalid_timestamp"}),
        ({**EVENT, "timestamp": "2025-06-10 14:05:00+02:00"}, set()),
        ({**EVENT, "timestamp": "2025-06-10T12:05:00Z"}, set()),
        ({**EVENT, "timestamp": "2025-06-10T12:05:00.000001Z"}, {"timestamp_in_future"}),
        ({**EVENT, "timestamp": "2025-05-11T12:00:00Z"}, set()),
        ({**EVENT, "timestamp": "2025-05-11T11:59:59Z"}, {"timestamp_too_old"}),
        ({**EVENT, "properties": None}, {"schema_violation"}),
        ({**EVENT, "context": "iOS"}, {"schema_violation"}),
        (with_properties(order_value=-0.01), {"negative_amount"}),
        (with_properties(order_value=float("nan")), {"negative_amount"}),
        (with_properties(order_value="12.5"), {"schema_violation"}),
        (with_properties(order_value=None), {"schema_violation"}),
        (with_properties(creative_id=None), set()),
        (with_properties(creative_id=5), {"invalid_uuid"}),
        (with_properties(incrementality_score=1.01), {"score_out_of_range"}),
        (with_properties(incrementality_score="high"), {"schema_violation"}),
        (with_properties(currency="usd"), {"schema_violation"}),
        (with_properties(anything_else=[1], segment_score=2), set()),
        (
            {**with_properties(discount_amount=-1, segment_score=2, reason=5), "event_type": "campaign_lost"},
            {"unknown_event_type", "negative_amount", "score_out_of_range"},
        ),
    ],
)
def test_reasons_of_a_line(event: Mapping[str, Any], reasons: set[str]) -> None:
    assert judge(1, json.dumps(event).encode(), NOW).reasons == reasons


@pytest.mark.parametrize("raw", [b"", b"  ", b"{", b"[]", b"null", b"\xff", b'{"a": "\\ud800"}', b"{,}"])
def test_what_is_no_event_is_malformed(raw: bytes) -> None:
    assert judge(1, raw, NOW).reasons == {"malformed_json"}


def test_a_repeated_key_is_malformed_besides_other_reasons() -> None:
    line = json.dumps({**EVENT, "source": "web"}).replace('"user_id"', '"user_id": "ann", "user_id"')
    assert judge(1, line.encode(), NOW).reasons == {"malformed_json", "invalid_source"}


def test_a_backfill_lifts_the_age_limit_only() -> None:
    old = json.dumps({**EVENT, "timestamp": "2020-01-01T00:00:00Z", "source": "web"}).encode()
    assert judge(1, old, NOW, backfill=True).reasons == {"invalid_source"}


def test_the_last_line_of_an_id_wins_within_a_load() -> None:
    oracle = IngestionOracle()
    lines = [json.dumps({**EVENT, "user_id": user}) for user in ("first", "second", "")]
    counts = oracle.load("file", "\n".join(lines).encode(), NOW)
    assert counts is not None
    assert (counts.lines, counts.accepted, counts.duplicates, counts.rejected) == (3, 1, 1, 1)
    assert [event.user_id for event in oracle.events.values()] == ["second"]


@pytest.mark.parametrize(("gap", "kept"), [(timedelta(minutes=5), "new"), (timedelta(minutes=5, seconds=1), "old")])
def test_a_stored_id_is_replaced_within_five_minutes(gap: timedelta, kept: str) -> None:
    oracle = IngestionOracle()
    for user, instant in (("old", NOW), ("new", NOW + gap)):
        line = json.dumps(
            {**EVENT, "event_id": EVENT["event_id"].upper() if user == "new" else EVENT["event_id"], "user_id": user}
        )
        counts = oracle.load(user, line.encode(), instant)
    assert [event.user_id for event in oracle.events.values()] == [kept]
    assert counts is not None
    assert (counts.replaced, counts.duplicates) == ((1, 0) if kept == "new" else (0, 1))


def test_the_same_content_is_taken_in_once() -> None:
    oracle = IngestionOracle()
    assert oracle.load("a", b"x\n", NOW) is not None
    assert oracle.load("renamed", b"x\n", NOW + timedelta(days=1)) is None


def test_lines_end_with_line_feeds() -> None:
    assert lines_of(b"") == []
    assert lines_of(b"a\n\nb") == [b"a", b"", b"b"]
    assert lines_of(b"a\n") == [b"a"]
