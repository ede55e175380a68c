"""Attribution models that look at all journeys of a window at once, by the same functions as everywhere else."""

from typing import Any

from models_ml.attribution import credit_windows


def model(dbt: Any, session: Any) -> Any:
    """Markov and Shapley credit by group and window."""
    return credit_windows(dbt.ref("int_path_windows").pl())
