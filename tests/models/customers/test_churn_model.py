"""Churn models: exact parts, calibration, reasons, and trials out of time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from models_ml.customers import ChurnBacktest, ChurnMethod, ChurnModel, RetentionOffer, backtest_churn, train_churn
from models_ml.customers.churn import BOOSTING, CHURN_TYPES, FEATURES, churn_features
from models_ml.customers.churn.model import SteppedParts, _fit_boosting, _matrix
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import dump, hash_of, load
from tests.models.customers.shops import FIRST, made_up_orders

OFFER = RetentionOffer(contact_cost=0.5, incentive_cost=5, save_rate=0.2)
UNTIL = FIRST + timedelta(days=330)


@pytest.fixture(scope="module")
def orders() -> pl.DataFrame:
    return made_up_orders()


@pytest.fixture(scope="module")
def backtest(orders: pl.DataFrame) -> ChurnBacktest:
    found = backtest_churn(orders, observed_until=UNTIL, offer=OFFER, margin=0.4, seed=7)
    assert isinstance(found, ChurnBacktest)
    return found


@pytest.fixture(params=["baseline", "candidate"])
def model(request: pytest.FixtureRequest, backtest: ChurnBacktest) -> ChurnModel:
    found: ChurnModel = getattr(backtest, request.param).model
    return found


def test_steps_are_the_trees_of_scikit_learn_to_the_last_bit(backtest: ChurnBacktest) -> None:
    x, y = _matrix(backtest.training), backtest.training["churned"].to_numpy()
    parts, intercept = _fit_boosting(x, y, 7)
    assert isinstance(parts, SteppedParts)
    trees = HistGradientBoostingClassifier(**BOOSTING, random_state=7).fit(parts.bins(x), y)
    unseen = x * np.random.default_rng(1).uniform(0.3, 3, x.shape)
    unseen[::7] = np.nan
    for values in (x, unseen):
        found = intercept + parts.contributions(values).sum(axis=1)
        assert found == pytest.approx(trees.decision_function(parts.bins(values)), abs=1e-9)
    assert parts.contributions(x).mean(axis=0) == pytest.approx(np.zeros(len(FEATURES)), abs=1e-9)


def test_effects_add_up_to_the_score_and_reasons_are_the_strongest(model: ChurnModel, orders: pl.DataFrame) -> None:
    customers = churn_features(orders, UNTIL)
    scored = model.score(customers)
    assert scored["customer_id"].to_list() == customers["customer_id"].to_list()
    parts = model.parts.contributions(_matrix(customers))
    assert scored["probability"].to_numpy() == pytest.approx(expit(model.intercept + parts.sum(axis=1)))
    assert scored["score"].to_list() == np.rint(100 * scored["probability"].to_numpy()).astype(int).tolist()
    for row in range(0, len(customers), 50):
        order = sorted(range(len(FEATURES)), key=lambda feature: -abs(parts[row, feature]))[:3]
        for place, feature in enumerate(order, start=1):
            assert scored[f"effect_{place}"][row] == pytest.approx(parts[row, feature])
            assert abs(parts[row, FEATURES.index(scored[f"reason_{place}"][row])]) == pytest.approx(
                abs(parts[row, feature])
            )


def test_rows_scored_in_slices_equal_rows_scored_alone(
    model: ChurnModel, orders: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = churn_features(orders, UNTIL)
    whole = model.score(customers)
    monkeypatch.setattr("models_ml.customers.churn.model._ROWS_AT_ONCE", 37)
    assert model.score(customers).equals(whole)
    assert model.score(customers.clear()).is_empty()


def test_models_find_what_there_is_and_mean_what_they_say(backtest: ChurnBacktest) -> None:
    for trial in (backtest.baseline, backtest.candidate):
        assert trial.metrics["auc"].value > 0.75
        assert trial.metrics["ece"].value < 0.06
        low, high = trial.metrics["auc"].low, trial.metrics["auc"].high
        assert low is not None and high is not None
        assert low < trial.metrics["auc"].value < high
    assert backtest.best in (backtest.baseline, backtest.candidate)
    assert len(backtest.candidate.model.importances) == len(FEATURES)
    assert backtest.cutoffs.train[-1] + timedelta(days=30) <= backtest.cutoffs.test


def test_the_future_changes_no_model(orders: pl.DataFrame, backtest: ChurnBacktest) -> None:
    after = pl.col("ordered_at") >= backtest.cutoffs.test
    shifted = orders.with_columns(
        ordered_at=pl.when(after).then(pl.col("ordered_at") + timedelta(days=11)).otherwise("ordered_at")
    )
    again = backtest_churn(shifted, observed_until=UNTIL, offer=OFFER, margin=0.4, seed=7)
    assert isinstance(again, ChurnBacktest)
    for name in ("baseline", "candidate"):
        ours, theirs = getattr(backtest, name), getattr(again, name)
        assert dump(ours.model, CHURN_TYPES) == dump(theirs.model, CHURN_TYPES)
        assert ours.metrics != theirs.metrics


def test_labels_drawn_by_lot_are_not_predicted(backtest: ChurnBacktest) -> None:
    lot = pl.Series("churned", np.random.default_rng(2).integers(0, 2, len(backtest.training)))
    drawn = backtest.training.with_columns(lot)
    model = train_churn(drawn, ChurnMethod.BOOSTING, seed=1)
    assert isinstance(model, ChurnModel)
    # Calibration on customers that the model has not seen leaves no confidence where there is no knowledge.
    assert np.abs(model.probability(drawn) - 0.5).max() < 0.15


def test_a_model_is_stored_and_comes_back(model: ChurnModel, orders: pl.DataFrame) -> None:
    content = dump(model, CHURN_TYPES)
    again = load(content, CHURN_TYPES, hash_of(content))
    customers = churn_features(orders, UNTIL)
    assert again.score(customers).equals(model.score(customers))
    assert dump(again, CHURN_TYPES) == content


def test_what_can_not_be_trained_has_a_reason(orders: pl.DataFrame, backtest: ChurnBacktest) -> None:
    training = backtest.training
    all_stayed = train_churn(training.with_columns(churned=pl.lit(0)), ChurnMethod.BOOSTING, seed=1)
    assert isinstance(all_stayed, NotComputable)
    assert all_stayed.reason is Reason.ONE_CLASS_ONLY
    few = train_churn(
        training.filter(pl.col("churned") == 1).head(30).vstack(training.filter(pl.col("churned") == 0).head(90)),
        ChurnMethod.LOGISTIC,
        seed=1,
    )
    assert isinstance(few, NotComputable)
    assert few.reason is Reason.TOO_FEW_CUSTOMERS
    short = backtest_churn(orders, observed_until=FIRST + timedelta(days=100), offer=OFFER, margin=0.4, seed=1)
    assert isinstance(short, NotComputable)
    assert short.reason is Reason.TOO_SHORT_HISTORY
    none = backtest_churn(orders.clear(), observed_until=UNTIL, offer=OFFER, margin=0.4, seed=1)
    assert isinstance(none, NotComputable)
    assert none.reason is Reason.NO_DATA


def test_constant_and_absent_features_do_no_harm(backtest: ChurnBacktest) -> None:
    odd = backtest.training.with_columns(
        pl.lit(3.0).alias("mean_order_value"), pl.lit(None, pl.Float64).alias("gap_deviation_days")
    )
    for method in ChurnMethod:
        model = train_churn(odd, method, seed=1)
        assert isinstance(model, ChurnModel)
        assert np.isfinite(model.probability(odd)).all()
        importance = dict(zip(FEATURES, model.importances, strict=True))
        assert importance["mean_order_value"] == pytest.approx(0)
        assert importance["gap_deviation_days"] == pytest.approx(0)


def test_what_can_not_be_scored_is_named(model: ChurnModel, orders: pl.DataFrame) -> None:
    customers = churn_features(orders, UNTIL)
    with pytest.raises(ValueError, match="infinite or negative values in spend_30d"):
        model.score(customers.with_columns(spend_30d=pl.lit(float("inf"))))
    with pytest.raises(ValueError, match="customers lacks orders_7d"):
        model.score(customers.drop("orders_7d"))
    with pytest.raises(ValueError, match="more than once"):
        model.score(pl.concat([customers, customers]))
