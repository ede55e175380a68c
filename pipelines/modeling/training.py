"""What is trained on what: the uplift of campaigns on their holdouts, churn on orders."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
import polars as pl

from models_ml.customers.churn import (
    CHURN_TYPES,
    FEATURES,
    ChurnWindows,
    RetentionOffer,
    backtest_churn,
)
from models_ml.experiments import UPLIFT_TYPES, backtest_uplift
from models_ml.reasons import NotComputable
from models_ml.registry import Provenance, register
from pipelines.errors import UserError
from pipelines.lake.connection import Lake, lake_time
from pipelines.lake.publishing import current_version
from pipelines.modeling.registry import Evaluation, Trained, store
from pipelines.operations.queries import logged_step
from pipelines.transformation.session import Session, last_load_id, set_variables

SEED = 7
UPLIFT_FEATURES = ("days_since_last_order", "orders_90d", "spend_90d", "deliveries_30d", "opens_30d", "clicks_30d")
MOST_USERS = 200_000
"""Users of campaigns that a model is trained and tested on at most."""
MOST_CUSTOMERS = 50_000
"""Customers whose orders a model of churn is trained and tested on at most."""

_CHURN = ChurnWindows()
_CHURN_MONTHS = 6
_NO_OFFER = RetentionOffer(contact_cost=0, incentive_cost=0, save_rate=0)
"""What acting on a prediction is worth is another question than how good the prediction is."""


@logged_step("training")
def train(lake: Lake, as_of: datetime) -> tuple[Evaluation, ...]:
    """Train every kind of model on what was known at ``as_of``, try it out of time, and keep it; how each did.

    A kind that can't be trained has its reason. Raises UserError when the lake has not been built yet.
    """
    with lake.reader() as connection:
        if not _is_built(connection):
            raise UserError(
                "There is nothing to train on yet: no model of the warehouse is built.", "Use `truelift run` first."
            )
        set_variables(connection, Session(lake.settings, as_of), last_load_id(connection))
        version = str(current_version(connection))
        trained = [
            _churn(connection, as_of, version),
            _uplift(connection, as_of, version, outcome_days=lake.settings.attribution_lookback_days),
        ]
    store(lake, trained)
    return tuple(each.evaluation for each in trained)


def _uplift(connection: duckdb.DuckDBPyConnection, as_of: datetime, data_version: str, *, outcome_days: int) -> Trained:
    # A sample by hash: the same users every time, whatever comes after them.
    users = _frame(
        connection,
        f"""
        select assigned_at, is_treated, is_converted, {", ".join(UPLIFT_FEATURES)}
        from lake.intermediate.int_experiment_users
        where assigned_at < $as_of
        order by md5(campaign_id::varchar || user_id), assigned_at limit {MOST_USERS}
        """,
        as_of,
    )
    found = backtest_uplift(users, UPLIFT_FEATURES, observed_until=as_of, outcome_days=outcome_days, seed=SEED)
    if isinstance(found, NotComputable):
        return _none("uplift", as_of, found)
    registered, artifact = register(
        found.model,
        kind="uplift",
        provenance=Provenance(as_of, found.trained_from, found.trained_until, data_version),
        inputs=found.training,
        trusted=UPLIFT_TYPES,
        parameters={"learner": found.model.learner, "outcome_days": outcome_days, "seed": SEED},
        metrics=found.metrics,
        importances=found.importances,
    )
    evaluation = Evaluation.of(registered, found.tested_from, found.tested_until, found.cases)
    return Trained(evaluation, registered, artifact)


def _churn(connection: duckdb.DuckDBPyConnection, as_of: datetime, data_version: str) -> Trained:
    back = timedelta(days=_CHURN.history_days + (_CHURN_MONTHS + 1) * _CHURN.label_days)
    orders = _frame(
        connection,
        f"""
        with orders as (
            select user_id, occurred_at, coalesce(order_value, 0)::double as amount
            from lake.intermediate.int_orders
            where closed_by_load_id is null and not is_repeated and occurred_at < $as_of and occurred_at >= $since
        ),
        customers as (select distinct user_id from orders order by md5(user_id) limit {MOST_CUSTOMERS})
        select user_id as customer_id, occurred_at as ordered_at, amount
        from orders inner join customers using (user_id) order by all
        """,
        as_of,
        since=as_of - back,
    )
    found = backtest_churn(
        orders, observed_until=as_of, offer=_NO_OFFER, margin=0.0, seed=SEED, months=_CHURN_MONTHS, windows=_CHURN
    )
    if isinstance(found, NotComputable):
        return _none("churn", as_of, found)
    best, cutoffs = found.best, found.cutoffs
    registered, artifact = register(
        best.model,
        kind="churn",
        provenance=Provenance(
            as_of, cutoffs.train[0] - timedelta(days=_CHURN.history_days), cutoffs.test, data_version
        ),
        inputs=found.training.select(FEATURES),
        trusted=CHURN_TYPES,
        parameters={"method": best.model.method, "label_days": _CHURN.label_days, "seed": SEED},
        metrics=best.metrics,
        importances=dict(zip(best.model.features, best.model.importances, strict=True)),
    )
    evaluation = Evaluation.of(registered, cutoffs.test, as_of, found.cases)
    return Trained(evaluation, registered, artifact)


def _is_built(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        "select 1 from duckdb_views() where database_name = 'lake' and view_name = 'int_experiment_users'"
    )
    return found.fetchone() is not None


def _none(kind: str, as_of: datetime, reason: NotComputable) -> Trained:
    return Trained(Evaluation(kind, as_of, null_reason=str(reason.reason), details=reason.details))


def _frame(connection: duckdb.DuckDBPyConnection, query: str, as_of: datetime, **instants: datetime) -> pl.DataFrame:
    """A query's rows, its instants in UTC."""
    parameters = {"as_of": as_of, **instants}
    found = connection.execute(query, {name: lake_time(each) for name, each in parameters.items()}).pl()
    return found.with_columns(pl.col(pl.Datetime).dt.replace_time_zone("UTC"))
