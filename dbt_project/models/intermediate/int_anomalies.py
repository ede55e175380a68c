"""Days out of the ordinary, by the same detectors as everywhere else."""

from typing import Any

from models_ml.anomalies import find_anomalies


def model(dbt: Any, session: Any) -> Any:
    """The anomalies of the watched days."""
    return find_anomalies(dbt.ref("int_watched_days").pl())
