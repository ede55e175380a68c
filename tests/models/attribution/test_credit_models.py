"""All models: the rule-based ones against loops and worked values, and what must hold for every one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models_ml.attribution import (
    Attribution,
    Credit,
    Model,
    Paths,
    attribute,
    first_touch,
    last_touch,
    linear,
    markov,
    position,
    shapley_simplified,
    time_decay,
)
from models_ml.attribution.run import FUNCTIONS
from models_ml.reasons import NotComputable, Reason
from tests.models.attribution.journeys import CHANNELS, Row, by_channel, credit_by_shares, doubling, paths_of, rows

MEASURES = ("conversions", "revenue")
ALL = {**{str(model): function for model, function in FUNCTIONS.items()}}
ALL |= {f"markov of order {order}": (lambda paths, order=order: markov(paths, order)) for order in (2, 3)}
FEW = settings(max_examples=4)
STALLING = [
    Row(("direct",), 0, 4, 0.0),
    Row(("direct", "direct", "search", "email", "email"), 1, 6, 0.0),
    Row(("direct", "email", "email", "direct", "direct"), 2, 6, 0.0),
    Row(("email", "direct", "email", "email"), 0, 4, 0.0),
]
"""Journeys whose second-order chain some iterative solvers give up on without saying so."""

models = pytest.mark.parametrize("model", ALL.values(), ids=ALL.keys())
ModelFunction = Callable[[Paths], Credit | NotComputable]


def position_shares(path: Sequence[str]) -> Sequence[float]:
    if len(path) <= 2:
        return [1 / len(path)] * len(path)
    return [0.4, *[0.2 / (len(path) - 2)] * (len(path) - 2), 0.4]


def distinct_shares(path: Sequence[str]) -> Sequence[float]:
    return [1 / len(set(path)) if channel not in path[:place] else 0.0 for place, channel in enumerate(path)]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("model", "shares"),
    [
        (first_touch, lambda path: [float(place == 0) for place in range(len(path))]),
        (last_touch, lambda path: [float(place == len(path) - 1) for place in range(len(path))]),
        (linear, lambda path: [1 / len(path)] * len(path)),
        (position, position_shares),
        (time_decay, lambda path: doubling(len(path))),
        (shapley_simplified, distinct_shares),
    ],
    ids=["first_touch", "last_touch", "linear", "position", "time_decay", "shapley_simplified"],
)
@FEW
@given(rows())
def test_rule_based_credit_is_the_sum_over_touches(
    model: ModelFunction, shares: Callable[[Sequence[str]], Sequence[float]], measure: str, found: list[Row]
) -> None:
    assert by_channel(model(paths_of(found)), measure) == pytest.approx(credit_by_shares(found, shares, measure))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", {"a": 1.0}),
        ("ab", {"a": 0.5, "b": 0.5}),
        ("abc", {"a": 0.4, "b": 0.2, "c": 0.4}),
        ("abcd", {"a": 0.4, "b": 0.1, "c": 0.1, "d": 0.4}),
        ("aba", {"a": 0.8, "b": 0.2}),
    ],
)
def test_position_gives_40_20_40(path: str, expected: dict[str, float]) -> None:
    assert by_channel(position(paths_of([Row(tuple(path), 1, 0, 0.0)]))) == pytest.approx(expected)


def test_positions_shares_can_be_chosen() -> None:
    found = [Row(("a", "b", "c"), 10, 0, 0.0), Row(("a", "c"), 10, 0, 0.0)]
    assert by_channel(position(paths_of(found), first=0.6, last=0.2)) == pytest.approx({"a": 13.5, "b": 2, "c": 4.5})
    for first, last in ((0.0, 0.4), (0.8, 0.4), (math.nan, 0.4)):
        with pytest.raises(ValueError, match="first is"):
            position(paths_of(found), first, last)


def test_time_decay_needs_times() -> None:
    paths = replace(paths_of([Row(("a",), 1, 0, 0.0)]), decayed_conversions=None, decayed_revenue=None)
    found = time_decay(paths)
    assert isinstance(found, NotComputable)
    assert found.reason is Reason.NO_TOUCH_TIMES


@models
@FEW
@given(rows())
def test_credit_sums_to_conversions_and_revenue(model: ModelFunction, found: list[Row]) -> None:
    credit = model(paths_of(found))
    assert isinstance(credit, Credit)
    for measure in MEASURES:
        values = getattr(credit, measure)
        assert np.isfinite(values).all()
        assert values.sum() == pytest.approx(sum(getattr(row, measure) for row in found))


@models
@FEW
@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(model: ModelFunction, found: list[Row], random: object) -> None:
    before = model(paths_of(found))
    random.shuffle(found)  # type: ignore[attr-defined]
    assert_same(model(paths_of(found)), before)


@models
@FEW
@given(rows(), st.permutations(CHANNELS))
def test_relabeling_changes_nothing(model: ModelFunction, found: list[Row], names: list[str]) -> None:
    renamed = dict(zip(CHANNELS, names, strict=True))
    relabeled = [replace(row, path=tuple(renamed[channel] for channel in row.path)) for row in found]
    before, after = model(paths_of(found)), model(paths_of(relabeled))
    for measure in MEASURES:
        expected = {renamed[channel]: value for channel, value in by_channel(before, measure).items()}
        assert by_channel(after, measure) == pytest.approx(expected, abs=1e-9)


@models
@FEW
@given(rows())
def test_splitting_rows_changes_nothing(model: ModelFunction, found: list[Row]) -> None:
    halves = [part for row in found for part in split(row)]
    assert_same(model(paths_of(halves)), model(paths_of(found)))


@models
@FEW
@example(found=STALLING, factor=0.001)
@given(found=rows(), factor=st.sampled_from([0.001, 3.0, 1e6]))
def test_scaling_scales_the_credit_alone(model: ModelFunction, found: list[Row], factor: float) -> None:
    paths = paths_of(found)
    assert paths.decayed_conversions is not None
    assert paths.decayed_revenue is not None
    scaled = replace(
        paths,
        conversions=paths.conversions * factor,
        unconverted=paths.unconverted * factor,
        revenue=paths.revenue * factor,
        decayed_conversions=paths.decayed_conversions * factor,
        decayed_revenue=paths.decayed_revenue * factor,
    )
    credit, expected = model(scaled), model(paths)
    assert isinstance(credit, Credit)
    assert isinstance(expected, Credit)
    for measure in MEASURES:
        total = getattr(expected, measure).sum()
        assert getattr(credit, measure) / factor == pytest.approx(getattr(expected, measure), abs=1e-9 * (1 + total))


@models
@FEW
@given(rows())
def test_a_channel_without_a_journey_gets_nothing(model: ModelFunction, found: list[Row]) -> None:
    paths = paths_of([*found, Row(("unseen",), 0, 0, 0.0)])
    assert by_channel(model(paths))["unseen"] == 0
    assert by_channel(model(paths), "revenue")["unseen"] == 0


@models
@FEW
@given(rows(), st.integers(1, 9))
def test_a_channel_alone_in_lost_journeys_gets_nothing(model: ModelFunction, found: list[Row], lost: int) -> None:
    paths = paths_of([*found, Row(("lost",), 0, lost, 0.0)])
    assert by_channel(model(paths))["lost"] == 0
    assert by_channel(model(paths), "revenue")["lost"] == 0


RULE_BASED = [model for model in Model if model not in (Model.MARKOV, Model.SHAPLEY)]


@pytest.mark.parametrize("model", RULE_BASED)
@FEW
@given(rows(CHANNELS[:3]), rows(CHANNELS))
def test_a_channel_in_no_converting_path_gets_nothing(model: Model, found: list[Row], lost: list[Row]) -> None:
    credit = by_channel(
        FUNCTIONS[model](paths_of([*found, *(replace(row, conversions=0, revenue=0.0) for row in lost)]))
    )
    assert {credit.get(channel, 0.0) for channel in CHANNELS[3:]} == {0.0}


@models
def test_one_path_of_one_touch_has_it_all(model: ModelFunction) -> None:
    assert by_channel(model(paths_of([Row(("a",), 1, 0, 7.0)])), "revenue") == {"a": pytest.approx(7.0)}


@models
def test_conversions_without_revenue_credit_none(model: ModelFunction) -> None:
    assert by_channel(model(paths_of([Row(("a", "b"), 3, 2, 0.0)])), "revenue") == {"a": 0.0, "b": 0.0}


@models
def test_nothing_to_credit_has_a_reason(model: ModelFunction) -> None:
    for found, reason in (([], Reason.NO_DATA), ([Row(("a",), 0, 4, 0.0)], Reason.NO_CONVERSIONS)):
        result = model(paths_of(found))
        assert isinstance(result, NotComputable)
        assert result.reason is reason


@FEW
@given(rows())
def test_a_run_holds_what_each_model_gives(found: list[Row]) -> None:
    paths = replace(paths_of(found), unattributed_conversions=3.0, unattributed_revenue=8.0)
    run = attribute(paths, order=2)
    table = run.to_frame()
    assert not run.not_computable
    assert (run.unattributed_conversions, run.unattributed_revenue) == (3.0, 8.0)
    for model in Model:
        credit = markov(paths, 2) if model is Model.MARKOV else FUNCTIONS[model](paths)
        rows_of_model = table.filter(pl.col("model") == model).drop("model")
        assert isinstance(credit, Credit)
        assert rows_of_model.equals(credit.to_frame())


def test_a_run_names_the_models_that_have_nothing_to_say() -> None:
    paths = replace(paths_of([Row(("a",), 1, 0, 0.0)]), decayed_conversions=None, decayed_revenue=None)
    run = attribute(paths, [Model.LINEAR, Model.TIME_DECAY])
    assert isinstance(run, Attribution)
    assert set(run.not_computable) == {Model.TIME_DECAY}
    assert run.to_frame().rows() == [("linear", "a", 1.0, 0.0)]
    assert attribute(paths_of([])).to_frame().columns == ["model", "channel", "conversions", "revenue"]


def split(row: Row) -> list[Row]:
    """Two rows that sum to one; revenue follows the conversions."""
    first, lost = row.conversions // 2, row.unconverted // 2
    revenue = row.revenue * first / row.conversions if row.conversions else 0.0
    parts = [Row(row.path, first, lost, revenue)]
    return [*parts, Row(row.path, row.conversions - first, row.unconverted - lost, row.revenue - revenue)]


def assert_same(credit: Credit | NotComputable, expected: Credit | NotComputable) -> None:
    assert isinstance(credit, Credit)
    assert isinstance(expected, Credit)
    for measure in MEASURES:
        assert by_channel(credit, measure) == pytest.approx(by_channel(expected, measure), abs=1e-9)
