"""BG/NBD: how many purchases to expect of customers who may leave unseen (Fader, Hardie and Lee 2005).

Written by hand because no kept library has it: "Counting Your Customers the Easy Way", Marketing Science 24(2).
While alive a customer buys at a Poisson rate that is gamma(r, α) over customers; after each purchase he leaves with a
probability that is beta(a, b) over customers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, hyp2f1

from models_ml.customers.frames import Floats, check_vectors
from models_ml.customers.likelihood import Convergence, maximize, total
from models_ml.reasons import NotComputable, Reason

_GROUPS_AT_ONCE = 16_384  # small enough for the processor's cache
_LEAST_FROM_ONE = 1e-6
_HARDLY_ANY = 1e-9


@dataclass(frozen=True)
class BgNbd:
    """A fitted BG/NBD model. α is in the unit of time of the data that it was fitted on; r, a and b have none.

    a is 0 where no one leaves, which is the NBD model; b then has no meaning, and ``convergence`` is of r and α alone.
    """

    r: float
    alpha: float
    a: float
    b: float
    convergence: Convergence

    def expected_purchases(
        self, horizon: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Purchases to expect of each customer within ``horizon`` from now, E[X(t) | x, t_x, T].

        The three vectors are those of :func:`fit_bg_nbd`. ``horizon`` is one length of time, or several; the result has
        shape (customers,) or (customers, horizons). The formula is equation 10 of the paper after Euler's
        transformation of its hypergeometric function, which keeps it finite for any frequency. Raises ValueError for
        vectors that can't be histories and for horizons that are negative or not finite.
        """
        x, t_x, age_now = _histories(frequency, recency, age)
        until = np.asarray(horizon, dtype=np.float64)
        if not (np.isfinite(until) & (until >= 0)).all():
            raise ValueError(f"horizon is {horizon!r}; give finite lengths of time from 0 on.")
        # What follows for those still alive depends on frequency and age alone, of which there are few combinations.
        customers = pl.DataFrame({"x": x, "age": age_now})
        kinds = customers.unique(maintain_order=True).with_row_index("kind")
        kind = customers.join(kinds, on=["x", "age"], how="left", maintain_order="left")["kind"].to_numpy()
        if_alive = self._purchases_if_alive(until.reshape(-1), kinds["x"].to_numpy(), kinds["age"].to_numpy())
        expected = if_alive[kind] * self._alive(x, t_x, age_now)[:, None]
        return np.asarray(expected.reshape(len(x), *until.shape))

    def expected_purchases_of_new(self, horizon: ArrayLike) -> Floats:
        """Purchases to expect of a customer within ``horizon`` after the first, E[X(t)]; shaped as the horizon."""
        return np.asarray(self.expected_purchases(horizon, [0.0], [0.0], [0.0])[0])

    def _alive(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Probability of being alive; 1 after no repeat purchase, so never to be shown alone."""
        log_odds = _log_odds_of_leaving(np.array([self.r, self.alpha, self.a, self.b]), x, t_x, age)
        return np.asarray(np.exp(-np.logaddexp(0, log_odds)))

    def _purchases_if_alive(self, until: Floats, x: Floats, age: Floats) -> Floats:
        if self.a == 0:
            return np.asarray((self.r + x[:, None]) / (self.alpha + age[:, None]) * until[None, :])
        # The formula is 0/0 at a = 1; so near to it the expectation can't be told from that beside it.
        a = self.a if abs(self.a - 1) > _LEAST_FROM_ONE else 1 + _LEAST_FROM_ONE
        count = self.b + x[:, None] + a - 1
        rest = 1 / (1 + until[None, :] / (self.alpha + age[:, None]))
        return np.asarray(
            count / (a - 1) * (1 - rest ** (a - 1) * hyp2f1(a + self.b - 1 - self.r, a - 1, count, 1 - rest))
        )


def fit_bg_nbd(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> BgNbd | NotComputable:
    """Fit by maximum likelihood with the analytic gradient, on customers grouped by equal histories.

    Per customer, in one unit of time: ``frequency`` x, the number of repeat purchases; ``recency`` t_x, from the first
    to the last purchase (0 without a repeat); ``age`` T, from the first purchase to now. Where the likelihood is
    highest when no one leaves, that model, the NBD, is fitted. NotComputable without any repeat purchase, or when the
    data do not determine the parameters. Raises ValueError for vectors that can't be histories.
    """
    x, t_x, age_now = _histories(frequency, recency, age)
    if len(x) == 0:
        return NotComputable(Reason.NO_DATA, "There is no customer.")
    if not x.any():
        return NotComputable(Reason.NO_REPEAT_PURCHASES, f"None of {len(x):,} customers bought again.")
    groups = _Groups.of(x, t_x, age_now)
    fitted = maximize(groups.mean_log_likelihood, (1.0, float(age_now.mean()), 1.0, 1.0), len(x))
    if isinstance(fitted, NotComputable):
        return _fit_nbd(groups, float(age_now.mean()), len(x)) or fitted
    (r, alpha, a, b), convergence = fitted
    return BgNbd(float(r), float(alpha), float(a), float(b), convergence)


def _fit_nbd(groups: _Groups, mean_age: float, customers: int) -> BgNbd | None:
    """The model in which no one leaves; None where leaving, spread over customers in some way, is more likely."""

    def mean_log_likelihood(parameters: Floats) -> tuple[float, Floats]:
        value, gradient = groups.mean_log_likelihood(np.array([*parameters, 0.0, 1.0]))
        return value, gradient[:2]

    fitted = maximize(mean_log_likelihood, (1.0, mean_age), customers)
    if isinstance(fitted, NotComputable):
        return None
    (r, alpha), convergence = fitted
    by_leaving = (
        groups.mean_log_likelihood(np.array([r, alpha, _HARDLY_ANY, b]))[1][2] for b in np.geomspace(0.01, 1e4, 25)
    )
    return BgNbd(float(r), float(alpha), 0.0, 1.0, convergence) if all(slope <= 0 for slope in by_leaving) else None


@dataclass(frozen=True)
class _Groups:
    """Customers of equal history together; and how many have each frequency."""

    x: Floats
    t_x: Floats
    age: Floats
    weight: Floats
    frequencies: Floats
    with_frequency: Floats

    @classmethod
    def of(cls, x: Floats, t_x: Floats, age: Floats) -> _Groups:
        customers = pl.DataFrame({"x": x, "t_x": t_x, "age": age})
        groups = customers.group_by("x", "t_x", "age", maintain_order=True).len("weight")
        frequencies, counts = np.unique(x, return_counts=True)
        return cls(
            x=groups["x"].to_numpy(),
            t_x=groups["t_x"].to_numpy(),
            age=groups["age"].to_numpy(),
            weight=groups["weight"].cast(pl.Float64).to_numpy(),
            frequencies=frequencies,
            with_frequency=counts.astype(np.float64),
        )

    def mean_log_likelihood(self, parameters: Floats) -> tuple[float, Floats]:
        """Mean log-likelihood of a customer (the paper's equation 6 over the groups) and its gradient by r, α, a, b."""
        r, alpha, a, b = parameters
        k, n = self.frequencies, self.with_frequency
        customers = n.sum()
        counting = gammaln(r + k) - gammaln(r) + r * np.log(alpha)
        leaving = gammaln(a + b) - gammaln(b) + gammaln(b + k) - gammaln(a + b + k)
        by_leaving = digamma(a + b) - digamma(a + b + k)
        by_groups = np.zeros(5)
        for start in range(0, len(self.x), _GROUPS_AT_ONCE):
            by_groups += self._sums(parameters, slice(start, start + _GROUPS_AT_ONCE))
        value = total(n, counting + leaving) + by_groups[0]
        gradient = by_groups[1:] + np.array(
            [
                total(n, digamma(r + k) - digamma(r) + np.log(alpha)),
                customers * r / alpha,
                total(n, by_leaving),
                total(n, by_leaving + digamma(b + k) - digamma(b)),
            ]
        )
        return float(value / customers), np.asarray(gradient / customers)

    def _sums(self, parameters: Floats, rows: slice) -> Floats:
        """What some groups add to the log-likelihood and its gradient beyond what follows from frequency alone."""
        r, alpha, a, b = parameters
        x, t_x, age, weight = self.x[rows], self.t_x[rows], self.age[rows], self.weight[rows]
        log_odds = _log_odds_of_leaving(parameters, x, t_x, age)
        # One exponential serves both the logarithm of 1 + odds and the probability of having left.
        small = np.exp(-np.abs(log_odds))
        log_sum = np.maximum(log_odds, 0) + np.log1p(small)
        left = weight * np.where(log_odds > 0, 1.0, small) / (1 + small)
        stayed = weight - left
        late, early = np.log(alpha + age), np.log(alpha + t_x)
        return np.array(
            [
                total(weight, log_sum - (r + x) * late),
                -total(stayed, late) - total(left, early),
                -total(r + x, stayed / (alpha + age) + left / (alpha + t_x)),
                left.sum() / a,
                -total(left, 1 / (b + np.maximum(x, 1) - 1)),
            ]
        )


def _log_odds_of_leaving(parameters: Floats, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Log odds that a customer left with the last purchase; minus infinity without a repeat purchase."""
    r, alpha, a, b = parameters
    with np.errstate(divide="ignore"):
        log_a = np.log(a)
    bought = log_a - np.log(b + np.maximum(x, 1) - 1) + (r + x) * (np.log(alpha + age) - np.log(alpha + t_x))
    return np.where(x > 0, bought, -np.inf)


def _histories(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> tuple[Floats, Floats, Floats]:
    x, t_x, age_now = check_vectors(frequency=frequency, recency=recency, age=age)
    wrong = (x != np.floor(x)) | (t_x > age_now) | ((x == 0) & (t_x > 0)) | ((x > 0) & (t_x == 0))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Customer {at} has frequency {x[at]:g}, recency {t_x[at]:g}, age {age_now[at]:g}; frequency is a whole number "
            "of repeat purchases, recency between 0 and age, and 0 only without one."
        )
    return x, t_x, age_now
