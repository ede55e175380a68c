"""Every published metric against the oracles where many do much at once, in any order, and where some are erased."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipelines.ingestion.load import LoadResult, ingest_files, open_ingestion
from pipelines.ingestion.references import ReferenceCounts
from pipelines.ingestion.sources import ingest_source
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from pipelines.transformation.build import build
from tests.oracles.comparison import values_in
from tests.oracles.customer_tables import customer_rows
from tests.oracles.operations_oracle import operations_discrepancies
from tests.oracles.world import World
from tests.properties import stories
from tests.properties.agreement import MARTS, differences
from tests.properties.crowds import crowd

pytestmark = pytest.mark.slow

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
    competing = stories.world_of(stories.orders_to_credit, stories.outcomes_of_a_shop)
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
