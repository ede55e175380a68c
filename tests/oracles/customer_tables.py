"""The wide tables of customers against the oracle: row by row, to 1e-9 on numbers, with the same reasons for NULL.

Of the daily values in the long table it is only seen here that each group has every day since its first, and no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from typing import Any

from pipelines.lake.connection import Lake
from tests.oracles.comparison import values_in
from tests.oracles.customers_oracle import DAILY, CustomersOracle

_TABLES = {
    "customer_value": """
        select user_id, ltv, ltv_status, lifetime_revenue, acquisition_cost, acquisition_cost_null_reason, months_observed,
            cac_payback_months, cac_payback_months_status, cac_payback_months_null_reason
        from lake.marts.customer_value
    """,
    "cohort_retention": """
        select signup_month, span, period_end, customers, retained_customers, cohort_retention,
            cohort_retention_null_reason, first_order_percent, first_order_percent_null_reason
        from lake.marts.cohort_retention
    """,
    "payback_curve": """
        select breakdown, breakdown_key, acquisition_month, month_number, customers, cac, cumulative_revenue,
            payback_percent, payback_percent_null_reason
        from lake.marts.payback_curve
    """,
}
_KEYS = {"customer_value": 1, "cohort_retention": 3, "payback_curve": 4}


def customer_rows(lake: Lake) -> dict[str, dict[Any, tuple[Any, ...]]]:
    """By table the rows by key."""
    with lake.reader() as connection:
        tables = {name: connection.execute(sql).fetchall() for name, sql in _TABLES.items()}
    found = {}
    for name, rows in tables.items():
        count = _KEYS[name]
        found[name] = {row[0] if count == 1 else row[:count]: row[count:] for row in rows}
        assert len(found[name]) == len(rows), f"keys stand twice in {name}"
    return found


def customer_discrepancies(lake: Lake, oracle: CustomersOracle) -> list[str]:
    """What differs, one line each."""
    expected = {"customer_value": oracle.wide(), "cohort_retention": oracle.cohorts(), "payback_curve": oracle.curves()}
    found = customer_rows(lake)
    days = {
        key
        for key in values_in(lake, "marts.metric_values")
        if key[0] in DAILY and key[3] == "daily" and (oracle.days is None or key[5] in oracle.days)
    }
    gaps = [f"a day in one only: {' '.join(map(str, key))}" for key in sorted(days ^ set(oracle.daily), key=str)]
    return gaps + [line for name in _TABLES for line in _differing(name, found[name], expected[name])]


def _differing(name: str, shown: Mapping[Any, tuple[Any, ...]], expected: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted({*shown, *expected}, key=str):
        ours, theirs = shown.get(key), expected.get(key)
        wanted = None if theirs is None else astuple(theirs)
        if ours is None or wanted is None or not all(map(_equal, ours, wanted)):
            yield f"{name} {key}: shown {ours}, expected {wanted}"


def _equal(one: Any, other: Any) -> bool:
    if one is None or other is None or isinstance(one, str):
        return bool(one == other)
    return math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-9)
