"""Models trained on a simulated company: what they learn from, how they are judged, and what readers see of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from models_ml.customers.churn import CHURN_TYPES, churn_features, churn_labels
from models_ml.experiments import UPLIFT_TYPES
from models_ml.registry import ModelVersion, load
from models_ml.simulation import World, write_company
from pipelines.errors import UserError, WorkFailedError
from pipelines.ingestion.files import files_in
from pipelines.ingestion.load import ingest_files
from pipelines.lake.connection import Lake
from pipelines.modeling.registry import Evaluation
from pipelines.modeling.training import UPLIFT_FEATURES, train
from pipelines.settings import load_settings
from pipelines.transformation.build import build
from quality.contracts import load_contract

pytestmark = pytest.mark.slow

AS_OF = datetime(2025, 6, 30, 18, tzinfo=UTC)
LOOKBACK = timedelta(days=30)
Row = dict[str, Any]


@dataclass(frozen=True)
class Company:
    """A lake of 240 days on which models were trained, and what the training said."""

    lake: Lake
    evaluations: dict[str, Evaluation]

    def rows(self, query: str) -> list[Row]:
        with self.lake.reader() as connection:
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def version(self, kind: str) -> ModelVersion:
        (row,) = self.rows(f"select * from lake.models.model_versions where kind = '{kind}'")
        times = ("as_of", "training_start", "training_end")
        return ModelVersion.from_row({**row, **{name: row[name].replace(tzinfo=UTC) for name in times}})

    def model(self, kind: str, types: Any) -> Any:
        version = self.version(kind)
        artifact = (self.lake.settings.models / f"{version.artifact_hash}.skops").read_bytes()
        return load(artifact, types, version.artifact_hash)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    home, files = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("files")
    lake = Lake(load_settings({"TRUELIFT_HOME": str(home)}).prepare())
    write_company(World(end=AS_OF, seed=7, days=240, customers=2_000, events=90_000), load_contract(), files)
    ingest_files(lake, files_in(files), ingested_at=AS_OF, backfill=True)
    build(lake.settings, AS_OF).raise_if_failed()
    found = {each.kind: each for each in train(lake, AS_OF)}
    changed = ("model_evaluations", "attribution_revenue_daily", "metric_values", "system_health_nightly")
    build(lake.settings, AS_OF, select=changed).raise_if_failed()
    return Company(lake, found)


def experiment_users(company: Company) -> list[Row]:
    """Users of experiments with what was known of them, event by event."""
    events = company.rows(
        """
        select event_id::varchar as id, event_type, timestamp as at, user_id, campaign_id::varchar as campaign, is_holdout,
            view_type, order_id::varchar as order_id
        from lake.raw.events where event_type in (
            'campaign_delivered', 'campaign_viewed', 'campaign_clicked', 'campaign_converted', 'user_purchased'
        )
        order by timestamp, event_id
        """
    )
    values = {
        row["id"]: float(row["order_value"])
        for row in company.rows(
            "select order_id::varchar as id, order_value from lake.marts.fct_orders where order_value is not null"
        )
    }
    by_user: dict[str, list[Row]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for event in events:
        if event["order_id"] is not None:
            key = event["event_type"], event["order_id"]
            if key in seen:
                continue
            seen.add(key)
        by_user[event["user_id"]].append(event)
    arms: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for event in events:
        if event["event_type"] == "campaign_delivered":
            arms[event["campaign"], event["user_id"]].append(event)
    single = {key: found for key, found in arms.items() if len({each["is_holdout"] for each in found}) == 1}
    sides: dict[str, set[bool]] = defaultdict(set)
    for (campaign, _), found in single.items():
        sides[campaign].add(found[0]["is_holdout"])
    return [
        _known(by_user[user], found[0], values)
        for (campaign, user), found in single.items()
        if len(sides[campaign]) == 2
    ]


def _known(events: list[Row], assigned: Row, values: dict[str, float]) -> Row:
    at = assigned["at"]

    def before(kind: str, days: int) -> list[Row]:
        return [
            each for each in events if each["event_type"] == kind and timedelta(0) < at - each["at"] <= timedelta(days)
        ]

    orders, recent = before("user_purchased", 100_000), before("user_purchased", 90)
    return {
        "campaign_id": assigned["campaign"],
        "user_id": assigned["user_id"],
        "is_treated": not assigned["is_holdout"],
        "is_converted": any(
            each["event_type"] == "campaign_converted"
            and each["campaign"] == assigned["campaign"]
            and timedelta(0) <= each["at"] - at <= LOOKBACK
            for each in events
        ),
        "days_since_last_order": min((at - each["at"] for each in orders), default=None),
        "orders_90d": len(recent),
        "spend_90d": sum(values.get(each["order_id"], 0.0) for each in recent),
        "deliveries_30d": sum(not each["is_holdout"] for each in before("campaign_delivered", 30)),
        "opens_30d": sum(each["view_type"] in ("opened", "clicked_cta") for each in before("campaign_viewed", 30)),
        "clicks_30d": len(before("campaign_clicked", 30)),
    }


def test_what_is_known_of_users_is_what_came_before_their_assignment(company: Company) -> None:
    expected = {(row["campaign_id"], row["user_id"]): row for row in experiment_users(company)}
    shown = _users(company)
    assert len(expected) > 5_000
    assert {(row["campaign_id"], row["user_id"]) for row in shown} == expected.keys()
    for row in shown:
        known = expected[row["campaign_id"], row["user_id"]]
        since = known.pop("days_since_last_order")
        days = None if since is None else since / timedelta(days=1)
        assert row["days_since_last_order"] == pytest.approx(days), row
        assert {name: row[name] for name in known} == {**known, "spend_90d": pytest.approx(known["spend_90d"])}, row


def _users(company: Company) -> list[Row]:
    from pipelines.transformation.session import Session, set_variables

    with company.lake.reader() as connection:
        set_variables(connection, Session(company.lake.settings, AS_OF), 0)
        cursor = connection.execute(
            f"select campaign_id::varchar as campaign_id, user_id, assigned_at, is_treated, is_converted,"
            f" {', '.join(UPLIFT_FEATURES)} from lake.intermediate.int_experiment_users"
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_the_stored_uplift_model_does_on_later_users_what_was_said(company: Company) -> None:
    found = company.evaluations["uplift"]
    assert found.tested_until == AS_OF - LOOKBACK
    assert found.tested_from == found.tested_until - timedelta(days=30)
    version = company.version("uplift")
    assert version.provenance.training_end + LOOKBACK < found.tested_from
    tested = [
        row
        for row in _users(company)
        if found.tested_from <= row["assigned_at"].replace(tzinfo=UTC) < found.tested_until
    ]
    assert found.cases == len(tested)
    features = np.array(
        [[row[name] if row[name] is not None else np.nan for name in UPLIFT_FEATURES] for row in tested]
    )
    score = company.model("uplift", UPLIFT_TYPES).predict(features.astype(float))
    treated, converted = (np.array([row[name] for row in tested]) for name in ("is_treated", "is_converted"))
    weight = 1 / np.where(treated, treated.mean(), 1 - treated.mean())
    assert found.auc == pytest.approx(roc_auc_score(treated == converted, score, sample_weight=weight), rel=1e-9)
    assert found.auc_low is not None and found.auc_high is not None
    assert found.auc_low < found.auc < found.auc_high


def test_the_stored_churn_model_does_on_the_last_month_what_was_said(company: Company) -> None:
    found = company.evaluations["churn"]
    assert found.tested_from == AS_OF - timedelta(days=30)
    orders = pl.DataFrame(
        company.rows(
            "select user_id as customer_id, occurred_at as ordered_at, order_value::double as amount from lake.marts.fct_orders"
        )
    ).with_columns(pl.col("ordered_at").dt.replace_time_zone("UTC"), pl.col("amount").fill_null(0))
    known = orders.filter(pl.col("ordered_at") < AS_OF)
    test = churn_features(known, found.tested_from).join(churn_labels(known, found.tested_from), on="customer_id")
    probability = company.model("churn", CHURN_TYPES).probability(test)
    assert found.cases == len(test)
    assert found.auc == pytest.approx(roc_auc_score(test["churned"], probability), rel=1e-9)
    assert found.auc > 0.7


def test_readers_see_the_newest_and_every_training(company: Company) -> None:
    shown = company.rows(
        "select breakdown, breakdown_key, period_kind, value, null_reason, status from lake.marts.metric_values where metric_id = 'model_auc'"
    )
    expected = {("overall", "all"): "uplift", ("model", "churn"): "churn", ("model", "uplift"): "uplift"}
    assert len(shown) == 2 * len(expected)
    for row in shown:
        found = company.evaluations[expected[row["breakdown"], row["breakdown_key"]]]
        assert (row["value"], row["null_reason"]) == (found.auc, None)
        assert row["status"] == ("below" if found.auc < 0.8 else "in_range" if found.auc <= 0.95 else "above")
    health = {row["item"]: row["value"] for row in company.rows("select * from lake.marts.system_health")}
    assert health["model_auc"] == company.evaluations["uplift"].auc
    assert (health["days_since_training"], health["days_to_training"]) == (0, 7)


def test_training_again_for_the_instant_replaces_and_says_the_same(company: Company) -> None:
    before = company.rows("select * from lake.models.model_versions order by id")
    assert {each.kind: each for each in train(company.lake, AS_OF)} == company.evaluations
    # The version of the data is that of the lake, which the first training has changed.
    after = company.rows("select * from lake.models.model_versions order by id")
    assert [{**row, "data_version": None} for row in after] == [{**row, "data_version": None} for row in before]
    assert len(company.rows("select * from lake.models.model_evaluations")) == 2


def test_an_earlier_instant_knows_nothing_of_what_came_later(company: Company) -> None:
    found = {each.kind: each for each in train(company.lake, datetime(2025, 1, 15, tzinfo=UTC))}
    assert {each.null_reason for each in found.values()} == {"too_short_history"}
    assert all(each.model_id is None and each.details for each in found.values())


def test_a_lake_that_was_not_built_is_a_mistake_with_a_remedy(lake: Lake) -> None:
    with lake.writer():
        pass
    with pytest.raises(UserError, match="nothing to train on yet"):
        train(lake, AS_OF)


def test_a_folder_that_cannot_be_written_is_named(company: Company, tmp_path: Path) -> None:
    models = company.lake.settings.models
    models.rename(tmp_path / "aside")
    models.write_text("no folder")
    try:
        with pytest.raises(WorkFailedError, match=r"The trained model .* can't be written"):
            train(company.lake, AS_OF)
    finally:
        models.unlink()
        (tmp_path / "aside").rename(models)
