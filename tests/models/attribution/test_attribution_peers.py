"""Credit against ChannelAttribution and marketing-attribution-models, where they compute the same thing."""

from __future__ import annotations

import ChannelAttribution
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mam import MAM

from models_ml.attribution import (
    OrderChoice,
    RemovalEffects,
    choose_order,
    first_touch,
    last_touch,
    linear,
    markov,
    removal_effects,
    shapley,
)
from tests.models.attribution.journeys import Row, by_channel, paths_of

CHANNELS = ("direct", "email", "search", "social", "video", "print")


@pytest.fixture(scope="module")
def found() -> list[Row]:
    """600 paths, among them every set of channels that a longer one contains, all with conversions."""
    rng = np.random.default_rng(23)
    rows = {}
    while len(rows) < 600:
        size = int(rng.integers(1, 7))
        path = tuple(CHANNELS[code] for code in rng.integers(0, len(CHANNELS), size))
        conversions = 1 + int(rng.poisson(3))
        rows[path] = Row(path, conversions, int(rng.poisson(12)), float(conversions * rng.integers(5, 60)))
    return list(rows.values())


@pytest.fixture(scope="module")
def journeys(found: list[Row]) -> pd.DataFrame:
    """The same as ChannelAttribution reads it."""
    return pd.DataFrame(
        {
            "path": [" > ".join(row.path) for row in found],
            "conversions": [row.conversions for row in found],
            "value": [row.revenue for row in found],
            "lost": [row.unconverted for row in found],
        }
    )


@pytest.fixture(scope="module")
def grouped(found: list[Row]) -> MAM:
    """The same as marketing-attribution-models reads it; a conversion is worth 1."""
    lines = [
        (row.path, count, won) for row in found for count, won in ((row.conversions, True), (row.unconverted, False))
    ]
    frame = pl.DataFrame(
        {
            "path": [" > ".join(path) for path, _, _ in lines],
            "count": [count for _, count, _ in lines],
            "converted": [won for _, _, won in lines],
            "value": [float(count * won) for _, count, won in lines],
        }
    ).filter(pl.col("count") > 0)
    return MAM(
        frame,
        "grouped_journey",
        channels_colname="path",
        journey_with_conv_colname="converted",
        occurrences_colname="count",
    )


@pytest.mark.parametrize("measure", ["conversions", "revenue"])
def test_heuristics_are_those_of_channelattribution(found: list[Row], journeys: pd.DataFrame, measure: str) -> None:
    theirs = ChannelAttribution.heuristic_models(journeys, "path", "conversions", var_value="value", flg_pro=False)
    theirs = theirs.set_index("channel_name")
    kind = "conversions" if measure == "conversions" else "value"
    for model, name in ((first_touch, "first_touch"), (last_touch, "last_touch"), (linear, "linear_touch")):
        assert by_channel(model(paths_of(found)), measure) == pytest.approx(theirs[f"{name}_{kind}"].to_dict())


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_chain_is_that_of_channelattribution(found: list[Row], journeys: pd.DataFrame, order: int) -> None:
    theirs = ChannelAttribution.markov_model(
        journeys,
        "path",
        "conversions",
        var_value="value",
        var_null="lost",
        order=order,
        out_more=True,
        conv_par=0.01,
        max_step=1000,
        verbose=False,
        flg_pro=False,
    )
    effects = removal_effects(paths_of(found), order)
    assert isinstance(effects, RemovalEffects)
    simulated = theirs["removal_effects"].set_index("channel_name")["removal_effects_conversion"].to_dict()
    assert dict(zip(effects.channels, effects.conversions, strict=True)) == pytest.approx(simulated, abs=0.015)
    credit = theirs["result"].set_index("channel_name")["total_conversions"].to_dict()
    assert by_channel(markov(paths_of(found), order)) == pytest.approx(credit, rel=0.03)


def test_the_auc_is_that_of_channelattribution(found: list[Row], journeys: pd.DataFrame) -> None:
    theirs, *_ = ChannelAttribution.choose_order(
        journeys, "path", "conversions", "lost", max_order=3, roc_npt=10_000, plot=False, flg_pro=False
    )
    choice = choose_order(paths_of(found), seed=1)
    assert isinstance(choice, OrderChoice)
    assert choice.auc == pytest.approx(tuple(theirs["auc"]), abs=1e-4)


def test_removal_effects_are_those_of_mam(found: list[Row], grouped: MAM) -> None:
    theirs = grouped.run_markov(transition_to_same_state=True).metadata["removal_effect"]["removal_effect"].to_dict()
    effects = removal_effects(paths_of(found))
    assert isinstance(effects, RemovalEffects)
    assert dict(zip(effects.channels, effects.conversions, strict=True)) == pytest.approx(theirs)


def test_shapley_values_are_those_of_mam(found: list[Row], grouped: MAM) -> None:
    """Every observed set converts, so that no set is left out there; the scaling there is the efficiency here."""
    table = grouped.run_shapley(max_size=len(CHANNELS)).to_polars()
    theirs = dict(zip(table["channels"], table["attribution"], strict=True))
    assert by_channel(shapley(paths_of(found))) == pytest.approx(theirs)
