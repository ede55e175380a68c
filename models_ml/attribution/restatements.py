"""The log of restated credit: what a run says differently from the one before it, and why."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from models_ml.attribution.frames import require_columns
from models_ml.attribution.rules import PathRules


class Cause(StrEnum):
    """Why a model's credit of a channel changed.

    ``rules``: other path rules, which makes the runs incomparable. ``appeared`` and ``vanished``: the channel (or
    model) is in one run only. ``volume``: mostly more or fewer conversions in all. ``share``: mostly another part of
    them for the channel.
    """

    RULES = "rules"
    APPEARED = "appeared"
    VANISHED = "vanished"
    VOLUME = "volume"
    SHARE = "share"


def restatement(
    before: pl.DataFrame,
    after: pl.DataFrame,
    rules_before: PathRules | None = None,
    rules_after: PathRules | None = None,
) -> pl.DataFrame:
    """Compare two runs' credit of the same period; frames as :meth:`Attribution.to_frame` gives them.

    One row per model and channel whose conversions or revenue changed: ``model``, ``channel``, and for each measure
    its value ``_before`` and ``_after`` and the parts of the change by the model's total (``_by_volume``: the share
    before × the change of the total) and by the channel's share of it (``_by_share``), which sum to the change;
    ``cause``, and ``details`` with the rules that changed. The cause looks at conversions, at revenue if they did not
    change. Changes below a billionth of the model's total are rounding and no change.

    Raises ValueError for missing columns and repeated channels of a model.
    """
    for name, frame in (("before", before), ("after", after)):
        require_columns(name, frame, ("model", "channel", "conversions", "revenue"))
        if frame.select(pl.struct("model", "channel").is_duplicated().any()).item():
            raise ValueError(f"{name} has a channel more than once for a model; sum it by model and channel.")
    keys, measures = ("model", "channel"), ("conversions", "revenue")
    sides = [
        frame.select(*keys, *(pl.col(each).alias(f"{each}_{side}") for each in measures), pl.lit(1).alias(f"is_{side}"))
        for side, frame in (("before", before), ("after", after))
    ]
    joined = sides[0].join(sides[1], on=keys, how="full", coalesce=True)
    filled = joined.with_columns(pl.exclude(*keys, "is_before", "is_after").fill_null(0.0))
    parts = filled.with_columns(*(part for each in measures for part in _parts(each)))
    flagged = parts.with_columns(_is_change(each).alias(f"{each}_changed") for each in measures)
    changed = flagged.filter(pl.col("conversions_changed") | pl.col("revenue_changed"))
    rules = rules_after.changes_from(rules_before) if rules_before and rules_after else ()
    return changed.select(
        *keys,
        *(f"{each}_{what}" for each in measures for what in ("before", "after", "by_volume", "by_share")),
        (pl.lit(str(Cause.RULES)) if rules else _cause()).alias("cause"),
        pl.lit("; ".join(rules)).alias("details"),
    ).sort(keys)


def _parts(measure: str) -> tuple[pl.Expr, pl.Expr]:
    earlier, now = pl.col(f"{measure}_before"), pl.col(f"{measure}_after")
    total, total_now = earlier.sum().over("model"), now.sum().over("model")
    by_volume = pl.when(total > 0).then(earlier / total * (total_now - total)).otherwise(0.0)
    return by_volume.alias(f"{measure}_by_volume"), (now - earlier - by_volume).alias(f"{measure}_by_share")


def _is_change(measure: str) -> pl.Expr:
    earlier, now = pl.col(f"{measure}_before"), pl.col(f"{measure}_after")
    total = pl.max_horizontal(earlier.sum().over("model"), now.sum().over("model"))
    return (now - earlier).abs() > 1e-9 * total


def _cause() -> pl.Expr:
    volume, share = (
        pl.when("conversions_changed").then(f"conversions_by_{what}").otherwise(f"revenue_by_{what}").abs()
        for what in ("volume", "share")
    )
    return (
        pl.when(pl.col("is_before").is_null())
        .then(pl.lit(str(Cause.APPEARED)))
        .when(pl.col("is_after").is_null())
        .then(pl.lit(str(Cause.VANISHED)))
        .when(volume >= share)
        .then(pl.lit(str(Cause.VOLUME)))
        .otherwise(pl.lit(str(Cause.SHARE)))
    )
