"""A slice of a world's time on top of what was written, and the cutting of large days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from models_ml.simulation import World, write_company, write_slice
from models_ml.simulation.seasons import MOST_LINES_PER_FILE, parts
from quality.contracts import load_contract

from .conftest import END
from .judge import parse, reasons

WORLD = World(end=END, days=1, customers=10_000, events=20_000, campaigns=11, oversized_lines=0)
NOON = datetime(2025, 6, 15, 12, tzinfo=UTC)


@cache
def _events(*paths: Path) -> list[dict[str, object]]:
    lines = [line for path in paths for line in path.read_bytes()[:-1].split(b"\n")]
    return [event for line in lines if not reasons(line, load_contract(), END) and (event := parse(line))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sliced")
    write_company(WORLD, load_contract(), folder)
    for number in (1, 2):
        path = folder / f"batch-{number}.jsonl"
        write_slice(WORLD, load_contract(), path, start=NOON, seconds=300, events=1_200, number=number)
    return folder


def _stated(events: list[dict[str, object]], name: str) -> list[tuple[object, object]]:
    return [(event["user_id"], value) for event in events if (value := event["properties"].get(name))]  # type: ignore[attr-defined]  # judged to be an object


def test_a_slice_has_its_lines_in_its_time(folder: Path) -> None:
    assert len((folder / "batch-1.jsonl").read_bytes().splitlines()) == 1_200
    times = {str(event["timestamp"]) for event in _events(folder / "batch-1.jsonl")}
    assert "2025-06-15T12:00:00.000Z" <= min(times) <= max(times) < "2025-06-15T12:05:00.000Z"


def test_a_slice_has_the_world_s_mix_of_events(folder: Path) -> None:
    kinds = {event["event_type"] for event in _events(folder / "batch-1.jsonl")}
    assert {"campaign_delivered", "campaign_viewed", "campaign_clicked", "campaign_converted"} <= kinds
    assert {"user_purchased", "user_engaged", "cart_updated"} <= kinds


def test_ids_of_slices_are_fresh(folder: Path) -> None:
    base = _events(*folder.glob("events-*.jsonl"))
    one, two = _events(folder / "batch-1.jsonl"), _events(folder / "batch-2.jsonl")
    for name in ("order_id", "cart_id"):
        sets = [{value for _, value in _stated(events, name)} for events in (base, one, two)]
        assert all(sets)
        assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    ids = [{event["event_id"] for event in events} for events in (base, one, two)]
    assert not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])


def test_customers_campaigns_and_arms_are_the_world_s(folder: Path) -> None:
    base, batch = _events(*folder.glob("events-*.jsonl")), _events(folder / "batch-1.jsonl")
    campaigns = {line.split(",")[0] for line in (folder / "campaigns.csv").read_text().splitlines()}
    assert {value for _, value in _stated(batch, "campaign_id")} <= campaigns
    people = {line.split(",")[0] for line in (folder / "customers.csv").read_text().splitlines()}
    assert {event["user_id"] for event in batch if event["event_type"] == "user_engaged"} <= people
    arms: dict[tuple[object, object], set[object]] = {}
    for event in base + batch:
        if event["event_type"] == "campaign_delivered":
            stated = event["properties"]
            assert isinstance(stated, dict)
            arms.setdefault((event["user_id"], stated["campaign_id"]), set()).add(stated["is_holdout"])
    assert {len(arm) for arm in arms.values()} == {1}


@pytest.mark.parametrize("start", [datetime(2025, 6, 14, 23, tzinfo=UTC), datetime(2025, 6, 15, 18, 29, tzinfo=UTC)])
def test_a_slice_must_lie_within_the_world(tmp_path: Path, start: datetime) -> None:
    with pytest.raises(ValueError, match="within a day of the world"):
        write_slice(WORLD, load_contract(), tmp_path / "x.jsonl", start=start, seconds=300, events=10)


def test_a_large_day_is_cut_into_files_of_bearable_size() -> None:
    plan = parts(World(end=datetime(2025, 6, 1, tzinfo=UTC), days=1, events=10_000_000))
    assert [part.file for part in plan[:2]] == ["events-2025-05-31-0000", "events-2025-05-31-0015"]
    sizes = [part.portion(10_000_000) for part in plan]
    assert sum(sizes) == 10_000_000
    assert max(sizes) <= MOST_LINES_PER_FILE
    assert sum(part.share for part in plan) == pytest.approx(1.0)


def test_a_partial_last_day_has_its_part_of_the_lines() -> None:
    plan = parts(replace(WORLD, days=2))
    assert plan[1].end == WORLD.end_ms
    assert plan[1].portion(10_000) < plan[0].portion(10_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": datetime(2025, 1, 1)},  # noqa: DTZ001 - a time without a zone is what is refused
        {"days": 0},
        {"customers": 0},
        {"events": 0},
        {"campaigns": -1},
        {"seed": -1},
        {"late_share": 1.5},
        {"minutes_per_file": 7},
        {"bad_shares": {"bad_mood": 0.1}},
        {"bad_shares": {"missing_id": 0.6, "invalid_uuid": 0.6}},
    ],
)
def test_impossible_worlds_are_refused(changes: dict[str, object]) -> None:
    (name, value) = next(iter(changes.items()))
    with pytest.raises(ValueError, match="bad_shares" if name == "bad_shares" else f"{name} is"):
        replace(WORLD, **{name: value})  # type: ignore[arg-type]  # wrong values are the point
