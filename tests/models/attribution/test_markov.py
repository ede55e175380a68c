"""The chain against dense systems, long simulation and a published example; the choice of its order."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.attribution import Credit, OrderChoice, RemovalEffects, chain, choose_order, markov, removal_effects
from models_ml.reasons import NotComputable, Reason
from tests.models.attribution.journeys import CHANNELS, DenseChain, Row, by_channel, paths_of, rows

FEW = settings(max_examples=8)
orders = pytest.mark.parametrize("order", [1, 2, 3])


def effects_of(found: list[Row], order: int) -> RemovalEffects:
    effects = removal_effects(paths_of(found), order)
    assert isinstance(effects, RemovalEffects)
    return effects


@orders
@pytest.mark.parametrize("measure", ["conversions", "revenue"])
@FEW
@given(rows())
def test_removal_effects_are_those_of_dense_systems(order: int, measure: str, found: list[Row]) -> None:
    dense = DenseChain(found, order, measure)
    full = dense.outcome()
    expected = [1 - dense.outcome(channel) / full if full else 0.0 for channel in paths_of(found).channels]
    assert getattr(effects_of(found, order), measure) == pytest.approx(expected, abs=1e-9)


@orders
@FEW
@given(rows())
def test_the_chain_starts_at_the_empirical_conversion_rate(order: int, found: list[Row]) -> None:
    converted, lost = (sum(getattr(row, name) for row in found) for name in ("conversions", "unconverted"))
    assert effects_of(found, order).start_probability == pytest.approx(converted / (converted + lost))


@orders
@FEW
@given(rows())
def test_effects_are_shares(order: int, found: list[Row]) -> None:
    effects = effects_of(found, order)
    for values in (effects.conversions, effects.revenue):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-12


def test_effects_by_hand() -> None:
    # a and a, b convert once each of two: half of what starts in a ends there, half goes on to b.
    found = [Row(("a",), 1, 1, 4.0), Row(("a", "b"), 1, 1, 2.0), Row(("c", "a"), 0, 1, 0.0)]
    # From a: 1/5 converts, 2/5 ends, 2/5 to b; from b: 1/2. h(a) = .2 + .4 × .5 = .4, all journeys pass a: P = .4.
    effects = effects_of(found, 1)
    assert effects.start_probability == pytest.approx(0.4)
    assert dict(zip(effects.channels, effects.conversions, strict=True)) == pytest.approx({"a": 1, "b": 0.5, "c": 0.2})
    assert dict(zip(effects.channels, effects.revenue, strict=True)) == pytest.approx({"a": 1, "b": 1 / 3, "c": 0.2})
    # c is on no converting path: the chain lets its journeys go on like others from a. Longer memory does not.
    assert dict(zip(effects.channels, effects_of(found, 2).conversions, strict=True))["c"] == 0


@FEW
@given(rows())
def test_orders_beyond_the_longest_path_agree(found: list[Row]) -> None:
    short = [replace(row, path=row.path[:2]) for row in found]
    assert effects_of(short, 2).conversions == pytest.approx(effects_of(short, 3).conversions, abs=1e-9)


@FEW
@given(rows())
def test_repeating_a_touch_does_not_matter_to_order_one(found: list[Row]) -> None:
    doubled = [replace(row, path=tuple(channel for channel in row.path for _ in range(2))) for row in found]
    assert effects_of(doubled, 1).conversions == pytest.approx(effects_of(found, 1).conversions, abs=1e-9)


@orders
def test_simulated_journeys_agree(order: int) -> None:
    rng = np.random.default_rng(5)
    found = random_rows(rng, 30)
    effects, removed = effects_of(found, order), "email"
    share = simulated_conversions(found, order, removed, rng) / simulated_conversions(found, order, None, rng)
    assert effects.conversions[effects.channels.index(removed)] == pytest.approx(1 - share, abs=0.02)


def random_rows(rng: np.random.Generator, count: int, channels: tuple[str, ...] = CHANNELS) -> list[Row]:
    return [
        Row(
            tuple(channels[code] for code in rng.integers(0, len(channels), 1 + rng.geometric(0.3))),
            int(rng.poisson(2)) + (number == 0),
            int(rng.poisson(8)),
            0.0,
        )
        for number in range(count)
    ]


def simulated_conversions(found: list[Row], order: int, removed: str | None, rng: np.random.Generator) -> float:
    """Share of 100,000 random walks that convert; all walk one step at a time."""
    steps: dict[tuple[str, ...], list[object]] = {}
    for row in found:
        for outcome, count in (("conversion", row.conversions), ("none", row.unconverted)):
            state: tuple[str, ...] = ()
            for channel in row.path:
                following = (*state, channel)[-order:]
                steps.setdefault(state, []).extend([following] * count)
                state = following
            steps.setdefault(state, []).extend([outcome] * count)
    walks, converted = {(): 100_000}, 0
    while walks:
        onward: dict[tuple[str, ...], int] = {}
        for state, count in walks.items():
            targets = steps[state]
            drawn = rng.multinomial(count, [1 / len(targets)] * len(targets))
            for target, walkers in zip(targets, drawn.tolist(), strict=True):
                if target == "conversion":
                    converted += walkers
                elif isinstance(target, tuple) and removed not in target and walkers:
                    onward[target] = onward.get(target, 0) + walkers
        walks = onward
    return converted / 100_000


@orders
def test_long_circling_journeys_are_solved_exactly(order: int) -> None:
    # Thousands of touches before anything ends: simulation would hardly ever see the end.
    found = [Row(("a", "b", "c") * 700, 1, 2, 6.0), Row(("b", "d"), 2, 1, 2.0)]
    dense = DenseChain(found, order, "conversions")
    expected = [1 - dense.outcome(channel) / dense.outcome() for channel in "abcd"]
    assert effects_of(found, order).conversions == pytest.approx(expected, rel=1e-8)


def test_where_iterations_stall_elimination_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    found = random_rows(np.random.default_rng(3), 40)
    expected = effects_of(found, 2).conversions
    monkeypatch.setattr(chain.linalg, "gmres", lambda system, right, **_: (np.zeros(len(right)), 1))
    assert effects_of(found, 2).conversions == pytest.approx(expected, rel=1e-9)


def test_other_orders_are_refused() -> None:
    paths = paths_of([Row(("a",), 1, 1, 0.0)])
    for call in (lambda: markov(paths, 4), lambda: removal_effects(paths, 0), lambda: choose_order(paths, 1, [])):
        with pytest.raises(ValueError, match=r"orders? is"):
            call()


def auc_by_pairs(found: list[Row], order: int) -> float:
    """Share of the pairs of a converting and another journey that the scores put right; ties count half."""
    won: dict[tuple[str, ...], int] = {}
    lost: dict[tuple[str, ...], int] = {}
    for row in found:
        won[row.path[-order:]] = won.get(row.path[-order:], 0) + row.conversions
        lost[row.path[-order:]] = lost.get(row.path[-order:], 0) + row.unconverted
    score = {state: won[state] / max(won[state] + lost[state], 1) for state in won}
    right = sum(
        won[one] * lost[other] * ((score[one] > score[other]) + 0.5 * (score[one] == score[other]))
        for one, other in itertools.product(won, won)
    )
    return right / (sum(won.values()) * sum(lost.values()))


@orders
@FEW
@given(rows())
def test_auc_counts_pairs(order: int, found: list[Row]) -> None:
    found = [*found, Row(("x",), 20, 20, 0.0)]
    choice = choose_order(paths_of(found), 1, [order])
    assert isinstance(choice, OrderChoice)
    assert choice.auc == (pytest.approx(auc_by_pairs(found, order)),)


@pytest.mark.parametrize("memory", [1, 2, 3])
def test_the_order_of_the_world_is_found(memory: int) -> None:
    """Conversion depends on the last ``memory`` touches; what longer memories learn by heart does not help them."""
    rng = np.random.default_rng(11)
    rate: dict[tuple[str, ...], float] = {}
    found = []
    for row in random_rows(rng, 3000, CHANNELS[:3]):
        count = int(rng.poisson(130))
        chance = rate.setdefault(row.path[-memory:], float(rng.beta(0.8, 3)))
        converted = int(rng.binomial(count, chance))
        found.append(Row(row.path, converted, count - converted, 0.0))
    choice = choose_order(paths_of(found), seed=1)
    assert isinstance(choice, OrderChoice)
    assert choice.order == memory
    assert sorted(choice.auc) == list(choice.auc)


@FEW
@given(rows(), st.sampled_from([(1,), (3, 1), (1, 2, 3)]))
def test_journeys_that_all_convert_have_no_order(found: list[Row], tried: tuple[int, ...]) -> None:
    choice = choose_order(paths_of([replace(row, unconverted=0) for row in found]), 1, tried)
    assert isinstance(choice, NotComputable)
    assert choice.reason is Reason.ONE_CLASS_ONLY


def test_too_few_conversions_have_no_order() -> None:
    choice = choose_order(paths_of([Row(("a",), 1, 100, 0.0)]), 1)
    assert isinstance(choice, NotComputable)
    assert choice.reason is Reason.TOO_FEW_CONVERSIONS


@FEW
@given(rows())
def test_credit_follows_the_effects(found: list[Row]) -> None:
    effects, credit = effects_of(found, 2), markov(paths_of(found), 2)
    assert isinstance(credit, Credit)
    total = sum(row.conversions for row in found)
    expected = effects.conversions / effects.conversions.sum() * total
    assert list(by_channel(credit).values()) == pytest.approx(expected.tolist())
