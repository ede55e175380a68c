"""Bootstrap intervals, the log of restated credit, and the join with spend."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.attribution import (
    Cause,
    CreditIntervals,
    Model,
    PathRules,
    Paths,
    attribute,
    bootstrap,
    join_spend,
    last_touch,
    linear,
    markov,
    restatement,
    shapley,
    time_decay,
)
from models_ml.reasons import NotComputable, Reason
from tests.models.attribution.journeys import Row, paths_of, rows

FEW = settings(max_examples=8)
FOUND = [
    Row(("a",), 300, 700, 3000.0),
    Row(("b",), 100, 900, 4000.0),
    Row(("a", "b"), 200, 300, 2000.0),
    Row(("b", "c", "a"), 50, 150, 500.0),
]


def intervals(paths: Paths, model: object = last_touch, **more: object) -> CreditIntervals:
    found = bootstrap(paths, model, **{"seed": 3, **more})  # type: ignore[arg-type]
    assert isinstance(found, CreditIntervals)
    return found


def test_bounds_are_those_of_the_binomial() -> None:
    """Conversions last touched by ``a`` are a binomial count of the journeys."""
    found = intervals(paths_of(FOUND), replicates=4000)
    journeys, share = 2700, 350 / 2700
    sigma = np.sqrt(journeys * share * (1 - share))
    assert found.conversions[:, 0] == pytest.approx([350 - 1.96 * sigma, 350 + 1.96 * sigma], abs=0.12 * sigma)
    # Each of them brought 10.
    assert found.revenue[:, 0] == pytest.approx(10 * found.conversions[:, 0])


@pytest.mark.parametrize("model", [markov, shapley, linear, time_decay])
def test_bounds_hold_the_credit_and_repeat_with_the_seed(model: object) -> None:
    found, again, other = (intervals(paths_of(FOUND), model, seed=seed) for seed in (1, 1, 2))
    for measure in ("conversions", "revenue"):
        lower, upper = getattr(found, measure)
        assert (lower <= getattr(found.credit, measure)).all()
        assert (getattr(found.credit, measure) <= upper).all()
        assert (getattr(found, measure) == getattr(again, measure)).all()
    assert (found.conversions != other.conversions).any()
    wider = intervals(paths_of(FOUND), model, seed=1, level=0.99).conversions
    assert (wider[0] <= found.conversions[0]).all()
    assert (wider[1] >= found.conversions[1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", [markov, shapley])
def test_intervals_cover_the_truth(model: object) -> None:
    """Of 150 samples' 90 % intervals, about 135 hold the credit that the whole population would have."""
    rng = np.random.default_rng(17)
    population, hits, worlds = paths_of(FOUND), np.zeros(3), 150
    cells = np.concatenate([population.conversions, population.unconverted])
    truth = model(population).conversions / cells.sum()  # type: ignore[operator]
    for world in range(worlds):
        drawn = rng.multinomial(2000, cells / cells.sum()).astype(float)
        sample = replace(population, conversions=drawn[:4], unconverted=drawn[4:], revenue=np.zeros(4))
        lower, upper = intervals(sample, model, seed=world, replicates=120, level=0.9).conversions / 2000
        hits += (lower <= truth) & (truth <= upper)
    assert (hits / worlds >= 0.82).all()
    assert (hits / worlds <= 0.97).all()


def test_few_conversions_have_no_interval() -> None:
    found = bootstrap(paths_of([Row(("a",), 1, 99, 0.0)]), last_touch, seed=1)
    assert isinstance(found, NotComputable)
    assert found.reason is Reason.TOO_FEW_CONVERSIONS
    none = bootstrap(paths_of([Row(("a",), 0, 99, 0.0)]), last_touch, seed=1)
    assert isinstance(none, NotComputable)
    assert none.reason is Reason.NO_CONVERSIONS


@pytest.mark.parametrize("change", [{"replicates": 1}, {"level": 0.0}, {"level": 1.0}, {"level": float("nan")}])
def test_intervals_without_sense_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(change))} is"):
        intervals(paths_of(FOUND), **change)


def test_interval_tables_have_a_row_per_channel() -> None:
    table = intervals(paths_of(FOUND)).to_frame()
    assert table["channel"].to_list() == ["a", "b", "c"]
    assert set(table.columns) >= {"conversions", "conversions_lower", "conversions_upper", "revenue_lower"}


def credit_table(found: list[Row]) -> pl.DataFrame:
    return attribute(paths_of(found), [Model.LINEAR]).to_frame()


