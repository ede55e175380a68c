"""Who belongs to the holdout, decided by a hash, and whether the arms came out as they were meant to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import special

from models_ml.reasons import NotComputable, Reason

Counts = NDArray[np.float64]

BUCKETS = 10_000
"""Shares are hundredths of a percent."""

ALARM = 0.001
"""The p-value below which an imbalance is no accident (spec 04-models)."""


def bucket(campaign_id: str, user_id: str) -> int:
    """The bucket, 0 to 9,999, of a user in a campaign, for ever and on every engine.

    It is the number that the first 8 hexadecimal digits of the MD5 of ``campaign_id|user_id`` (UTF-8) form, modulo
    10,000. In SQL it is the macro ``holdout_bucket``. Different campaigns hold out unrelated users.
    """
    digest = hashlib.md5(f"{campaign_id}|{user_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") % BUCKETS


def is_held_out(campaign_id: str, user_ids: pl.Series, share: float) -> pl.Series:
    """Which users a campaign withholds its messages from: those whose :func:`bucket` is below ``share`` of all buckets.

    A larger share keeps everyone whom a smaller one held out. Tables of users are split in SQL; this is the same for
    what is in memory. Raises ValueError when the share is not within 0..1 or a user is null.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; give the part of users to hold out, 0 to 1.")
    if user_ids.null_count():
        raise ValueError(f"{user_ids.null_count()} user ids are null; only known users can be assigned.")
    below = round(share * BUCKETS)
    held = [bucket(campaign_id, user) < below for user in user_ids.cast(pl.String)]
    return pl.Series("is_held_out", held, dtype=pl.Boolean)


@dataclass(frozen=True)
class AllocationCheck:
    """χ² of the counts that came out against those ``expected``; ``is_sound`` when that could well be chance (p ≥ .001)."""

    statistic: float
    p_value: float
    expected: tuple[tuple[float, ...], ...]

    @property
    def is_sound(self) -> bool:
        """Whether results of this experiment may be read."""
        return self.p_value >= ALARM


def check_sample_ratio(users: Sequence[int], shares: Sequence[float] | None = None) -> AllocationCheck | NotComputable:
    """Sample ratio mismatch: did every arm get the share of users that it was meant to get? Equal shares by default.

    A mismatch says that assignment or logging is broken, and that no lift should be believed (Fabijan et al. 2019).
    Reasons: no_data. Raises ValueError when counts and shares don't fit together.
    """
    counts = _counts(users, dimensions=1)
    parts = np.ones(len(counts)) if shares is None else np.asarray(shares, dtype=np.float64)
    if parts.shape != counts.shape or len(counts) < 2 or not (np.isfinite(parts).all() and (parts > 0).all()):
        raise ValueError(
            f"users are {list(users)}, shares {shares}; give a positive share for each of two or more arms."
        )
    if not counts.sum():
        return NotComputable(Reason.NO_DATA, "No arm has users.")
    expected = counts.sum() * parts / parts.sum()
    return _against(counts[None], expected[None], degrees=len(counts) - 1)


def check_balance(users: ArrayLike) -> AllocationCheck | NotComputable:
    """Are the arms made of the same kinds of users? ``users`` counts them, one row per stratum, one column per arm.

    χ² of independence. Reasons: no_data; no_variation when there are not two strata and two arms with users.
    """
    counts = _counts(users, dimensions=2)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if not counts.size:
        return NotComputable(Reason.NO_DATA, "No stratum has users.")
    if min(counts.shape) < 2:
        return NotComputable(Reason.NO_VARIATION, f"Users are in {counts.shape[0]} strata and {counts.shape[1]} arms.")
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return _against(counts, expected, degrees=(counts.shape[0] - 1) * (counts.shape[1] - 1))


def _against(counts: Counts, expected: Counts, degrees: int) -> AllocationCheck:
    """Pearson's χ². Spelled out, because thousands of campaigns and days are checked and scipy's tests take a millisecond each."""
    statistic = float(((counts - expected) ** 2 / expected).sum())
    p_value = float(special.chdtrc(degrees, statistic))
    return AllocationCheck(statistic, p_value, tuple(tuple(row) for row in expected.tolist()))


def _counts(users: ArrayLike, dimensions: int) -> Counts:
    counts = np.asarray(users, dtype=np.float64)
    if counts.ndim != dimensions or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(
            f"users of shape {counts.shape} hold negative or no numbers; count them in {dimensions} dimension(s)."
        )
    return counts
