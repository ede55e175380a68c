"""Forecasts against statsmodels' own, arithmetic, and worlds whose future is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.statespace.structural import UnobservedComponents

from models_ml.forecasting import LEVELS, DailySeries, Forecast, Model, forecast, forecast_all
from models_ml.forecasting import models as models_module
from models_ml.forecasting.scale import Scale
from models_ml.reasons import NotComputable, Reason
from tests.models.forecasting.worlds import MONDAY, additive, shop

every_model = pytest.mark.parametrize("model", Model)


def made(series: DailySeries, horizon: int = 14, **more: object) -> Forecast:
    found = forecast(series, horizon, **{"seed": 1, **more})  # type: ignore[arg-type]
    assert isinstance(found, Forecast), found
    return found


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No scale and no outliers, as the library has none."""
    monkeypatch.setattr(models_module, "suitable_scale", lambda values, lowest=None: Scale.RAW)
    monkeypatch.setattr(models_module, "without_outliers", lambda history: history)
    yield


def test_the_naive_forecast_repeats_the_last_week() -> None:
    series = shop(100, seed=1)
    assert made(series, 16, model=Model.SEASONAL_NAIVE).expected == pytest.approx(np.tile(series.values[-7:], 3)[:16])


def test_naive_errors_add_up_week_by_week() -> None:
    """The variance k weeks ahead is k times that of the weekly differences."""
    series = additive(400, seed=2)
    found = made(series, 28, model=Model.SEASONAL_NAIVE, draws=20_000)
    variance = (series.values[7:] - series.values[:-7]).var()
    spread = found.paths.var(axis=0).reshape(4, 7).mean(axis=1)
    assert spread == pytest.approx(variance * np.array([1, 2, 3, 4]), rel=0.04)


@pytest.mark.usefixtures("raw")
def test_ets_is_that_of_statsmodels() -> None:
    series = additive(300, seed=3)
    fit = ETSModel(series.values, seasonal="add", seasonal_periods=7, initialization_method="heuristic").fit(disp=False)
    found = made(series, 21, draws=20_000)
    assert found.expected == pytest.approx(fit.forecast(21), rel=0.002)
    # Hyndman et al. (2008), table 6.1: an error moves the value j days later by α, and by γ more every seventh day.
    ahead = np.arange(1, 21)
    moved = fit.smoothing_level + fit.smoothing_seasonal * (ahead % 7 == 0)
    variance = fit.resid.var() * 300 / 291 * np.concatenate([[1], 1 + np.cumsum(moved**2)])
    assert found.paths.var(axis=0) == pytest.approx(variance, rel=0.05)


@pytest.mark.usefixtures("raw")
def test_ucm_is_that_of_statsmodels() -> None:
    series = additive(200, seed=4)
    fit = UnobservedComponents(series.values, level="local level", seasonal=7).fit(disp=False, maxiter=200)
    theirs = fit.get_forecast(14)
    found = made(series, 14, model=Model.UCM, draws=5000)
    assert found.expected == pytest.approx(theirs.predicted_mean, rel=0.003)
    assert found.paths.std(axis=0) == pytest.approx(theirs.se_mean, rel=0.05)


@every_model
def test_totals_are_quantiles_of_sums(model: Model) -> None:
    found = made(shop(200, seed=5), 30, model=model)
    for days in (1, 7, 30):
        total = found.total(days)
        sums = np.sort(found.paths[:, :days].sum(axis=1))
        assert total.expected == pytest.approx(found.expected[:days].sum())
        for level in LEVELS:
            lower, upper = total.intervals[level]
            assert np.mean((sums >= lower) & (sums <= upper)) == pytest.approx(level, abs=0.02)
    daily = found.interval(0.8).sum(axis=1)
    lower, upper = found.total().intervals[0.8]
    assert upper - lower < 0.9 * (daily[1] - daily[0])


@every_model
def test_the_seed_decides(model: Model) -> None:
    series = shop(100, seed=6)
    assert (made(series, model=model).paths == made(series, model=model).paths).all()
    assert (made(series, model=model).paths != made(series, model=model, seed=2).paths).any()


def test_a_series_does_not_depend_on_the_others() -> None:
    several = {name: shop(80, seed=number) for number, name in enumerate("abc")}
    together, alone = forecast_all(several, 7, seed=1), forecast_all({"b": several["b"]}, 7, seed=1)
    mine, same = together.by_series["b"], alone.by_series["b"]
    assert isinstance(mine, Forecast)
    assert isinstance(same, Forecast)
    assert (mine.paths == same.paths).all()
    twins = forecast_all(dict.fromkeys(("one", "two"), several["b"]), 7, seed=1).by_series
    assert isinstance(twins["one"], Forecast)
    assert isinstance(twins["two"], Forecast)
    assert (twins["one"].paths != twins["two"].paths).any()


