"""The guides say what their scripts compute from the two real shops; and what is asked of the models there holds."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import polars as pl
import pytest

from tests.models.customers.shops import HAS_JOURNEY, HAS_UCI

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.skipif(not (HAS_JOURNEY and HAS_UCI), reason="the two real shops are not here"),
]


def test_rfm(guide: Callable[[str], ModuleType]) -> None:
    module = guide("rfm")
    means = dict(module.results().scored.group_by("is_vip").agg(pl.col("later").mean()).rows())
    assert means[True] > 3 * means[False]


def test_lifetime_value(guide: Callable[[str], ModuleType]) -> None:
    module = guide("clv")
    _, (cdnow, journey, _) = module.results()
    for held_out, most in ((cdnow, 0.2), (journey, 0.05)):
        expected, made = held_out.customers["expected"].sum(), held_out.customers["made"].sum()
        assert abs(expected / made - 1) < most


def test_churn(guide: Callable[[str], ModuleType]) -> None:
    module = guide("churn")
    journey, uci = module.results()
    auc = journey.backtest.best.metrics["auc"]
    assert auc.value >= 0.85
    assert auc.low > 0.82
    assert journey.backtest.best.metrics["ece"].value < 0.03
    assert 0.70 < uci.backtest.best.metrics["auc"].value < 0.78
    for shop in (journey, uci):
        cutoffs = shop.backtest.cutoffs
        assert max(cutoffs.train) + (cutoffs.train[1] - cutoffs.train[0]) <= cutoffs.test


def test_recommendations(guide: Callable[[str], ModuleType]) -> None:
    module = guide("recommendations")
    for trial in module.results():
        assert trial.hits["item-item"].mean() > trial.hits["best sellers"].mean()
