"""Send time: the hour at which a customer is most likely to respond, from few responses."""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.customers.frames import check_frame
from models_ml.reasons import NotComputable, Reason

_HOURS = 24
_KERNEL = {-1: 0.25, 0: 0.5, 1: 0.25}


def best_send_hours(responses: pl.DataFrame, *, kappa: float = 20.0) -> pl.DataFrame | NotComputable:
    """The best hour of each customer of one channel.

    ``responses`` has customer_id, hour (0 to 23, in the customer's time zone) and responses (opens or clicks,
    aggregated or not). Counts are smoothed over the neighboring hours of the circle (¼, ½, ¼) and shrunk to the profile
    of all customers, which weighs like ``kappa`` responses: share = (smoothed + κ · profile) / (n + κ). So a customer
    with few responses is written to when most respond. Of equal hours the earliest is taken.

    Returns customer_id, hour, share (of the customer's responses to expect in that hour), own_weight (n / (n + κ): how
    far the customer's own habits decide), by customer. NotComputable when no one responded. Raises ValueError for hours
    outside 0 to 23, negative counts, or a kappa that is not above 0.
    """
    check_frame(responses, "responses", columns=("customer_id",), numbers=("hour", "responses"))
    if not kappa > 0:
        raise ValueError(f"kappa is {kappa}; it must be above 0, or customers without responses would have no hour.")
    if not (responses["hour"].is_in(range(_HOURS)) & (responses["responses"] >= 0)).all():
        raise ValueError("responses has hours outside 0 to 23 or counts below 0.")
    total = float(responses["responses"].sum())
    if not total:
        return NotComputable(Reason.NO_DATA, "No customer responded at any hour.")
    customers = responses.select(pl.col("customer_id").unique().sort()).with_row_index("row")
    placed = responses.join(customers, on="customer_id")
    counts = np.zeros((len(customers), _HOURS))
    np.add.at(
        counts, (placed["row"].to_numpy(), placed["hour"].cast(pl.Int64).to_numpy()), placed["responses"].to_numpy()
    )
    smoothed = sum(weight * np.roll(counts, shift, axis=1) for shift, weight in _KERNEL.items())
    profile = np.asarray(smoothed).sum(axis=0) / total
    own = counts.sum(axis=1)
    shares = (smoothed + kappa * profile) / (own + kappa)[:, None]
    # Rounded, so that sums that differ in the last bit still tie.
    hour = shares.round(12).argmax(axis=1)
    return customers.select("customer_id").with_columns(
        hour=pl.Series(hour.astype(np.int8)),
        share=pl.Series(shares[np.arange(len(hour)), hour]),
        own_weight=pl.Series(own / (own + kappa)),
    )
