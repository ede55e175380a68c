"""Shapley values against all permutations, the axioms, and the second way of computing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.attribution import Paths, games, observed_sets, shapley, shapley_simplified
from tests.models.attribution.journeys import CHANNELS, Row, by_channel, paths_of, rows, shapley_by_permutations

MEASURES = ("conversions", "revenue")


@pytest.fixture(params=["lattice", "subsets", "every set"], scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """All ways of computing, whatever the number of channels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(games, "MOST_CHANNELS_OF_A_LATTICE", 20 if request.param == "lattice" else 0)
        patch.setattr(observed_sets, "LARGEST_SPELLED_OUT", 16 if request.param == "subsets" else 2)
        yield request.param


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=8)
@given(found=rows())
def test_values_are_mean_marginal_worths(way: str, measure: str, found: list[Row]) -> None:
    assert by_channel(shapley(paths_of(found)), measure) == pytest.approx(
        shapley_by_permutations(found, measure), abs=1e-9
    )


def test_values_by_hand(way: str) -> None:
    # p(a) = .5, p(b) = .25, p(ab) = .75, each with 4 journeys. v(a) = 2 + 2, v(b) = 1 + 1, v(ab) = 6.
    found = [Row(("a",), 2, 2, 20.0), Row(("b",), 1, 3, 30.0), Row(("a", "b"), 3, 1, 60.0)]
    assert by_channel(shapley(paths_of(found))) == pytest.approx({"a": 4.0, "b": 2.0})
    assert by_channel(shapley_simplified(paths_of(found))) == pytest.approx({"a": 3.5, "b": 2.5})
    # Revenue per journey: a 5, b 7.5, ab 15. v(a) = 20 + 20, v(b) = 30 + 30, v(ab) = 110.
    assert by_channel(shapley(paths_of(found)), "revenue") == pytest.approx({"a": 45.0, "b": 65.0})


def test_a_channel_that_hinders_has_a_negative_value(way: str) -> None:
    # a alone converts half of 10, with b 1 of 10. v(a) = 5 + 5, v(b) = 0, v(ab) = 6: b takes 2 away.
    found = [Row(("a",), 5, 5, 0.0), Row(("a", "b"), 1, 9, 0.0)]
    assert by_channel(shapley(paths_of(found))) == pytest.approx({"a": 8.0, "b": -2.0})


@settings(max_examples=8)
@given(found=rows(CHANNELS[:3]), lost=rows(CHANNELS))
def test_a_channel_in_no_converting_path_is_never_credited(way: str, found: list[Row], lost: list[Row]) -> None:
    paths = paths_of([*found, *(replace(row, conversions=0, revenue=0.0) for row in lost)])
    for measure in MEASURES:
        credit = by_channel(shapley(paths), measure)
        assert max(credit.get(channel, 0.0) for channel in CHANNELS[3:]) <= 1e-9


@settings(max_examples=8)
@given(found=rows())
def test_channels_that_always_come_together_share_alike(way: str, found: list[Row]) -> None:
    twinned = [replace(row, path=(*row.path, *(["twin"] if "email" in row.path else []))) for row in found]
    credit = by_channel(shapley(paths_of(twinned)))
    assert credit.get("twin", 0.0) == pytest.approx(credit.get("email", 0.0), abs=1e-9)


@settings(max_examples=8)
@given(found=rows(), repeats=st.integers(1, 3))
def test_only_the_set_of_channels_matters(way: str, found: list[Row], repeats: int) -> None:
    doubled = [replace(row, path=tuple(reversed(row.path)) * repeats) for row in found]
    before, after = by_channel(shapley(paths_of(found))), by_channel(shapley(paths_of(doubled)))
    assert after == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("channels", [12, 20])
def test_both_ways_agree_on_many_channels(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = random_paths(channels, journeys=4000, seed=channels)
    by_lattice = shapley(paths)
    monkeypatch.setattr(games, "MOST_CHANNELS_OF_A_LATTICE", 0)
    by_sets = shapley(paths)
    for measure in MEASURES:
        assert getattr(by_sets, measure) == pytest.approx(getattr(by_lattice, measure), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("channels", [21, 64, 65])
def test_more_channels_than_a_lattice_holds(channels: int) -> None:
    paths = random_paths(channels, journeys=3000, seed=channels)
    credit = shapley(paths)
    for measure in MEASURES:
        total = getattr(paths, measure).sum()
        assert getattr(credit, measure).sum() == pytest.approx(total)
    # Journeys of one channel have no one to share with: a game without other journeys is the rule "all to it".
    alone = paths_of([Row((f"c{number}",), 1 + number, 1, 0.0) for number in range(channels)])
    assert by_channel(shapley(alone)) == {f"c{number}": pytest.approx(1 + number) for number in range(channels)}


def test_sets_of_more_than_a_thousand_channels() -> None:
    names = tuple(f"c{number:04d}" for number in range(1100))
    credit = by_channel(shapley(paths_of([Row(names, 1100, 0, 0.0), Row(names[:1], 1, 1, 0.0)])))
    assert sum(credit.values()) == pytest.approx(1101)
    assert credit[names[5]] == pytest.approx(credit[names[900]])
    assert np.isfinite(list(credit.values())).all()


def random_paths(channels: int, journeys: int, seed: int) -> Paths:
    rng = np.random.default_rng(seed)
    favor = rng.dirichlet(np.full(channels, 0.5))
    found = []
    for number in range(journeys):
        size = min(1 + int(rng.geometric(0.35)), np.count_nonzero(favor))
        path = tuple(f"c{code:03d}" for code in rng.choice(channels, size, p=favor))
        conversions = int(rng.poisson(0.7))
        found.append(Row(path, conversions + (number == 0), int(rng.poisson(2)), float(conversions) * 3))
    return paths_of(found)
