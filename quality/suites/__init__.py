"""The quality suites: one file per table, every check with its reason; ``SUITES`` is all of them."""

from __future__ import annotations

from quality.checks import Suite
from quality.suites import (
    attribution_revenue,
    attribution_revenue_daily,
    campaign_performance,
    campaign_performance_daily,
    cohort_retention,
    customer_value,
    data_freshness,
    events,
    fct_ad_spend_daily,
    fct_conversions,
    fct_orders,
    fct_touchpoints,
    incrementality,
    load_log,
    metric_dictionary,
    metric_values,
    payback_curve,
    segment_economics,
)

SUITES: tuple[Suite, ...] = (
    load_log.SUITE,
    events.SUITE,
    fct_touchpoints.SUITE,
    fct_orders.SUITE,
    fct_conversions.SUITE,
    fct_ad_spend_daily.SUITE,
    campaign_performance.SUITE,
    campaign_performance_daily.SUITE,
    incrementality.SUITE,
    attribution_revenue.SUITE,
    attribution_revenue_daily.SUITE,
    customer_value.SUITE,
    segment_economics.SUITE,
    payback_curve.SUITE,
    cohort_retention.SUITE,
    metric_values.SUITE,
    metric_dictionary.SUITE,
    data_freshness.SUITE,
)
