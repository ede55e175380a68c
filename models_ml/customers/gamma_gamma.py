"""Gamma-Gamma: the mean order value to expect of a customer from the few orders seen (Fader and Hardie 2013).

Written by hand because no kept library has it: "The Gamma-Gamma Model of Monetary Value", brucehardie.com/notes/025.
Order values of a customer are gamma(p, ν), and ν is gamma(q, v) over customers, apart from how often they buy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from models_ml.customers.frames import Floats, check_vectors
from models_ml.customers.likelihood import Convergence, maximize, total
from models_ml.reasons import NotComputable, Reason


@dataclass(frozen=True)
class GammaGamma:
    """A fitted Gamma-Gamma model. v is in the currency of the data; p and q have no unit.

    ``frequency_correlation`` is Pearson's, between the number of orders and their mean value, which the
    model takes for 0; None where all have equally many.
    """

    p: float
    q: float
    v: float
    frequency_correlation: float | None
    convergence: Convergence

    @property
    def population_mean(self) -> float:
        """Mean order value over all customers, also what to expect of one without any."""
        return self.p * self.v / (self.q - 1)

    def expected_order_value(self, frequency: ArrayLike, mean_value: ArrayLike) -> Floats:
        """Mean order value to expect of each customer, between the one seen and the population's (equation 5).

        The vectors are those of :func:`fit_gamma_gamma`; without an order (frequency 0) the mean value counts for
        nothing.
        """
        x, mean = check_vectors(frequency=frequency, mean_value=mean_value)
        return np.asarray(self.p * (self.v + x * mean) / (self.p * x + self.q - 1))


def fit_gamma_gamma(frequency: ArrayLike, mean_value: ArrayLike) -> GammaGamma | NotComputable:
    """Fit by maximum likelihood with the analytic gradient, on customers with at least one order.

    Per customer: ``frequency`` x, the number of orders behind ``mean_value``, their mean. By the paper these are the
    repeat orders; customers with frequency 0 are left out. NotComputable without such an order, when all have the same
    mean value, when the data do not determine the parameters, or when q ≤ 1, which has no finite population mean.
    Raises ValueError for a mean value of 0 or below where there are orders.
    """
    x, mean = check_vectors(frequency=frequency, mean_value=mean_value)
    x, mean = x[x > 0], mean[x > 0]
    if len(x) == 0:
        return NotComputable(Reason.NO_REPEAT_PURCHASES, "No customer has an order to take a value from.")
    if (mean <= 0).any():
        raise ValueError(f"mean_value is 0 for {int((mean <= 0).sum())} customers with orders; leave free orders out.")
    if (mean == mean[0]).all():
        return NotComputable(Reason.NO_VARIATION, f"All {len(x):,} customers have the mean order value {mean[0]:g}.")
    k, index, counts = np.unique(x, return_inverse=True, return_counts=True)
    n = counts.astype(np.float64)

    def mean_log_likelihood(parameters: Floats) -> tuple[float, Floats]:
        p, q, v = parameters
        spent = x * mean + v
        logarithm = np.log(spent)
        by_frequency = np.asarray(np.bincount(index, logarithm), dtype=np.float64)
        value = (
            total(n, gammaln(p * k + q) - gammaln(p * k) + p * k * np.log(k))
            + len(x) * (q * np.log(v) - gammaln(q))
            + p * weighted_logs
            - logs
            - total(p * k + q, by_frequency)
        )
        joint = digamma(p * k + q)
        gradient = (
            total(n, k * (joint - digamma(p * k) + np.log(k))) + weighted_logs - total(k, by_frequency),
            total(n, joint) - len(x) * (digamma(q) - np.log(v)) - by_frequency.sum(),
            len(x) * q / v - total(p * x + q, 1 / spent),
        )
        return float(value / len(x)), np.array(gradient) / len(x)

    logs, weighted_logs = float(np.log(mean).sum()), total(x, np.log(mean))
    fitted = maximize(mean_log_likelihood, (1.0, 2.0, float(mean.mean())), len(x))
    if isinstance(fitted, NotComputable):
        return fitted
    (p, q, v), convergence = fitted
    if q <= 1:
        return NotComputable(
            Reason.INFINITE_MEAN, f"q is {q:.3g}; up to 1 the population's mean order value is infinite."
        )
    correlation = float(np.corrcoef(x, mean)[0, 1]) if len(k) > 1 else None
    return GammaGamma(float(p), float(q), float(v), correlation, convergence)