@FEW
@given(rows(), rows())
def test_the_parts_of_a_change_sum_to_it(before: list[Row], after: list[Row]) -> None:
    log = restatement(credit_table(before), credit_table(after))
    old, new = ({row["channel"]: row for row in credit_table(found).to_dicts()} for found in (before, after))
    for row in log.to_dicts():
        for measure in ("conversions", "revenue"):
            change = row[f"{measure}_after"] - row[f"{measure}_before"]
            assert row[f"{measure}_by_volume"] + row[f"{measure}_by_share"] == pytest.approx(change)
            assert row[f"{measure}_before"] == old.get(row["channel"], {measure: 0.0})[measure]
            assert row[f"{measure}_after"] == new.get(row["channel"], {measure: 0.0})[measure]
    silent = set(old) & set(new) - set(log["channel"])
    assert all(old[each]["conversions"] == pytest.approx(new[each]["conversions"]) for each in silent)


@FEW
@given(rows())
def test_the_same_credit_is_not_restated(found: list[Row]) -> None:
    assert restatement(credit_table(found), credit_table(found)).is_empty()


def causes(before: list[Row], after: list[Row]) -> dict[str, str]:
    log = restatement(credit_table(before), credit_table(after))
    return dict(zip(log["channel"], log["cause"], strict=True))


def test_each_change_has_its_cause() -> None:
    first = [Row(("a",), 10, 0, 0.0), Row(("b",), 10, 0, 0.0)]
    assert causes(first, [Row(("a",), 20, 0, 0.0), Row(("b",), 20, 0, 0.0)]) == {"a": Cause.VOLUME, "b": Cause.VOLUME}
    assert causes(first, [Row(("a",), 5, 0, 0.0), Row(("b",), 15, 0, 0.0)]) == {"a": Cause.SHARE, "b": Cause.SHARE}
    moved = causes(first, [Row(("a",), 10, 0, 0.0), Row(("c",), 10, 0, 0.0)])
    assert moved == {"b": Cause.VANISHED, "c": Cause.APPEARED}
    richer = causes(first, [Row(("a",), 10, 0, 5.0), Row(("b",), 10, 0, 0.0)])
    assert richer == {"a": Cause.SHARE}


def test_other_rules_are_the_cause_of_all() -> None:
    longer = PathRules(lookback=timedelta(days=60), remove_if_not_only=frozenset({"direct"}))
    log = restatement(
        credit_table([Row(("a",), 10, 0, 0.0)]), credit_table([Row(("a",), 12, 0, 0.0)]), PathRules(), longer
    )
    assert log["cause"].to_list() == [Cause.RULES]
    assert log["details"].to_list() == [
        "lookback: 30 days, 0:00:00 → 60 days, 0:00:00; remove_if_not_only: none → direct"
    ]


def test_tables_that_can_not_be_compared_are_refused() -> None:
    table = credit_table(FOUND)
    with pytest.raises(ValueError, match="before lacks model"):
        restatement(table.drop("model"), table)
    with pytest.raises(ValueError, match="after has a channel more than once"):
        restatement(table, pl.concat([table, table]))


@FEW
@given(rows(), st.dictionaries(st.sampled_from(["direct", "email", "tv"]), st.integers(0, 9)))
def test_spend_and_credit_both_stay(found: list[Row], spent: dict[str, int]) -> None:
    credit = attribute(paths_of(found), [Model.LINEAR, Model.MARKOV]).to_frame()
    spend = pl.DataFrame(
        {"channel": list(spent), "spend": [float(value) for value in spent.values()]},
        schema={"channel": pl.String, "spend": pl.Float64},
    )
    joined = join_spend(credit, spend)
    assert joined.drop_nulls("spend").group_by("model").agg(pl.col("spend").sum())["spend"].to_list() in (
        [],
        [sum(spent.values())] * 2,
    )
    assert joined["conversions"].sum() == pytest.approx(credit["conversions"].sum())
    assert joined["revenue"].sum() == pytest.approx(credit["revenue"].sum())
    channels = set(credit["channel"]) | set(spent)
    assert sorted(joined.rows_by_key(["model", "channel"])) == sorted(
        (model, channel) for model in ("linear", "markov") for channel in channels
    )
    unspent = joined.filter(pl.col("spend").is_null())
    assert not set(unspent["channel"]) & set(spent)


def test_spend_twice_for_a_channel_is_refused() -> None:
    spend = pl.DataFrame({"channel": ["a", "a"], "spend": [1.0, 2.0]})
    with pytest.raises(ValueError, match="more than one row for a"):
        join_spend(credit_table(FOUND), spend)
