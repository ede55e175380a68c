"""Histories and lifetime values against another library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
import pytest

from models_ml.customers import LifetimeModel, fit_lifetime_model, purchase_histories
from models_ml.reasons import NotComputable, Reason

NOW = datetime(1997, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def cdnow_orders() -> pl.DataFrame:
    """The CDNOW sample order by order."""
    text = (resources.files("lifetimes") / "datasets" / "CDNOW_sample.txt").read_text()
    rows = [line.split() for line in text.splitlines()]
    return pl.DataFrame(
        {
            "customer_id": [row[1] for row in rows],
            "ordered_at": [datetime.strptime(row[2], "%Y%m%d").replace(tzinfo=UTC) for row in rows],
            "amount": [float(row[4]) for row in rows],
        }
    )


@pytest.fixture(scope="module")
def histories(cdnow_orders: pl.DataFrame) -> pl.DataFrame:
    return purchase_histories(cdnow_orders, NOW)


def test_histories_agree_with_lifetimes(cdnow_orders: pl.DataFrame, histories: pl.DataFrame) -> None:
    from lifetimes.utils import summary_data_from_transaction_data

    seen = cdnow_orders.with_columns(pl.col("ordered_at").dt.replace_time_zone(None)).to_pandas()
    theirs = summary_data_from_transaction_data(
        seen, "customer_id", "ordered_at", "amount", observation_period_end="1997-09-30"
    ).sort_index()
    assert histories["customer_id"].to_list() == theirs.index.to_list()
    assert histories["frequency"].to_list() == theirs["frequency"].to_list()
    assert histories["recency"].to_list() == theirs["recency"].to_list()
    # as_of is the end of the last day that was observed, lifetimes' end is that day.
    assert histories["age"].to_list() == (theirs["T"] + 1).to_list()
    assert histories["mean_value"].fill_null(0).to_numpy() == pytest.approx(theirs["monetary_value"].to_numpy())


def test_lifetime_values_agree_with_lifetimes(histories: pl.DataFrame) -> None:
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    model = fit_lifetime_model(histories)
    assert isinstance(model, LifetimeModel)
    purchases, value = BetaGeoFitter(), GammaGammaFitter()
    for fitter, ours, names in (
        (purchases, model.purchases, ("r", "alpha", "a", "b")),
        (value, model.order_value, ("p", "q", "v")),
    ):
        fitter.params_ = {name: getattr(ours, name) for name in names}
    expected = np.diff(
        [
            purchases.conditional_expected_number_of_purchases_up_to_time(
                month * 365.25 / 12, *(histories[name].to_numpy() for name in ("frequency", "recency", "age"))
            )
            for month in range(7)
        ],
        axis=0,
    )
    spend = value.conditional_expected_average_profit(
        histories["frequency"].to_pandas(), histories["mean_value"].fill_null(0).to_pandas()
    ).to_numpy()
    by_hand = sum(0.4 * spend * count / 1.02**month for month, count in enumerate(expected, start=1))
    found = model.values(histories, months=6, monthly_discount_rate=0.02, margin=0.4)
    assert found["lifetime_value"].to_numpy() == pytest.approx(by_hand, rel=1e-6)
    assert found["expected_purchases"].to_numpy() == pytest.approx(expected.sum(axis=0), rel=1e-6)
    assert found["expected_order_value"].to_numpy() == pytest.approx(spend, rel=1e-9)


def test_values_rise_with_months_and_fall_with_the_discount(histories: pl.DataFrame) -> None:
    model = fit_lifetime_model(histories)
    assert isinstance(model, LifetimeModel)
    year = model.values(histories)["lifetime_value"]
    assert (model.values(histories, months=24)["lifetime_value"] > year).all()
    assert (model.values(histories, monthly_discount_rate=0.05)["lifetime_value"] < year).all()
    undiscounted = model.values(histories, monthly_discount_rate=0.0)
    product = undiscounted["expected_purchases"] * undiscounted["expected_order_value"]
    assert undiscounted["lifetime_value"].to_numpy() == pytest.approx(product.to_numpy())


def test_orders_of_one_day_are_one_purchase_and_the_future_is_not_seen() -> None:
    at = [
        NOW - timedelta(days=20),
        NOW - timedelta(days=19, hours=1),
        NOW - timedelta(days=5),
        NOW,
        NOW + timedelta(days=9),
    ]
    orders = pl.DataFrame({"customer_id": ["a"] * 5, "ordered_at": at[::-1], "amount": [9.0, 8.0, 4.0, 2.0, 1.0]})
    assert purchase_histories(orders, NOW).rows() == [("a", 1, 15.0, 20.0, 4.0)]


def test_reasons_and_refusals(histories: pl.DataFrame) -> None:
    empty = fit_lifetime_model(histories.clear())
    assert isinstance(empty, NotComputable)
    assert empty.reason is Reason.NO_DATA
    free = histories.with_columns(mean_value=pl.lit(0.0))
    worthless = fit_lifetime_model(free)
    assert isinstance(worthless, NotComputable)
    assert worthless.reason is Reason.NO_REPEAT_PURCHASES
    with pytest.raises(ValueError, match="more than once"):
        fit_lifetime_model(pl.concat([histories, histories]))
    model = fit_lifetime_model(histories)
    assert isinstance(model, LifetimeModel)
    wrong: list[dict[str, Any]] = [{"months": 0}, {"monthly_discount_rate": -1.0}]
    for arguments in wrong:
        with pytest.raises(ValueError, match="give a month or more"):
            model.values(histories, **arguments)
    assert model.values(histories.clear()).is_empty()
