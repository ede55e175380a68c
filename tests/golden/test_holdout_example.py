"""The specification's worked example of metric 18 must come out, with the inference that statsmodels gives."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from models_ml.experiments import measure_holdouts
from tests.oracles.holdouts_oracle import Arms, Money, effects
from tests.oracles.references import References

TREATED, BOUGHT, HELD, ANYWAY = 349_650, 1_226, 34_580, 58
EXPECTED, ADDED, PERCENT = 586.45, 639.55, 52.17
"""As the specification prints them, from 586.4575 expected, 639.5425 incremental and 52.165 %."""


def campaign(**changes: object) -> dict[str, object]:
    """One row as the warehouse gives it."""
    row: dict[str, object] = {
        "campaign_id": "example",
        "segment": None,
        "platform": "email",
        "campaign_type": "DISCOUNT",
        "holdout_share": None,
        "period_kind": "window",
        "window_label": "90d",
        "period_start": date(2025, 3, 18),
        "period_end": date(2025, 6, 15),
        "is_eventful": True,
        "both_arms_users": 0,
        "treatment_users": TREATED,
        "treatment_converted": BOUGHT,
        "treatment_revenue": 18_450.0,
        "holdout_users": HELD,
        "holdout_converted": ANYWAY,
        "holdout_revenue": 800.0,
        "conversions": 1_284,
        "revenue": 18_450.0,
        "spend": 1_000.0,
        "is_without_spend": False,
        "as_of": datetime(2025, 6, 15, 18),  # noqa: DTZ001 - as the lake keeps instants
    }
    return row | changes


def measured(*rows: dict[str, object]) -> dict[tuple[str, str], dict[str, object]]:
    """What is read from these campaigns, by group."""
    schema = {"segment": pl.String, "holdout_share": pl.Float64, "spend": pl.Float64, "revenue": pl.Float64}
    found = measure_holdouts(pl.DataFrame(rows, schema_overrides=schema))
    return {(row["breakdown"], row["breakdown_key"]): row for row in found.to_dicts()}


def test_the_worked_example_comes_out() -> None:
    found = measured(campaign())
    assert set(found) == {
        ("campaign", "example"),
        ("platform", "email"),
        ("campaign_type", "DISCOUNT"),
        ("overall", "all"),
    }
    for row in found.values():
        assert row["expected_conversions"] == pytest.approx(EXPECTED, abs=0.01)
        assert row["incremental_conversions"] == pytest.approx(ADDED, abs=0.01)
        assert row["incrementality_percent"] == pytest.approx(PERCENT, abs=0.006)
        assert row["holdout_lift_pp"] == pytest.approx(100 * (BOUGHT / TREATED - ANYWAY / HELD), rel=1e-12)
        assert row["net_incremental_revenue"] == pytest.approx(639.5425 * 18_450 / 1_284 - 1_000, abs=0.01)
        assert row["relative_lift_percent"] == pytest.approx(100 * (BOUGHT / TREATED / (ANYWAY / HELD) - 1))


def test_the_inference_is_that_of_statsmodels() -> None:
    row = measured(campaign())["campaign", "example"]
    low, high = confint_proportions_2indep(BOUGHT, TREATED, ANYWAY, HELD, method="newcomb", compare="diff")
    assert (row["holdout_lift_pp_low"], row["holdout_lift_pp_high"]) == pytest.approx((100 * low, 100 * high), rel=1e-9)
    low, high = confint_proportions_2indep(BOUGHT, TREATED, ANYWAY, HELD, method="log", compare="ratio")
    limits = row["relative_lift_percent_low"], row["relative_lift_percent_high"]
    assert limits == pytest.approx((100 * (low - 1), 100 * (high - 1)), rel=1e-9)
    _, p_value = proportions_ztest([BOUGHT, ANYWAY], [TREATED, HELD])
    assert row["z_test_p_value"] == pytest.approx(p_value, rel=1e-9)


def test_the_oracle_gives_the_specified_figures() -> None:
    arms = Arms()
    day = date(2025, 6, 1)
    for arm, users, buyers in (("treatment", TREATED, BOUGHT), ("holdout", HELD, ANYWAY)):
        arms.users[arm] = {f"{arm}-{n}" for n in range(users)}
        arms.outcomes |= {f"{arm}-{n}": [day] for n in range(buyers)}
    found = effects({"example": arms}, {"example": Money(1, 1.0, 0.0, None)}, day, References())
    assert found["incrementality_percent"][0] == pytest.approx(PERCENT, abs=0.006)


def test_groups_are_read_where_both_arms_are_the_same_mix() -> None:
    alike, other = campaign(), campaign(campaign_id="other", treatment_users=3_496_500, holdout_users=345_800)
    both = measured(alike, other)["overall", "all"]
    assert both["campaigns"] == 2 and both["treatment_users"] == TREATED * 11
    assert both["incrementality_percent"] is not None
    unlike = campaign(campaign_id="other", holdout_users=300_000)
    assert measured(alike, unlike)["overall", "all"]["incrementality_percent_null_reason"] == "sample_ratio_mismatch"
    without = campaign(campaign_id="other", holdout_users=0, holdout_converted=0)
    assert measured(alike, without)["overall", "all"]["campaigns"] == 1


def test_a_window_in_which_nobody_is_held_out_says_so() -> None:
    without = [campaign(campaign_id=name, holdout_users=0, holdout_converted=0) for name in ("one", "other")]
    overall = measured(*without)["overall", "all"]
    assert (overall["campaigns"], overall["treatment_users"]) == (2, 2 * TREATED)
    assert overall["incrementality_percent_null_reason"] == "no_holdout"
    assert ("overall", "all") not in measured(*({**each, "period_kind": "daily"} for each in without))


def test_a_segment_is_read_from_its_users_alone_and_has_no_money() -> None:
    found = measured(
        campaign(), campaign(segment="loyal", treatment_users=300, treatment_converted=30, holdout_users=100)
    )
    assert found["campaign", "example"]["treatment_users"] == TREATED
    loyal = found["segment", "loyal"]
    assert (loyal["treatment_users"], loyal["treatment_converted"], loyal["campaigns"]) == (300, 30, 1)
    assert loyal["holdout_lift_pp"] == pytest.approx(10 - ANYWAY)
    assert loyal["net_incremental_revenue_null_reason"] == "input_not_available_for_breakdown"


def test_a_day_without_anything_is_no_row_of_the_campaign_and_counts_in_its_groups() -> None:
    found = measured(campaign(is_eventful=False))
    assert ("campaign", "example") not in found
    assert found["overall", "all"]["treatment_users"] == TREATED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"spend": None, "is_without_spend": True}, "no_spend_reported"),
        ({"spend": None}, "missing_rate"),
        ({"revenue": None}, "missing_rate"),
        ({"revenue": 0.0}, "zero_denominator"),
        ({"conversions": 0, "revenue": 0.0}, "zero_denominator"),
    ],
)
def test_without_money_there_is_a_reason_and_still_a_lift(changes: dict[str, object], reason: str) -> None:
    row = measured(campaign(**changes))["campaign", "example"]
    assert (row["net_incremental_revenue"], row["net_incremental_revenue_null_reason"]) == (None, reason)
    assert row["incrementality_percent"] == pytest.approx(PERCENT, abs=0.006)


def test_no_campaign_gives_an_empty_table_of_the_same_columns() -> None:
    nothing = measure_holdouts(pl.DataFrame([campaign()]).clear())
    assert nothing.is_empty()
    assert nothing.schema == measure_holdouts(pl.DataFrame([campaign()])).schema
