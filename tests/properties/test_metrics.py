"""Every published delivery metric against the oracle: after each load, incrementally and rebuilt from scratch."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models_ml.simulation import World as Company
from models_ml.simulation import write_company
from pipelines.ingestion.load import LoadResult, ingest_files, open_ingestion
from pipelines.ingestion.references import ReferenceCounts
from pipelines.ingestion.sources import ingest_source
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from pipelines.transformation.build import build
from quality.contracts import load_contract
from tests.golden.metrics_table import SPECIFIED
from tests.oracles.anomalies_oracle import anomalies_of, anomaly_discrepancies
from tests.oracles.attribution_oracle import attribution_discrepancies
from tests.oracles.comparison import discrepancies, values_in
from tests.oracles.customer_tables import customer_discrepancies, customer_rows
from tests.oracles.customers_oracle import CustomersOracle
from tests.oracles.ingestion_oracle import IngestionOracle
from tests.oracles.metrics_oracle import Key, MetricsOracle, MetricValue
from tests.oracles.operations_oracle import operations_discrepancies
from tests.oracles.quality_oracle import quality_discrepancies
from tests.oracles.reconciliation_oracle import reconciliation_discrepancies
from tests.oracles.references import References
from tests.oracles.rules import broken_rules
from tests.oracles.world import World
from tests.properties import stories
from tests.properties.crowds import crowd

pytestmark = [pytest.mark.slow, pytest.mark.alone]

SHOWN = 40
MARTS = "marts.metric_values"
REAL_TIME = {metric.metric_id for metric in SPECIFIED if metric.refresh == "real-time"}

CUSTOMERS = {metric.metric_id for metric in SPECIFIED if 9 <= metric.number <= 13}

SHOP = """
description: A shop that knows of orders and nothing of campaigns.
license: its own
conversions: credited
inputs:
  orders: {files: shop.jsonl}
outputs:
  - target: user_purchased
    from: orders
    fields:
      event_id: event_id
      timestamp: timestamp
      user_id: user_id
      order_id: properties->>'order_id'
      order_value: properties->>'order_value'
      currency: properties->>'currency'
      user_segment: context->>'user_segment'
"""


def differences(
    lake: Lake,
    oracle: IngestionOracle,
    references: References,
    as_of: datetime,
    *,
    only: Collection[str] | None = None,
) -> list[str]:
    """What the tables say otherwise than the oracles about some metrics or all; the first of it, to be read."""
    events = oracle.events.values()
    expected = MetricsOracle(events, references, as_of).values() | CustomersOracle(events, references, as_of).values()
    if only is not None:
        expected = {key: value for key, value in expected.items() if key[0] in only}
    found = discrepancies(values_in(lake, MARTS), expected, until=as_of.date())
    if only is None:
        found += customer_discrepancies(lake, CustomersOracle(events, references, as_of))
        found += attribution_discrepancies(lake, events, references, as_of, timedelta(days=30))
        found += reconciliation_discrepancies(lake, events, references, as_of)
        found += quality_discrepancies(lake, oracle, as_of)
    return found[:SHOWN]


def nightly_values(lake: Lake) -> dict[Key, MetricValue]:
    """The values of customers, which a real-time refresh shows as they were."""
    return {key: value for key, value in values_in(lake, MARTS).items() if key[0] in CUSTOMERS}


def test_stories_come_out_as_told_after_each_load(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    world = stories.world_of(*stories.STORIES)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        build(settings, load.ingested_at).raise_if_failed()
        assert differences(lake, *world.judged(number), load.ingested_at) == [], f"after load {number}"
        assert operations_discrepancies(lake, world.loads[:number], load.ingested_at) == [], f"after load {number}"
    later = world.as_of + timedelta(days=25)
    build(settings, later).raise_if_failed()
    assert differences(lake, *world.judged(), later) == [], "after days without a load"
    assert operations_discrepancies(lake, world.loads, later) == [], "after days without a load"


def test_a_crowd_comes_out_in_whatever_order_it_lands(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    world = crowd(3)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        build(settings, load.ingested_at).raise_if_failed()
        assert differences(lake, *world.judged(number), load.ingested_at) == [], f"after load {number}"
        assert operations_discrepancies(lake, world.loads[:number], load.ingested_at) == [], f"after load {number}"
    incremental = values_in(lake, MARTS), customer_rows(lake)
    build(settings, world.as_of, full_refresh=True).raise_if_failed()
    assert (values_in(lake, MARTS), customer_rows(lake)) == incremental
    for later in (world.as_of + timedelta(days=60), world.as_of + timedelta(days=350)):
        build(settings, later).raise_if_failed()
        assert differences(lake, *world.judged(), later) == [], "after days without a load"


def test_a_real_time_refresh_brings_the_real_time_metrics_up_to_date(
    settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    world = crowd(1)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        between = number in (2, 3)
        before = nightly_values(lake) if between else {}
        build(settings, load.ingested_at, select=("tag:real_time",) if between else ()).raise_if_failed()
        found = differences(lake, *world.judged(number), load.ingested_at, only=REAL_TIME if between else None)
        known = ("uptime_percent",) if between else ("uptime_percent", "cost_per_query")
        found += operations_discrepancies(lake, world.loads[:number], load.ingested_at, metrics=known)
        assert found == [], f"after load {number}"
        assert not between or nightly_values(lake) == before, "what is computed at night stays"


def test_an_erased_customer_leaves_no_trace(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    world = crowd(5)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
    build(settings, world.as_of).raise_if_failed()
    oracle, references = world.judged()
    for user in ("user-1", "user-7"):
        erase(lake, user, world.as_of)
        references.customers.pop(user, None)
        oracle.events = {key: event for key, event in oracle.events.items() if event.user_id != user}
    build(settings, world.as_of).raise_if_failed()
    assert differences(lake, oracle, references, world.as_of) == []


def erase(lake: Lake, user: str, at: datetime) -> None:
    """Delete a user's events and signup, as a load that says which days it touched."""
    with open_ingestion(lake, ingested_at=at) as ingestion:
        of_user = {"user": user}

        def delete(load_id: int) -> ReferenceCounts:
            run = ingestion.connection.execute
            run(
                """
                insert into lake.ops.touched_days by name
                select distinct $load_id as load_id, event_date, user_id, 'erased' as cause
                from lake.raw.events where user_id = $user
                """,
                {"load_id": load_id, **of_user},
            )
            events = run("select count(*) from lake.raw.events where user_id = $user", of_user).fetchall()[0][0]
            for table in ("events", "customers"):
                run(f"delete from lake.raw.{table} where user_id = $user", of_user)
            return ReferenceCounts(lines=0, accepted=0, replaced=events, duplicates=0, rejected=0)

        erasure = LoadResult(source="erasure", target="events", source_file=user, content_hash=user, bytes=0)
        ingestion.load_reference(erasure, delete)


