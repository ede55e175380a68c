"""Are the curves of a world whose truth is known recovered, and are plans made with them nearly as good as with the truth?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from models_ml.experiments import Conversions, Estimate, Incrementality, measure_incrementality
from models_ml.optimization import (
    FittedCurves,
    Limits,
    PowerCurves,
    allocate_budget,
    fit_power_curves,
    thompson_shares,
)
from models_ml.simulation import Truth, World, write_company
from quality.contracts import load_contract

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]


def fitted(spend: Floats, revenue: Floats) -> FittedCurves:
    found = fit_power_curves(spend, revenue)
    assert isinstance(found, FittedCurves)
    return found


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    world = World(end=datetime(2025, 6, 30, tzinfo=UTC), days=90, customers=4_000, events=150_000, campaigns=24)
    folder: Path = tmp_path_factory.mktemp("company")
    return write_company(world, load_contract(), folder)


def panel(truth: Truth, column: str) -> Floats:
    wide = truth.response.pivot("campaign_id", index="date", values=column).sort("date").fill_null(0.0)
    return wide.drop("date").to_numpy()


def true_curves(truth: Truth) -> PowerCurves:
    known = {campaign["campaign_id"]: campaign.get("response") for campaign in truth.campaigns}
    names = truth.response["campaign_id"].unique(maintain_order=True)
    curves = [known[name] for name in names]
    return PowerCurves(np.array([each["scale"] for each in curves]), np.array([each["exponent"] for each in curves]))


def test_the_curves_of_the_simulated_company_are_recovered(truth: Truth) -> None:
    names = truth.response["campaign_id"].unique(maintain_order=True).to_list()
    wide = truth.response.pivot("campaign_id", index="date", values="spend")
    assert wide.columns[1:] == names
    spend, expected = panel(truth, "spend"), panel(truth, "expected_revenue")
    exact, found, known = (
        fitted(spend, expected),
        fitted(spend, panel(truth, "caused_revenue")),
        true_curves(truth),
    )
    told = exact.is_fitted
    assert exact.curves.exponent[told] == pytest.approx(known.exponent[told], abs=1e-4)
    surprise = (found.curves.exponent - known.exponent) / found.exponent_deviation
    assert np.abs(surprise).max() < 3.5
    assert np.sqrt((surprise**2).mean()) == pytest.approx(1, abs=0.45)
    assert np.abs(found.curves.exponent - known.exponent).mean() < np.abs(known.exponent - 0.8).mean() * 1.1
    # Curves give the revenue back that they were fitted to, and are as far from the truth as that was.
    earned, told_again = panel(truth, "caused_revenue").sum(axis=0), found.curves.revenue
    assert sum(told_again(row) for row in spend) == pytest.approx(earned, rel=1e-9)
    at = spend.sum(axis=0) / (spend > 0).sum(axis=0)
    luck = earned / expected.sum(axis=0)
    assert found.curves.revenue(at) / known.revenue(at) == pytest.approx(luck, rel=0.12)


def test_plans_with_fitted_curves_are_nearly_as_good_as_with_the_truth(truth: Truth) -> None:
    spend = panel(truth, "spend")
    current = spend.sum(axis=0) / (spend > 0).sum(axis=0)
    known, found = true_curves(truth), fitted(spend, panel(truth, "caused_revenue"))
    limits = Limits(current=current, max_change=0.3)
    best = allocate_budget(known, float(current.sum()), limits)
    mine = allocate_budget(found.curves, float(current.sum()), limits)
    now, possible, gained = (float(known.revenue(each).sum()) for each in (current, best.spend, mine.spend))
    assert gained > now
    assert gained - now > 0.6 * (possible - now)


def test_holdouts_of_the_simulated_company_tell_what_messages_caused(truth: Truth) -> None:
    by_campaign = truth.lift.drop("pattern").group_by("campaign_id").sum().filter(pl.col("holdout") > 30)
    hits, runs = 0, 0
    for row in by_campaign.to_dicts():
        found = measure_incrementality(
            Conversions(row["treated"], row["converted_treated"]),
            Conversions(row["holdout"], row["converted_holdout"]),
            average_order_value=50.0,
            spend=0.0,
        )
        if isinstance(found, Incrementality):
            assert isinstance(found.conversions, Estimate)
            runs += 1
            hits += found.conversions.low <= row["expected_incremental"] <= found.conversions.high
    assert runs >= 5
    assert hits >= runs - 2


def test_posteriors_of_exponents_are_calibrated() -> None:
    """Of campaigns drawn from the prior, 90 % have their exponent within 1.645 posterior deviations."""
    rng = np.random.default_rng(1)
    size = 2_000
    exponent = np.clip(rng.normal(0.8, 0.1, size), 0.06, 0.97)
    curves = PowerCurves(rng.uniform(1, 9, size), exponent)
    spend = rng.uniform(20, 400, size) * np.exp(rng.normal(0, 0.5, (60, size)))
    revenue = np.array([curves.revenue(row) for row in spend]) * rng.gamma(4, 0.25, spend.shape)
    found = fitted(spend, revenue)
    inside = np.abs(found.curves.exponent - exponent) < 1.645 * found.exponent_deviation
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    assert np.abs(found.curves.exponent - exponent).mean() < 0.87 * np.abs(exponent - 0.8).mean()


def test_thompson_shares_learn_the_best_creative() -> None:
    """Over 40 rounds the regret stays well below that of equal shares, and the best arm gets most of the traffic."""
    rng = np.random.default_rng(2)
    rates, won, tried = np.array([0.03, 0.035, 0.05]), np.zeros(3), np.zeros(3)
    for day in range(40):
        shown = rng.multinomial(2_000, thompson_shares(won, tried, seed=day))
        won, tried = won + rng.binomial(shown, rates), tried + shown
    assert tried.argmax() == 2
    regret = (tried * (rates.max() - rates)).sum()
    assert regret < 0.35 * tried.sum() * (rates.max() - rates).mean()
    assert tried.min() >= 0.8 * 2_000 * 40 * 0.1 / 3
