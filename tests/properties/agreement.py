"""Whether the tables say what the oracles say: of all metrics, customers, attribution, reconciliation and quality."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta

from pipelines.lake.connection import Lake
from tests.oracles.attribution_oracle import attribution_discrepancies
from tests.oracles.comparison import discrepancies, values_in
from tests.oracles.customer_tables import customer_discrepancies
from tests.oracles.customers_oracle import DAILY, CustomersOracle
from tests.oracles.freshness_oracle import freshness_discrepancies
from tests.oracles.ingestion_oracle import IngestionOracle, StoredEvent
from tests.oracles.metrics_oracle import Key, MetricsOracle
from tests.oracles.quality_oracle import quality_discrepancies
from tests.oracles.reconciliation_oracle import reconciliation_discrepancies
from tests.oracles.references import References
from tests.oracles.trust_oracle import trust_discrepancies

SHOWN = 40
MARTS = "marts.metric_values"


def differences(
    lake: Lake,
    oracle: IngestionOracle,
    references: References,
    as_of: datetime,
    *,
    only: Callable[[Key], bool] | None = None,
) -> list[str]:
    """What the tables say otherwise than the oracles about some values or all; the first of it, to be read."""
    events = oracle.events.values()
    found = metric_differences(lake, events, references, as_of, only=only)
    if only is None:
        found += quality_discrepancies(lake, oracle, as_of)
    return found[:SHOWN]


def metric_differences(
    lake: Lake,
    events: Collection[StoredEvent],
    references: References,
    as_of: datetime,
    *,
    only: Callable[[Key], bool] | None = None,
    days: Collection[date] | None = None,
) -> list[str]:
    """The same of all that is counted in stored events, without the loads that brought them.

    ``days``: of which the daily values of customers are compared, each of them the work of a whole history; None: of all.
    """
    customers = CustomersOracle(events, references, as_of, days=days)
    expected = MetricsOracle(events, references, as_of).values() | customers.values()
    shown = values_in(lake, MARTS)
    if only is not None:
        expected, shown = ({key: row for key, row in rows.items() if only(key)} for rows in (expected, shown))
    if days is not None:
        shown = {key: row for key, row in shown.items() if key[0] not in DAILY or key[3] != "daily" or key[5] in days}
    found = discrepancies(shown, expected, until=as_of.date())
    if only is None:
        found += customer_discrepancies(lake, customers)
        found += attribution_discrepancies(lake, events, references, as_of, timedelta(days=30))
        found += reconciliation_discrepancies(lake, events, references, as_of)
        found += freshness_discrepancies(lake, events, as_of)
        found += trust_discrepancies(lake, events, as_of)
    return found
