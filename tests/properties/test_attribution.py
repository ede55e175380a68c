"""The published credit beside that of ``models_ml.attribution`` on the same touches and orders, all the way from them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from models_ml.attribution import Model, PathRules, Repeats, attribute, collect_paths
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from pipelines.transformation.build import build
from tests.oracles.attribution_oracle import BREAKDOWNS, CENT, in_order
from tests.oracles.facts import touches_and_orders
from tests.oracles.world import Load, World, hours, id_of, midnight
from tests.properties import crowds

PLACED = (Model.FIRST_TOUCH, Model.LAST_TOUCH, Model.LINEAR, Model.POSITION, Model.TIME_DECAY)


@pytest.mark.slow
def test_the_mart_credits_what_models_ml_credits(
    settings: Settings, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowds, "CURRENCIES", (None,))  # every amount is known
    world = crowds.crowd(5, loads=2, events=900)
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        build(settings, load.ingested_at).raise_if_failed()
    stored, references = world.judged()
    touches, orders = touches_and_orders(stored.events.values(), references)
    conversions = pl.DataFrame(
        [
            {
                "conversion_id": order.event_id,
                "user_id": order.user_id,
                "occurred_at": order.timestamp,
                "revenue": float(amount or 0),
            }
            for order, amount in orders
        ]
    )
    with lake.reader() as connection:
        mart = connection.execute("from lake.marts.attribution_revenue where window_label = '90d'").pl()
    for breakdown in BREAKDOWNS:
        frame = pl.DataFrame(
            [
                {
                    "touch_id": place,
                    "user_id": touch.user_id,
                    "occurred_at": touch.timestamp,
                    "kind": "click",
                    breakdown: groups[breakdown],
                }
                for place, (touch, groups) in enumerate(in_order(touches))
            ]
        )
        found = mart.filter(pl.col("breakdown") == breakdown)
        rows = {row["breakdown_key"]: row for row in found.to_dicts()}
        lost = rows.pop("unattributed")
        for repeats, models in ((Repeats.UNIQUE, PLACED), (Repeats.EXPOSURE, (Model.MARKOV, Model.SHAPLEY))):
            rules = PathRules(level=breakdown, lookback=timedelta(days=30), repeats=repeats)
            credit = attribute(collect_paths(frame, conversions, rules), models)
            assert lost["linear_orders"] == credit.unattributed_conversions
            assert float(lost["linear_revenue"]) == pytest.approx(credit.unattributed_revenue)
            for expected in credit.to_frame().to_dicts():
                row, model = rows[expected["channel"]], expected["model"]
                assert row[f"{model}_orders"] == pytest.approx(expected["conversions"], rel=1e-9, abs=1e-9)
                slack = CENT * (len(touches) if models is PLACED else 1)
                assert float(row[f"{model}_revenue"]) == pytest.approx(expected["revenue"], abs=slack)


@pytest.mark.slow
def test_a_late_touch_changes_the_orders_that_it_reaches_alone(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    first, second, end = midnight("2024-01-10"), midnight("2024-03-01"), midnight("2024-03-05")
    world = World([Load(end, backfill=True), Load(end + hours(1), backfill=True)])
    for user in ("late", "other"):
        for order in (first, second):
            world.clicked(user, "ads", order - timedelta(days=2))
            world.purchased(user, order, order=f"{user}-{order.date()}", value=0.01)
    world.into(1)
    for _ in range(2):  # one cent for three touches
        world.viewed("late", "mails", first - timedelta(days=1))
    for number, load in enumerate(world.loads, start=1):
        ingest_files(lake, load.write(tmp_path, number), ingested_at=load.ingested_at, backfill=load.backfill)
        build(settings, load.ingested_at).raise_if_failed()
    with lake.reader() as connection:
        changed = connection.execute(
            """
            select order_id::varchar, len(campaign_ids) from lake.intermediate.int_journeys
            where load_id = (select max(load_id) from lake.ops.load_log) and closed_by_load_id is null
            """
        ).fetchall()
        credit = connection.execute(
            "select breakdown_key, linear_revenue::varchar from lake.intermediate.int_attribution_parts "
            "where breakdown = 'campaign' and event_date = $day",
            {"day": first.date()},
        ).fetchall()
    assert changed == [(id_of(f"late-{first.date()}"), 3)]
    assert dict(credit) == {id_of("ads"): "0.0133", id_of("mails"): "0.0067"}