def test_tables_have_a_row_per_day() -> None:
    several = {"long": shop(80, seed=1), "short": shop(20, seed=1)}
    found = forecast_all(several, 7, seed=1, models={"long": Model.SEASONAL_NAIVE, "short": Model.ETS})
    table = found.to_frame()
    assert found.not_computable["short"].reason is Reason.TOO_SHORT_HISTORY
    assert table["date"].to_list() == [several["long"].end + timedelta(days=day) for day in range(1, 8)]
    assert table["series"].unique().to_list() == ["long"]
    assert table["model"].unique().to_list() == ["seasonal_naive"]
    each = found.by_series["long"]
    assert isinstance(each, Forecast)
    assert table["upper_80"].to_list() == pytest.approx(each.interval(0.8)[1].tolist())
    ordered = ("lower_95", "lower_80", "lower_50", "upper_50", "upper_80", "upper_95")
    assert all(table.select((pl.col(low) <= pl.col(high)).all()).item() for low, high in itertools.pairwise(ordered))
    assert forecast_all({"short": several["short"]}, 7, seed=1).to_frame().is_empty()


@every_model
def test_measures_that_are_never_negative_stay_so(model: Model) -> None:
    series = DailySeries(MONDAY, np.random.default_rng(1).poisson(0.6, 120).astype(np.float64))
    found = forecast(series, 30, 1, model)
    assert isinstance(found, NotComputable) or found.paths.min() >= 0
    below = DailySeries(MONDAY, np.random.default_rng(1).normal(0, 1, 120))
    assert made(below, 7, model=model).paths.min() < 0


@every_model
def test_short_histories_have_a_reason(model: Model) -> None:
    for days in (1, 27):
        found = forecast(shop(days, seed=1), 7, 1, model)
        assert isinstance(found, NotComputable)
        assert found.reason is Reason.TOO_SHORT_HISTORY
    assert len(made(shop(28, seed=1), 7, model=model)) == 7 or model is Model.UCM


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_constant_series_have_a_certain_future(value: float) -> None:
    series = DailySeries(MONDAY, np.full(60, value))
    assert (made(series, 9, model=Model.SEASONAL_NAIVE).paths == value).all()
    for model in (Model.ETS, Model.UCM):
        found = forecast(series, 9, 1, model)
        assert isinstance(found, NotComputable)
        assert found.reason is Reason.NO_VARIATION


@every_model
@pytest.mark.parametrize(
    "values",
    [
        np.tile([0.0, 1, 2, 3, 4, 5, 6], 10),
        np.append(np.zeros(69), 1000.0),
        np.append(1e12, np.zeros(69)),
        np.geomspace(1e-6, 1e9, 70),
        np.tile([0.0, 1e6], 35),
    ],
    ids=["exact weeks", "one sale at last", "one sale at first", "explosive", "every other day"],
)
def test_odd_series_give_numbers_or_a_reason(model: Model, values: np.ndarray) -> None:
    found = forecast(DailySeries(MONDAY, values), 14, 1, model)
    if isinstance(found, Forecast):
        assert np.isfinite(found.paths).all()
        assert np.isfinite(found.expected).all()
    else:
        assert found.details


def test_outliers_come_back_as_days_not_as_levels() -> None:
    """A shop that closed ten days of two hundred is expected to be open, and now and then closed."""
    series = shop(200, seed=8, wander=0.0)
    series.values[60:70] = 0.0
    found = made(series, 28, draws=4000)
    assert found.expected.mean() == pytest.approx(0.95 * 400, rel=0.04)
    assert np.mean(found.paths < 100) == pytest.approx(0.05, abs=0.01)


def test_senseless_questions_are_refused() -> None:
    series = shop(60, seed=1)
    for call, message in (
        (lambda: forecast(series, 0, 1), "horizon is 0"),
        (lambda: forecast(series, 7, 1, draws=1), "draws is 1"),
        (lambda: made(series).total(15), "days is 15"),
        (lambda: made(series).total(0), "days is 0"),
        (lambda: forecast_all({"a": series}, 7, 1, models={"b": Model.ETS}), "models has none for a"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.slow
def test_intervals_hold_what_they_promise() -> None:
    """Of 120 worlds that follow the model, 80 % of days and of 28-day totals lie in the 80 % intervals."""
    days, totals = [], []
    for world in range(120):
        series = additive(300, seed=1000 + world)
        found, future = made(series.first(272), 28, draws=400), series.values[272:]
        lower, upper = found.interval(0.8)
        days.append(np.mean((lower <= future) & (future <= upper)))
        low, high = found.total().intervals[0.8]
        totals.append(low <= future.sum() <= high)
    assert 0.76 <= np.mean(days) <= 0.84
    assert 0.70 <= np.mean(totals) <= 0.90
