"""Sizes against published values and simulation; buckets against DuckDB's SQL; allocation against scipy by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from scipy import stats
from statsmodels.stats.power import NormalIndPower, tt_ind_solve_power
from statsmodels.stats.proportion import proportion_effectsize, samplesize_proportions_2indep_onetail

from models_ml.experiments import (
    AllocationCheck,
    SampleSize,
    bucket,
    check_balance,
    check_sample_ratio,
    detectable_lift,
    is_held_out,
    power_for_conversions,
    size_for_conversions,
    size_for_means,
)
from models_ml.reasons import NotComputable, Reason

MACROS = Path(__file__).parents[3] / "dbt_project" / "macros" / "portable" / "buckets.sql"
IN_SQL = (
    Environment().from_string(MACROS.read_text()).module.duckdb__holdout_bucket("campaign", "user")  # type: ignore[attr-defined]
)


def test_published_sizes() -> None:
    assert size_for_conversions(0.05, 0.1) == SampleSize(31_234, 31_234)
    assert size_for_conversions(0.05, 0.1, form="arcsine") == SampleSize(31_218, 31_218)


def test_sizes_are_those_of_statsmodels() -> None:
    effect = proportion_effectsize(0.023, 0.02)
    for share in (0.5, 0.9):
        expected = NormalIndPower().solve_power(effect, alpha=0.1, power=0.9, ratio=share / (1 - share))
        found = size_for_conversions(0.02, 0.15, power=0.9, confidence=0.9, treatment_share=share, form="arcsine")
        assert found.control == pytest.approx(expected, abs=1.5)
        treated = samplesize_proportions_2indep_onetail(0.003, 0.02, 0.9, ratio=(1 - share) / share, alpha=0.1)
        normal = size_for_conversions(0.02, 0.15, power=0.9, confidence=0.9, treatment_share=share)
        assert normal.treatment == pytest.approx(treated, abs=1.5)
    t_based = tt_ind_solve_power(0.05 * 30 / 60, alpha=0.05, power=0.8)
    assert size_for_means(30, 60, 0.05).control == pytest.approx(t_based, rel=0.001)


@given(st.floats(0.001, 0.6), st.floats(0.01, 0.5), st.floats(0.1, 0.9), st.floats(0.3, 0.99))
def test_size_power_and_detectable_lift_are_inverses(base: float, lift: float, share: float, power: float) -> None:
    size = size_for_conversions(base, lift, power=power, treatment_share=share)
    assert power_for_conversions(base, lift, size) >= power - 0.02 / math.sqrt(min(size.control, size.treatment))
    if min(size.control, size.treatment) > 1_000:
        assert power_for_conversions(base, lift, size) == pytest.approx(power, abs=0.005)
        assert detectable_lift(base, size, power=power) == pytest.approx(lift, rel=0.01)


def test_cuped_saves_users_and_uneven_arms_cost_some() -> None:
    plain = size_for_means(30, 60, 0.05)
    assert size_for_means(30, 60, 0.05, correlation=0.7).control == pytest.approx(plain.control * 0.51, abs=1)
    assert size_for_means(30, 60, 0.05, treatment_share=0.9).total > 2.7 * plain.total


def test_days_are_whole_weeks() -> None:
    size = SampleSize(31_234, 31_234)
    assert size.days(5_000, whole_weeks=False) == 13
    assert size.days(5_000) == 14
    with pytest.raises(ValueError, match="users_per_day"):
        size.days(0)


@pytest.mark.parametrize(
    ("base", "lift", "extra"),
    [(0.0, 0.1, {}), (0.9, 0.2, {}), (0.1, 0.0, {}), (0.1, 0.1, {"power": 1.0}), (0.1, 0.1, {"treatment_share": 1.0})],
)
def test_impossible_plans_are_mistakes(base: float, lift: float, extra: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=" is "):
        size_for_conversions(base, lift, **extra)


def test_mistakes_in_plans_are_named() -> None:
    size = SampleSize(100, 100)
    with pytest.raises(ValueError, match="make no experiment"):
        SampleSize(0, 5)
    with pytest.raises(ValueError, match="confidence is"):
        power_for_conversions(0.1, 0.1, size, confidence=1.0)
    with pytest.raises(ValueError, match="base_rate is"):
        detectable_lift(0.0, size)
    with pytest.raises(ValueError, match="form is"):
        size_for_conversions(0.1, 0.1, form="exact")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mean is"):
        size_for_means(0.0, 1.0, 0.1)
    with pytest.raises(ValueError, match="correlation is"):
        size_for_means(1.0, 1.0, 0.1, correlation=1.0)


def test_too_few_users_detect_nothing() -> None:
    with pytest.raises(ValueError, match="can't detect any lift"):
        detectable_lift(0.5, SampleSize(2, 2))


def test_buckets_are_those_of_sql() -> None:
    users = [f"u-{number}" for number in range(3_000)] + ["", "ß∂ƒ", "a|b", "名前", "' or 1=1 --"]
    campaigns = ["c1", "spring|sale", "", "ü"]
    pairs = pl.DataFrame({"campaign": campaigns}).join(pl.DataFrame({"user": users}), how="cross")
    with duckdb.connect() as connection:
        connection.register("pairs", pairs.to_arrow())
        in_sql = connection.execute(f"select {IN_SQL} from pairs").fetchall()
        held = connection.execute(f"select {IN_SQL} < round(0.07 * 10000) from pairs where campaign = 'c1'").fetchall()
    assert [bucket(*pair) for pair in pairs.iter_rows()] == [row[0] for row in in_sql]
    assert is_held_out("c1", pl.Series(users), 0.07).to_list() == [row[0] for row in held]


def test_buckets_are_uniform_and_campaigns_independent() -> None:
    users = pl.Series([f"user-{number}" for number in range(40_000)])
    first, second = (is_held_out(campaign, users, 0.1).to_numpy() for campaign in ("a", "b"))
    deciles = np.bincount([bucket("a", user) // 1_000 for user in users], minlength=10)
    assert stats.chisquare(deciles).pvalue > 0.001
    both = np.array(
        [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    )
    assert stats.chi2_contingency(both).pvalue > 0.001


def test_a_larger_share_keeps_whom_a_smaller_one_held_out() -> None:
    users = pl.Series([f"user-{number}" for number in range(5_000)])
    shares = [is_held_out("a", users, share).to_numpy() for share in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert not shares[0].any()
    assert shares[-1].all()
    assert all((small <= large).all() for small, large in pairwise(shares))


def test_a_share_ends_at_its_bucket() -> None:
    """7 % are buckets 0 to 699, although 0.07·10,000 is a little more than 700 in floating point."""
    users = pl.Series([f"user-{number}" for number in range(60_000)])
    buckets = [bucket("a", user) for user in users]
    last, next_one = buckets.index(699), buckets.index(700)
    assert is_held_out("a", users[[last, next_one]], 0.07).to_list() == [True, False]


def test_only_known_users_and_real_shares_can_be_assigned() -> None:
    with pytest.raises(ValueError, match="share is"):
        is_held_out("a", pl.Series(["u"]), 1.1)
    with pytest.raises(ValueError, match="1 user ids are null"):
        is_held_out("a", pl.Series(["u", None]), 0.1)
    assert is_held_out("a", pl.Series([], dtype=pl.String), 0.1).len() == 0


def test_the_published_sample_ratio() -> None:
    found = check_sample_ratio([5_000, 5_200])
    assert isinstance(found, AllocationCheck)
    assert found.p_value == pytest.approx(0.04767, abs=5e-6)
    assert found.is_sound
    broken = check_sample_ratio([5_000, 5_500])
    assert isinstance(broken, AllocationCheck)
    assert not broken.is_sound


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=5), st.floats(0.1, 0.9))
def test_sample_ratio_by_hand(users: list[int], share: float) -> None:
    shares = [share] + [(1 - share) / (len(users) - 1)] * (len(users) - 1)
    found = check_sample_ratio(users, shares)
    if not sum(users):
        assert isinstance(found, NotComputable)
        assert found.reason == Reason.NO_DATA
        return
    assert isinstance(found, AllocationCheck)
    expected = [sum(users) * each for each in shares]
    statistic = sum((user - should) ** 2 / should for user, should in zip(users, expected, strict=True))
    assert found.statistic == pytest.approx(statistic, rel=1e-9, abs=1e-9)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, len(users) - 1), rel=1e-9)


def test_balance_sees_a_stratum_that_fell_into_one_arm() -> None:
    balanced, skewed = check_balance([[900, 100], [450, 50]]), check_balance([[900, 100], [400, 150]])
    assert isinstance(balanced, AllocationCheck)
    assert isinstance(skewed, AllocationCheck)
    assert (balanced.is_sound, skewed.is_sound) == (True, False)
    assert balanced.p_value == pytest.approx(1.0)
    for counts, reason in (([[0, 0]], Reason.NO_DATA), ([[5, 3]], Reason.NO_VARIATION)):
        found = check_balance(counts)
        assert isinstance(found, NotComputable)
        assert found.reason == reason
    with pytest.raises(ValueError, match="2 dimension"):
        check_balance([1, 2])
    with pytest.raises(ValueError, match="positive share"):
        check_sample_ratio([1, 2], [1.0, 0.0])