@pytest.mark.parametrize("story", ["touches that compete", "a crowd"])
def test_orders_are_credited_where_their_origin_emits_no_conversions(
    settings: Settings, lake: Lake, tmp_path: Path, story: str
) -> None:
    competing = stories.world_of(stories.orders_to_credit)
    world = crowd(3, emits_conversions=False) if story == "a crowd" else World(competing.loads[:2])
    (settings.home / "sources").mkdir()
    (settings.home / "sources" / "shop.yml").write_text(SHOP)
    for number, load in enumerate(world.loads, start=1):
        folder = tmp_path / str(number)
        others, orders = load.parted()
        ingest_files(lake, others.write(folder, number), ingested_at=load.ingested_at, backfill=load.backfill)
        if orders.lines:
            (folder / "shop.jsonl").write_bytes(orders.content)
            ingest_source(lake, "shop", ingested_at=load.ingested_at, folder=folder, backfill=load.backfill)
        build(settings, load.ingested_at).raise_if_failed()
        assert differences(lake, *world.judged(number, from_shop=True), load.ingested_at) == [], f"after load {number}"


def test_a_simulated_company_comes_out_to_the_last_row(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    end = datetime(2025, 6, 15, 18, 30, tzinfo=UTC)
    write_company(Company(end=end, days=100, customers=1_500, events=60_000), load_contract(), tmp_path / "company")
    files = sorted((tmp_path / "company").glob("*.*"))
    ingest_files(lake, files, ingested_at=end, backfill=True)
    build(settings, end).raise_if_failed()
    oracle = IngestionOracle()
    for path in sorted((tmp_path / "company").glob("events-*.jsonl")):
        oracle.load(path.name, path.read_bytes(), end, backfill=True)
    references = References().read(sorted((tmp_path / "company").glob("*.csv")))
    assert differences(lake, oracle, references, end) == []
    assert broken_rules(lake)[:SHOWN] == []
    values = MetricsOracle(oracle.events.values(), references, end).values()
    anomalies = anomalies_of(values, oracle.events.values(), references, end)
    assert {severity for *_, severity in anomalies.values()} >= {"warning", "info"}
    assert anomaly_discrepancies(lake, anomalies)[:SHOWN] == []
