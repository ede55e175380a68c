"""The judge of customers is judged by hand: figures that can be counted on the fingers, story by story."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from tests.oracles.customers_oracle import CustomersOracle
from tests.oracles.metrics_oracle import MetricValue
from tests.oracles.world import World, id_of
from tests.properties import stories


def told(story: Callable[[World], None]) -> CustomersOracle:
    """What the oracle makes of a world in which only this story happened."""
    world = stories.world_of(story)
    lake, references = world.judged()
    return CustomersOracle(lake.events.values(), references, world.as_of)


def of(story: Callable[[World], None], breakdown: str, key: str) -> dict[str, MetricValue]:
    """Metric id to the value of that group."""
    return {each[0]: row for each, row in told(story).values().items() if each[1:3] == (breakdown, key)}


def test_a_year_of_revenue_begins_at_midnight_364_days_before() -> None:
    customers = told(stories.customer_lives).wide()
    assert (customers["life-1"].trailing, customers["life-1"].lifetime) == (60, 160)
    # life-1 (60), life-2 (35), life-3 (10) and life-4 (10) were last seen in the segment
    assert of(stories.customer_lives, "segment", "LIFERS")["ltv"].value == pytest.approx(115 / 4)


def test_payback_divides_what_a_customer_cost_by_a_month_of_revenue() -> None:
    customers = told(stories.customer_lives).wide()
    assert customers["life-1"].cost == customers["life-2"].cost == 30
    assert customers["life-1"].payback == pytest.approx(30 / (60 / 12)) == 6
    assert customers["life-2"].payback == pytest.approx(30 / (35 / (31 * 12 / 365)))
    campaign = of(stories.customer_lives, "campaign", id_of("acquirer"))["cac_payback_months"]
    assert campaign.value == pytest.approx(30 / (95 / (12 + 31 * 12 / 365)))
    assert customers["life-3"].payback_gap == "no_acquiring_campaign"
    assert customers["life-4"].payback_gap == "no_spend_reported"
    # Who cost nothing that is known does not make the others cheaper.
    assert of(stories.customer_lives, "overall", "all")["cac_payback_months"].value == campaign.value


def test_the_curve_sums_revenue_by_month_since_the_first_order() -> None:
    curve = told(stories.customer_lives).curves()
    first = {key[3]: row for key, row in curve.items() if key[:3] == ("platform", "meta", date(2023, 3, 1))}
    assert set(first) == set(range(1, 14))  # 365 days are over: the thirteenth month has begun
    assert (first[1].cac, first[1].cumulative, first[1].percent) == (30, 140, pytest.approx(100 * 140 / 30))
    assert (first[11].cumulative, first[12].cumulative, first[13].gap) == (140, 160, "immature_cohort")
    [(_, young)] = [row for row in curve.items() if row[0][:3] == ("platform", "meta", date(2024, 2, 1))]
    assert (young.percent, young.gap) == (None, "immature_cohort")


def test_a_repeat_needs_two_orders_in_ninety_days() -> None:
    found = of(stories.cohorts, "overall", "all")["repeat_purchase_rate"]
    # The 90 days begin on 12 December: 1, 2 and 4 ordered twice, 0, 3 and 5 once.
    assert (found.numerator, found.denominator, found.value) == (3, 6, 50)


def test_margin_is_what_goods_and_acquisition_leave() -> None:
    found = of(stories.margins, "segment", "MARGIN")["gross_margin_percent"]
    # 100 less 2 × 10 (stated by the item), 20 (by the product, as corrected) and 5 for the new customer
    assert (found.numerator, found.denominator, found.value) == (55, 100, 55)
    for segment in ("COSTLESS", "WITHOUT-ITEMS"):
        assert of(stories.margins, "segment", segment)["gross_margin_percent"].null_reason == "missing_cost"


def test_a_day_is_judged_as_if_it_were_the_last() -> None:
    customers = told(stories.customer_lives)

    def on(metric: str, day: str, breakdown: str = "overall", key: str = "all") -> MetricValue:
        return customers.daily[metric, breakdown, key, "daily", "day", date.fromisoformat(day)]

    # life-1 ordered on 11 and 12 March 2023 and was in another segment with the second order.
    assert on("ltv", "2023-03-11", "segment", "NEW").value == 100
    assert on("ltv", "2023-03-12", "segment", "NEW").null_reason == "zero_denominator"
    assert on("ltv", "2023-03-12", "segment", "LIFERS").value == on("ltv", "2024-02-08").value == 140
    assert ("ltv", "segment", "LIFERS", "daily", "day", date(2023, 3, 11)) not in customers.daily
    # life-2 came with 35 on 9 February; the year that ends with 10 March 2024 begins after the 100.
    assert on("ltv", "2024-02-09").value == pytest.approx(175 / 2)
    assert on("ltv", "2024-03-10").value == pytest.approx(115 / 4)
    # Of the 90 days that begin with an order, the last one still knows it.
    days = ("2023-06-08", "2023-06-09", "2023-06-10")
    assert [on("repeat_purchase_rate", day).value for day in days] == [100, 0, None]
    # Spend is first reported on 20 March 2023; from 9 February on two customers share it.
    campaign = "campaign", id_of("acquirer")
    assert on("cac_payback_months", "2023-03-19", *campaign).null_reason == "no_spend_reported"
    assert on("cac_payback_months", "2023-03-20", *campaign).value == pytest.approx(30 / (140 / (10 * 12 / 365)))
    paid = 15 / (175 / ((336 + 1) * 12 / 365))
    assert on("cac_payback_months", "2024-02-09", *campaign).value == pytest.approx(paid)


def test_retention_counts_days_after_signup_once_the_youngest_has_had_them() -> None:
    cohorts = {(f"{month:%Y-%m}", span): row for (month, span, _), row in told(stories.cohorts).cohorts().items()}
    january = [cohorts["2024-01", span] for span in ("1-30d", "31-60d", "61-90d")]
    assert [row.customers for row in january] == [4, 4, 4]
    assert [row.retention for row in january] == [50, 50, None]
    assert [row.first_orders for row in january] == [75, 75, None]
    assert january[2].retention_gap == cohorts["2024-02", "1-30d"].retention_gap == "immature_cohort"
    assert cohorts["2019-03", "1-30d"].retention_gap == "before_first_order"
    assert not any(month == "2019-02" for month, _ in cohorts)
