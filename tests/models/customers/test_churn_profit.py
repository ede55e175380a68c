"""What acting is worth, counted customer by customer."""

from __future__ import annotations

import numpy as np
import pytest

from models_ml.customers import RetentionOffer
from models_ml.customers.churn import act

OFFER = RetentionOffer(contact_cost=1, incentive_cost=10, save_rate=0.25)


@pytest.mark.parametrize(
    ("probability", "value", "profit"),
    [
        (1.0, 100.0, 0.25 * 90 - 1),
        (0.0, 100.0, -10 - 1),
        (0.5, 100.0, 0.5 * 0.25 * 90 - 0.5 * 10 - 1),
        (1.0, 0.0, -0.25 * 10 - 1),
    ],
)
def test_expected_profit(probability: float, value: float, profit: float) -> None:
    assert OFFER.expected_profit([probability], [value])[0] == pytest.approx(profit)


def test_acting_counted_one_by_one() -> None:
    chance = np.random.default_rng(3)
    p, value = chance.random(400), chance.uniform(0, 300, 400)
    y = (chance.random(400) < p).astype(int)
    found = act(y, p, value, OFFER)
    made = []
    for churned, probability, worth in zip(y, p, value, strict=True):
        expected = probability * 0.25 * (worth - 10) - (1 - probability) * 10 - 1
        outcome = 0.25 * (worth - 10) - 1 if churned else -11.0
        made.append(outcome if expected > 0 else 0.0)
    assert found.profit.value == pytest.approx(np.mean(made))
    assert found.contacted == pytest.approx(np.mean([value != 0 for value in made]))
    assert found.profit.low is not None and found.profit.high is not None
    assert found.profit.low < found.expected_profit < found.profit.high
    assert found.profit_of_all < found.profit.value


def test_no_one_worth_contacting_is_a_profit_of_nothing() -> None:
    found = act([0, 1], [0.01, 0.02], [5.0, 5.0], OFFER)
    assert (found.contacted, found.expected_profit, found.profit.value) == (0, 0, 0)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="save rate between 0 and 1"):
        RetentionOffer(1, 1, 1.5)
    with pytest.raises(ValueError, match="one of each per customer"):
        act([0, 1], [0.5], [1.0, 2.0], OFFER)
    with pytest.raises(ValueError, match="one of each per customer"):
        act([], [], [], OFFER)
    with pytest.raises(ValueError, match="value at stake"):
        act([0], [0.5], [float("nan")], OFFER)
