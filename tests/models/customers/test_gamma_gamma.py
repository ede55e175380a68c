"""Gamma-Gamma against the published fit, another library and the model's own story."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from models_ml.customers import GammaGamma, fit_gamma_gamma
from models_ml.reasons import NotComputable, Reason
from tests.models.customers import btyd


def fitted(x: Any, mean: Any) -> GammaGamma:
    found = fit_gamma_gamma(x, mean)
    assert isinstance(found, GammaGamma)
    return found


@pytest.fixture(scope="module")
def cdnow() -> Any:
    return btyd.cdnow()


def test_cdnow_gives_the_published_parameters(cdnow: Any) -> None:
    model = fitted(cdnow["x"], cdnow["zbar"])
    assert round(model.p, 2) == 6.25
    assert round(model.q, 2) == 3.74
    assert round(model.v, 2) == 15.45
    assert model.convergence.customers == 946
    assert round(model.population_mean) == 35
    assert model.frequency_correlation == pytest.approx(0.11, abs=0.01)


def test_lifetimes_agrees(cdnow: Any) -> None:
    from lifetimes import GammaGammaFitter

    again = cdnow.filter(cdnow["x"] > 0)
    peer = GammaGammaFitter().fit(again["x"].to_numpy(), again["zbar"].to_numpy())
    model = fitted(cdnow["x"], cdnow["zbar"])
    assert [model.p, model.q, model.v] == pytest.approx(peer.params_.to_list(), rel=2e-3)
    theirs = peer.conditional_expected_average_profit(cdnow["x"].to_pandas(), cdnow["zbar"].to_pandas())
    assert model.expected_order_value(cdnow["x"], cdnow["zbar"]) == pytest.approx(theirs.to_numpy(), rel=1e-3)


@pytest.mark.parametrize(("x", "mean"), [(1, 80.0), (6, 12.0)])
def test_expected_value_is_the_posterior_mean(x: int, mean: float) -> None:
    model = fitted(btyd.cdnow()["x"], btyd.cdnow()["zbar"])

    def weight(nu: float) -> float:
        return float(gamma.pdf(mean, model.p * x, scale=1 / (nu * x)) * gamma.pdf(nu, model.q, scale=1 / model.v))

    total, _ = quad(weight, 0, np.inf)
    value, _ = quad(lambda nu: weight(nu) * model.p / nu, 0, np.inf)
    assert model.expected_order_value([x], [mean])[0] == pytest.approx(value / total, rel=1e-6)


def test_without_orders_the_population_mean_is_expected(cdnow: Any) -> None:
    model = fitted(cdnow["x"], cdnow["zbar"])
    assert model.expected_order_value([0], [0])[0] == pytest.approx(model.population_mean)
    few, many = model.expected_order_value([1, 50], [200.0, 200.0])
    assert model.population_mean < few < many < 200


def test_the_currency_changes_v_alone(cdnow: Any) -> None:
    model, cents = fitted(cdnow["x"], cdnow["zbar"]), fitted(cdnow["x"], 100 * cdnow["zbar"])
    assert [cents.p, cents.q, cents.v / 100] == pytest.approx([model.p, model.q, model.v], rel=1e-4)


def test_parameters_of_simulated_customers_come_back_within_their_errors() -> None:
    x = np.random.default_rng(4).geometric(0.3, 40_000)
    model = fitted(x, btyd.mean_values(5.0, 3.5, 20.0, x, seed=5))
    off = np.log([model.p, model.q, model.v]) - np.log([5.0, 3.5, 20.0])
    assert (np.abs(off / model.convergence.relative_errors) < 3.5).all()


def test_reasons() -> None:
    none = fit_gamma_gamma([0, 0], [0, 0])
    assert isinstance(none, NotComputable)
    assert none.reason is Reason.NO_REPEAT_PURCHASES
    alike = fit_gamma_gamma([1, 2], [30.0, 30.0])
    assert isinstance(alike, NotComputable)
    assert alike.reason is Reason.NO_VARIATION
    wild = fit_gamma_gamma(*infinite_mean())
    assert isinstance(wild, NotComputable)
    assert wild.reason is Reason.INFINITE_MEAN


def infinite_mean() -> tuple[Any, Any]:
    x = np.random.default_rng(6).geometric(0.3, 4_000)
    return x, btyd.mean_values(4.0, 0.7, 5.0, x, seed=7)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (([1, 2], [0.0, 5.0]), "mean_value is 0 for 1 customers"),
        (([1, 2], [-1.0, 5.0]), "mean_value has 1 values that are negative"),
        (([1], [float("nan")]), "mean_value has 1 values"),
        (([1], [5.0, 6.0]), "give one value per customer"),
    ],
)
def test_impossible_values_are_refused(vectors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_gamma_gamma(*vectors)
