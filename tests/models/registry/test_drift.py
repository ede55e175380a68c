"""Drift against counting bin by bin."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models_ml.reasons import NotComputable, Reason
from models_ml.registry import drift, psi, reference, references

VALUE = (
    st.floats(-5, 5).map(lambda value: round(value, 1))
    | st.just(float("nan"))
    | st.sampled_from([0.0, np.inf, -np.inf])
)


def index(*samples: object) -> float:
    expected, values = samples
    found = psi(reference(np.asarray(expected)), np.asarray(values))
    assert isinstance(found, float)
    return found


@given(st.lists(VALUE, min_size=1, max_size=60), st.lists(VALUE, min_size=1, max_size=60))
def test_psi_bin_by_bin(before: list[float], after: list[float]) -> None:
    found = reference(before)
    edges = [-np.inf, *found.cut_points, np.inf]
    total = 0.0
    bins = [(edges[i], edges[i + 1]) for i in range(len(edges) - 1)]

    def counts(values: list[float]) -> list[int]:
        inside = [
            sum((low < value or (place == 0 and value == -np.inf)) and value <= high for value in values)
            for place, (low, high) in enumerate(bins)
        ]
        return [sum(np.isnan(values)), *inside]

    assert list(found.counts) == counts(before)
    pairs = [(e, a) for e, a in zip(counts(before), counts(after), strict=True) if e + a]
    e_total, a_total = (sum(pair[side] + 0.5 for pair in pairs) for side in (0, 1))
    for e, a in pairs:
        share_e, share_a = (e + 0.5) / e_total, (a + 0.5) / a_total
        total += (share_a - share_e) * np.log(share_a / share_e)
    assert psi(found, after) == pytest.approx(total)
    assert total >= 0


def test_ten_bins_of_equal_share_for_continuous_values() -> None:
    found = reference(np.random.default_rng(1).normal(size=10_000))
    assert found.counts == (0, *[1000] * 10)


def test_shifts_of_known_size_get_known_verdicts() -> None:
    chance = np.random.default_rng(2)
    base = chance.normal(size=20_000)
    moved = np.diff(norm.cdf(norm.ppf(np.arange(11) / 10) - 0.3))
    exact = float((moved - 0.1) @ np.log(moved / 0.1))
    assert index(base, chance.normal(size=20_000)) < 0.005
    assert index(base, base + 0.3) == pytest.approx(exact, abs=0.004)
    frame = pl.DataFrame({"same": base, "near": base, "far": base})
    later = pl.DataFrame({"same": base, "near": base + 0.4, "far": base + 1.0, "other": base})
    found = drift(references(frame), later)
    assert isinstance(found, pl.DataFrame)
    assert found.select("feature", "verdict").rows() == [("far", "strong"), ("near", "moderate"), ("same", "stable")]
    assert found["psi"][2] == 0


@pytest.mark.parametrize("moved", [4.9, 5.1])
def test_a_point_mass_that_moves_is_seen_in_both_directions(moved: float) -> None:
    assert index([5.0] * 200, [moved] * 200) > 5
    mixed = np.r_[np.zeros(300), np.linspace(1, 9, 100)]
    assert index(mixed, np.where(mixed == 0, moved - 5.0, mixed)) > 1


def test_missing_values_are_a_bin_and_their_rise_is_drift() -> None:
    values = np.random.default_rng(3).normal(size=1000)
    holed = np.where(np.arange(1000) % 3 == 0, np.nan, values)
    assert index(values, holed) > 0.25
    assert index(holed, holed) == 0


def test_degenerate_inputs() -> None:
    known = references(pl.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="lacks a; give all features"):
        drift(known, pl.DataFrame({"b": [1.0]}))
    nothing = drift(known, pl.DataFrame({"a": []}, schema={"a": pl.Float64}))
    assert isinstance(nothing, NotComputable)
    assert nothing.reason is Reason.NO_DATA
    assert isinstance(psi(known["a"], []), NotComputable)
    assert reference([7.0]).counts == (0, 0, 1, 0)
    unknown = reference([np.nan] * 50)
    assert psi(unknown, [np.nan] * 9) == 0
    risen = psi(unknown, [1.0] * 50)
    assert isinstance(risen, float)
    assert risen > 5
    with pytest.raises(ValueError, match="training has no rows"):
        reference([])
