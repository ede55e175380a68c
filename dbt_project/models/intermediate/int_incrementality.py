"""One inference per campaign or group and period, by the same functions as everywhere else."""

from typing import Any

from models_ml.experiments import measure_holdouts


def model(dbt: Any, session: Any) -> Any:
    """The table of metrics 18 to 20."""
    return measure_holdouts(dbt.ref("int_holdout_periods").pl())
