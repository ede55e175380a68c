"""Uplift tried out of time: what is planted is found, and nothing of the test's time is learned from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.experiments import UPLIFT_TYPES, UpliftBacktest, backtest_uplift
from models_ml.reasons import NotComputable, Reason
from models_ml.registry import dump

NOW = datetime(2025, 6, 30, tzinfo=UTC)
FEATURES = ("openness", "noise")
OUTCOME_DAYS = 10


def users(count: int = 12_000, *, days: int = 150, effect: float = 0.4, seed: int = 3) -> pl.DataFrame:
    """Users assigned over ``days``: treating the open half adds ``effect`` to their chance, the others nothing."""
    rng = np.random.default_rng(seed)
    openness, treated = rng.random(count), rng.random(count) < 0.5
    chance = 0.2 + effect * treated * (openness > 0.5)
    return pl.DataFrame(
        {
            "assigned_at": [NOW - timedelta(days=float(back)) for back in rng.uniform(0, days, count)],
            "is_treated": treated,
            "is_converted": rng.random(count) < chance,
            "openness": openness,
            "noise": rng.random(count),
        }
    )


def tried(found: pl.DataFrame) -> UpliftBacktest:
    result = backtest_uplift(found, FEATURES, observed_until=NOW, outcome_days=OUTCOME_DAYS, seed=1)
    assert isinstance(result, UpliftBacktest)
    return result


def test_a_planted_effect_is_found_out_of_time_and_none_where_there_is_none() -> None:
    found = tried(users())
    # A positive is treated and converted or neither: with effect τ on half of the users the best AUC is ½ + τ/4.
    assert found.metrics["auc"].value == pytest.approx(0.6, abs=0.03)
    assert found.metrics["qini"].value > 0.02
    assert found.importances["openness"] > 4 * found.importances["noise"]
    nothing = tried(users(effect=0.0)).metrics["auc"]
    assert nothing.low is not None and nothing.high is not None
    assert nothing.low < 0.5 < nothing.high


def test_training_test_and_outcomes_do_not_overlap() -> None:
    everyone = users()
    found = tried(everyone)
    outcome = timedelta(days=OUTCOME_DAYS)
    assert found.tested_until == NOW - outcome
    assert found.tested_from == found.tested_until - timedelta(days=30)
    assert found.trained_until + outcome < found.tested_from
    assert len(found.training) == (everyone["assigned_at"] < found.tested_from - outcome).sum()
    assert found.cases == everyone["assigned_at"].is_between(found.tested_from, found.tested_until, closed="left").sum()


def test_the_future_changes_nothing_that_was_learned() -> None:
    everyone = users()
    before = tried(everyone)
    later = pl.col("assigned_at") >= before.tested_from - timedelta(days=OUTCOME_DAYS)
    changed = everyone.with_columns(
        is_converted=pl.when(later).then(~pl.col("is_converted")).otherwise(pl.col("is_converted")),
        openness=pl.when(later).then(1 - pl.col("openness")).otherwise(pl.col("openness")),
    )
    after = tried(changed)
    assert dump(after.model, UPLIFT_TYPES) == dump(before.model, UPLIFT_TYPES)
    assert after.metrics["auc"].value != before.metrics["auc"].value


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (users().head(0), Reason.NO_HOLDOUT),
        (users(days=45), Reason.TOO_SHORT_HISTORY),
        (users().filter(pl.col("assigned_at") < NOW - timedelta(days=60)), Reason.TOO_SHORT_HISTORY),
        (users(count=200), Reason.TOO_FEW_CUSTOMERS),
        (users().with_columns(is_treated=pl.lit(value=True)), Reason.NO_CONTROL),
        (users().with_columns(is_converted=pl.lit(value=False)), Reason.ONE_CLASS_ONLY),
    ],
)
def test_what_cannot_be_tried_has_a_reason(found: pl.DataFrame, reason: Reason) -> None:
    result = backtest_uplift(found, FEATURES, observed_until=NOW, outcome_days=OUTCOME_DAYS, seed=1)
    assert isinstance(result, NotComputable)
    assert result.reason == reason


def test_an_absent_column_is_named() -> None:
    with pytest.raises(ValueError, match="users lacks openness"):
        backtest_uplift(users().drop("openness"), FEATURES, observed_until=NOW, outcome_days=OUTCOME_DAYS, seed=1)
