"""BG/NBD against the published fit, another library, numeric integration and the model's own story."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln, gammaln
from scipy.stats import beta, gamma

from models_ml.customers import BgNbd, fit_bg_nbd
from models_ml.customers.bg_nbd import _Groups
from models_ml.customers.likelihood import Convergence
from models_ml.reasons import NotComputable, Reason
from tests.models.customers import btyd

ANY = Convergence(0, 1, 1, 0, (0, 0, 0, 0), 1)


def fitted(*vectors: Any) -> BgNbd:
    found = fit_bg_nbd(*vectors)
    assert isinstance(found, BgNbd)
    return found


@pytest.fixture(scope="module")
def cdnow() -> Any:
    return btyd.cdnow()


@pytest.fixture(scope="module")
def published(cdnow: Any) -> BgNbd:
    return fitted(cdnow["x"], cdnow["t_x"], cdnow["T"])


def test_cdnow_gives_the_published_parameters(published: BgNbd) -> None:
    assert round(published.r, 4) == 0.2426
    assert round(published.alpha, 4) == 4.4135
    assert round(published.a, 4) == 0.7929
    assert round(published.b, 4) == 2.4258
    assert round(published.convergence.log_likelihood, 2) == -9582.43
    assert published.convergence.customers == 2357
    assert published.convergence.gradient < 1e-6
    assert published.convergence.evaluations < 100


def test_standard_errors_agree_with_lifetimes(published: BgNbd, cdnow: Any) -> None:
    from lifetimes import BetaGeoFitter

    peer = BetaGeoFitter().fit(cdnow["x"].to_numpy(), cdnow["t_x"].to_numpy(), cdnow["T"].to_numpy())
    assert [published.r, published.alpha, published.a, published.b] == pytest.approx(peer.params_.to_list(), rel=1e-4)
    errors = peer.standard_errors_.to_numpy() / peer.params_.to_numpy()
    # lifetimes fits α on its own scale of time and does not turn the error back; the other three have no unit.
    ours = np.array(published.convergence.relative_errors)
    assert ours[[0, 2, 3]] == pytest.approx(errors[[0, 2, 3]], rel=0.01)
    vectors = (cdnow["x"].to_numpy(), cdnow["t_x"].to_numpy(), cdnow["T"].to_numpy())
    expected = peer.conditional_expected_number_of_purchases_up_to_time(39, *vectors)
    assert published.expected_purchases(39, *vectors) == pytest.approx(
        expected.to_numpy() if hasattr(expected, "to_numpy") else expected, rel=1e-3
    )
    new = peer.expected_number_of_purchases_up_to_time(np.array([1.0, 39.0, 400.0]))
    assert published.expected_purchases_of_new([1.0, 39.0, 400.0]) == pytest.approx(np.asarray(new), rel=1e-3)


PARAMETER = st.floats(0.05, 20)
HISTORY = st.tuples(st.integers(0, 12), st.floats(0.01, 1), st.floats(0.5, 80))


@settings(max_examples=60)
@given(st.lists(HISTORY, min_size=1, max_size=12), st.tuples(*[PARAMETER] * 4))
def test_likelihood_by_the_plain_formula_and_gradient_by_differences(
    rows: list[tuple[int, float, float]], theta: tuple[float, float, float, float]
) -> None:
    x = np.array([row[0] for row in rows], dtype=float)
    age = np.array([row[2] for row in rows])
    t_x = np.where(x > 0, age * [row[1] for row in rows], 0)
    groups = _Groups.of(np.tile(x, 3), np.tile(t_x, 3), np.tile(age, 3))
    assert len(groups.x) == len(set(zip(x, t_x, age, strict=True)))

    def plain(r: float, alpha: float, a: float, b: float) -> float:
        total = 0.0
        for k, last, until in zip(x, t_x, age, strict=True):
            stayed = betaln(a, b + k) - betaln(a, b) - (r + k) * np.log(alpha + until)
            left = betaln(a + 1, b + k - 1) - betaln(a, b) - (r + k) * np.log(alpha + last) if k else -np.inf
            total += gammaln(r + k) - gammaln(r) + r * np.log(alpha) + np.logaddexp(stayed, left)
        return total / len(x)

    value, gradient = groups.mean_log_likelihood(np.array(theta))
    assert value == pytest.approx(plain(*theta), rel=1e-9, abs=1e-9)
    for place, parameter in enumerate(theta):
        step = np.zeros(4)
        step[place] = 1e-6 * parameter
        slope = (plain(*(theta + step)) - plain(*(theta - step))) / (2 * step[place])
        assert gradient[place] * parameter == pytest.approx(slope * parameter, rel=1e-4, abs=1e-5)


def expected_by_integration(model: BgNbd, horizon: float, x: int, t_x: float, age: float) -> float:
    """E[X(t) | x, t_x, T] over the posterior of the leaving probability, with the rate integrated by hand.

    Alive with rate λ and leaving probability p, a customer makes (1 − e^(−λpt))/p purchases in t.
    """
    r, alpha, a, b = model.r, model.alpha, model.a, model.b

    def if_alive(p: float) -> float:
        return float((1 - ((alpha + age) / (alpha + age + p * horizon)) ** (r + x)) / p)

    purchases, _ = quad(lambda p: if_alive(p) * beta.pdf(p, a, b + x), 0, 1, limit=200)
    if x == 0:
        return purchases
    odds = a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x)
    return purchases / (1 + odds)


@pytest.mark.parametrize("a", [0.8, 0.999, 1.0, 1.0000001, 1.2, 3.5])
@pytest.mark.parametrize(("x", "t_x", "age"), [(0, 0.0, 30.0), (1, 5.0, 30.0), (7, 29.0, 30.0), (300, 29.5, 30.0)])
@pytest.mark.parametrize("horizon", [0.0, 0.5, 39.0, 500.0])
def test_expected_purchases_agree_with_integration(a: float, x: int, t_x: float, age: float, horizon: float) -> None:
    model = BgNbd(0.9, 4.4, a, 2.4, ANY)
    found = model.expected_purchases(horizon, [x], [t_x], [age])[0]
    assert found == pytest.approx(expected_by_integration(model, horizon, x, t_x, age), rel=2e-5, abs=1e-9)


def test_one_time_buyers_are_alive_for_certain_and_yet_expected_to_buy_little(published: BgNbd) -> None:
    once, regular = published.expected_purchases(52, [0, 20], [0, 38], [39, 39])
    assert once < 0.5 < regular


def test_horizons_come_together_or_apart(published: BgNbd, cdnow: Any) -> None:
    vectors = (cdnow["x"], cdnow["t_x"], cdnow["T"])
    together = published.expected_purchases([4.0, 8.0, 52.0], *vectors)
    assert together.shape == (2357, 3)
    for place, horizon in enumerate((4.0, 8.0, 52.0)):
        assert (together[:, place] == published.expected_purchases(horizon, *vectors)).all()
    assert (np.diff(together, axis=1) > 0).all()
    assert published.expected_purchases([], *vectors).shape == (2357, 0)


def test_the_unit_of_time_changes_alpha_alone(published: BgNbd, cdnow: Any) -> None:
    in_days = fitted(cdnow["x"], 7 * cdnow["t_x"], 7 * cdnow["T"])
    assert [in_days.r, in_days.alpha / 7, in_days.a, in_days.b] == pytest.approx(
        [published.r, published.alpha, published.a, published.b], rel=1e-5
    )


def test_order_and_repetition_of_customers_change_nothing(published: BgNbd, cdnow: Any) -> None:
    twice = cdnow.sample(fraction=1, shuffle=True, seed=1)
    twice = twice.vstack(twice)
    again = fitted(twice["x"], twice["t_x"], twice["T"])
    assert [again.r, again.alpha, again.a, again.b] == pytest.approx(
        [published.r, published.alpha, published.a, published.b], rel=1e-5
    )
    assert again.convergence.log_likelihood == pytest.approx(2 * published.convergence.log_likelihood)


def test_parameters_of_simulated_customers_come_back_within_their_errors() -> None:
    truth = (0.6, 8.0, 0.9, 3.0)
    ages = np.random.default_rng(1).uniform(20, 100, 60_000)
    x, t_x, _ = btyd.bg_nbd_customers(truth, ages, seed=2)
    model = fitted(x, t_x, ages)
    off = np.log([model.r, model.alpha, model.a, model.b]) - np.log(truth)
    assert (np.abs(off / model.convergence.relative_errors) < 3.5).all()
    assert max(model.convergence.relative_errors) < 0.1


def test_expected_purchases_come_true_in_the_models_own_world() -> None:
    model, ages = BgNbd(0.6, 8.0, 0.9, 3.0, ANY), np.full(200_000, 90.0)
    # The whole life is simulated to the horizon; what is known at 50 is the expectation's condition.
    chance = np.random.default_rng(3)
    rate, leaving = gamma.rvs(0.6, scale=1 / 8, size=len(ages), random_state=chance), chance.beta(0.9, 3.0, len(ages))
    now, alive = np.zeros(len(ages)), np.ones(len(ages), bool)
    x, t_x, later = np.zeros(len(ages)), np.zeros(len(ages)), np.zeros(len(ages))
    while alive.any():
        now = now + chance.exponential(1 / rate)
        bought = alive & (now <= ages)
        early = bought & (now <= 50)
        x[early] += 1
        t_x[early] = now[early]
        later[bought & ~early] += 1
        alive = bought & (chance.random(len(ages)) >= leaving)
    expected = model.expected_purchases(40.0, x, t_x, np.full(len(ages), 50.0))
    for group in (x == 0, x == 1, (x > 1) & (t_x < 25), (x > 1) & (t_x >= 25)):
        error = later[group].std() / np.sqrt(group.sum())
        assert abs(later[group].mean() - expected[group].mean()) < 4 * error


def test_where_no_one_leaves_the_rate_of_the_past_goes_on() -> None:
    chance = np.random.default_rng(10)
    ages = chance.uniform(50, 150, 4_000)
    x = chance.poisson(chance.gamma(0.9, 1 / 12, 4_000) * ages)
    t_x = np.where(x > 0, ages * chance.random(4_000) ** (1 / np.maximum(x, 1)), 0)
    # Each is seen until a purchase: who had left would be seen silent at the end.
    model = fitted(x, t_x, np.where(x > 0, 1.02 * t_x, ages))
    assert model.a == 0
    assert len(model.convergence.relative_errors) == 2
    expected = model.expected_purchases([30.0, 60.0], x[:5], t_x[:5], ages[:5])
    rates = (model.r + x[:5]) / (model.alpha + ages[:5])
    assert expected == pytest.approx(np.outer(rates, [30, 60]))
    near = BgNbd(model.r, model.alpha, 1e-9, 1.0, ANY).expected_purchases([30.0, 60.0], x[:5], t_x[:5], ages[:5])
    assert expected == pytest.approx(near, rel=1e-5)


def test_where_all_leave_alike_the_model_without_leaving_is_no_way_out() -> None:
    ages = np.random.default_rng(0).uniform(30, 90, 1_500)
    x, t_x, _ = btyd.bg_nbd_customers((1.0, 5.0, 3e5, 7e5), ages, seed=0)
    found = fit_bg_nbd(x, t_x, ages)
    assert isinstance(found, NotComputable)
    assert found.reason is Reason.NOT_CONVERGED


def test_without_repeat_purchases_there_is_a_reason() -> None:
    assert fit_bg_nbd([], [], []) == NotComputable(Reason.NO_DATA, "There is no customer.")
    none = fit_bg_nbd([0, 0, 0], [0, 0, 0], [5, 6, 7])
    assert none == NotComputable(Reason.NO_REPEAT_PURCHASES, "None of 3 customers bought again.")


@pytest.mark.parametrize(
    "histories",
    [([3], [5.0], [10.0]), ([4] * 50, [9.9] * 50, [10.0] * 50), ([1] * 9 + [0], [9.0] * 9 + [0], [10.0] * 10)],
)
def test_data_that_do_not_determine_the_parameters_give_a_reason(histories: tuple[Any, Any, Any]) -> None:
    found = fit_bg_nbd(*histories)
    assert isinstance(found, NotComputable)
    assert found.reason is Reason.NOT_CONVERGED


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (([1], [5], [4]), "recency 5, age 4"),
        (([0], [5], [9]), "frequency 0, recency 5"),
        (([2], [0], [9]), "frequency 2, recency 0"),
        (([1.5], [5], [9]), "frequency 1.5"),
        (([-1], [0], [9]), "frequency has 1 values that are negative"),
        (([1], [float("nan")], [9]), "recency has 1 values that are negative, NaN or infinite"),
        (([1], [5], [float("inf")]), "age has 1 values"),
        (([1, 2], [5], [9]), "give one value per customer"),
    ],
)
def test_impossible_histories_are_refused(vectors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_bg_nbd(*vectors)


def test_a_horizon_must_be_ahead(published: BgNbd) -> None:
    with pytest.raises(ValueError, match="horizon is -1"):
        published.expected_purchases(-1, [0], [0], [1])
