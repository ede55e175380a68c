"""Paths from touches against a reading of the rules in plain loops, at their boundaries, and on odd input."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.attribution import PathRules, Paths, Repeats, collect_paths
from tests.models.attribution.journeys import (
    Conversion,
    Row,
    Touch,
    at,
    conversions_frame,
    frame_of,
    paths_of,
    rows,
    touches_frame,
)

KINDS = ("view", "click", "delivery")
HOURS = st.integers(0, 5 * 24)
RULES = st.builds(
    PathRules,
    lookback=st.sampled_from([timedelta(days=1), timedelta(days=3)]),
    one_per_session=st.booleans(),
    remove_if_not_only=st.sampled_from([frozenset[str](), frozenset({"a"}), frozenset({"a", "b"})]),
    remove_if_last_and_not_only=st.sampled_from([frozenset[str](), frozenset({"b"})]),
    repeats=st.sampled_from(Repeats),
    half_life=st.sampled_from([timedelta(hours=6), timedelta(days=7)]),
)


@st.composite
def touches(draw: st.DrawFn) -> list[Touch]:
    count = draw(st.integers(0, 14))
    ids = draw(st.permutations(range(count)))
    users, channels, sessions = st.sampled_from("uv"), st.sampled_from("abc"), st.sampled_from(["s1", "s2", None])
    return [
        Touch(each, draw(users), at(hours=draw(HOURS)), draw(channels), draw(st.sampled_from(KINDS)), draw(sessions))
        for each in ids
    ]


@st.composite
def conversions(draw: st.DrawFn) -> list[Conversion]:
    users = st.sampled_from("uvw")
    return [
        Conversion(each, draw(users), at(hours=draw(HOURS)), float(draw(st.integers(0, 9))))
        for each in range(draw(st.integers(0, 5)))
    ]


def transformed(path: Sequence[Touch], rules: PathRules) -> list[Touch]:
    """The rules of a path in words."""
    kept: list[Touch] = []
    for touch in path:
        seen = {(each.session_id) for each in kept}
        if not (rules.one_per_session and touch.session_id is not None and touch.session_id in seen):
            kept.append(touch)
    if any(each.channel not in rules.remove_if_not_only for each in kept):
        kept = [each for each in kept if each.channel not in rules.remove_if_not_only]
    if any(each.channel not in rules.remove_if_last_and_not_only for each in kept):
        while kept[-1].channel in rules.remove_if_last_and_not_only:
            kept.pop()
    if rules.repeats is Repeats.EXPOSURE:
        return [list(run)[-1] for _, run in itertools.groupby(kept, key=lambda each: each.channel)]
    if rules.repeats is Repeats.FIRST:
        return [each for number, each in enumerate(kept) if each.channel not in {one.channel for one in kept[:number]}]
    return kept


def collected(
    found: Sequence[Touch], ends: Sequence[Conversion], rules: PathRules
) -> dict[tuple[str, ...], tuple[float, float, float, list[float]]]:
    """Per path: conversions, revenue, journeys without one, and the decayed conversions of each touch."""
    counted = [each for each in found if each.kind in rules.kinds]
    result: dict[tuple[str, ...], tuple[float, float, float, list[float]]] = {}

    def add(path: Sequence[Touch], end: Conversion | None) -> None:
        path = transformed(path, rules)
        key = tuple(each.channel for each in path)
        before = result.get(key, (0.0, 0.0, 0.0, [0.0] * len(path)))
        if end is None:
            result[key] = (before[0], before[1], before[2] + 1, before[3])
            return
        weights = [2 ** (-((end.occurred_at - each.occurred_at) / rules.half_life)) for each in path]
        decayed = [earlier + weight / sum(weights) for earlier, weight in zip(before[3], weights, strict=True)]
        result[key] = (before[0] + 1, before[1] + end.revenue, before[2], decayed)

    claimed: set[int] = set()
    for end in ends:
        window = [
            each
            for each in counted
            if each.user_id == end.user_id and end.occurred_at - rules.lookback <= each.occurred_at <= end.occurred_at
        ]
        claimed |= {each.touch_id for each in window}
        add(sorted(window, key=lambda each: (each.occurred_at, each.touch_id)), end)
    free: dict[tuple[str, int], list[Touch]] = defaultdict(list)
    for user in {each.user_id for each in counted}:
        mine = [each for each in counted if each.user_id == user and each.touch_id not in claimed]
        mine.sort(key=lambda each: (each.occurred_at, each.touch_id))
        for each in mine:
            free[user, (each.occurred_at - mine[0].occurred_at) // rules.lookback].append(each)
    for path in free.values():
        add(path, None)
    return result


@given(touches(), conversions(), RULES)
def test_paths_are_what_the_rules_say(found: list[Touch], ends: list[Conversion], rules: PathRules) -> None:
    paths = collect_paths(touches_frame(found), conversions_frame(ends), rules)
    expected = collected(found, ends, rules)
    actual = {
        tuple(row["path"]): (row["conversions"], row["revenue"], row["unconverted"], row["decayed_conversions"])
        for row in paths.to_frame().to_dicts()
    }
    if () in expected:
        assert expected[()][0] == paths.unattributed_conversions
        assert expected[()][1] == paths.unattributed_revenue
    assert actual.keys() == expected.keys()
    for key, row in expected.items():
        assert actual[key][:3] == row[:3]
        assert actual[key][3] == pytest.approx(row[3])
    revenue = sum(each.revenue for each in ends)
    assert paths.decayed_revenue is not None
    assert paths.decayed_revenue.sum() + paths.unattributed_revenue == pytest.approx(revenue)


@settings(max_examples=20)
@given(touches(), conversions(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(found: list[Touch], ends: list[Conversion], random: object) -> None:
    paths = collect_paths(touches_frame(found), conversions_frame(ends))
    random.shuffle(found)  # type: ignore[attr-defined]
    random.shuffle(ends)  # type: ignore[attr-defined]
    assert collect_paths(touches_frame(found), conversions_frame(ends)).to_frame().equals(paths.to_frame())


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        (timedelta(days=-30), True),
        (timedelta(days=-30, microseconds=-1), False),
        (timedelta(0), True),
        (timedelta(microseconds=1), False),
    ],
)
def test_the_window_is_exact_and_includes_both_ends(moment: timedelta, counts: bool) -> None:
    end = Conversion(1, "u", at(60), 10.0)
    found = collect_paths(touches_frame([Touch(1, "u", at(60) + moment, "a", "click", None)]), conversions_frame([end]))
    assert (found.conversions.sum(), found.unattributed_conversions) == ((1, 0) if counts else (0, 1))
    assert found.unconverted.sum() == (0 if counts else 1)


def test_zones_and_precisions_of_the_same_instants_give_the_same_paths() -> None:
    found, ends = [Touch(1, "u", at(1), "a", "click", None)], [Conversion(1, "u", at(2), 10.0)]
    plain = collect_paths(touches_frame(found), conversions_frame(ends))
    elsewhere = [
        frame.with_columns(pl.col("occurred_at").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms"))
        for frame in (touches_frame(found), conversions_frame(ends))
    ]
    assert collect_paths(*elsewhere).to_frame().equals(plain.to_frame())


@pytest.mark.parametrize(
    ("repeats", "ages"), [(Repeats.UNIQUE, [6, 3, 1]), (Repeats.EXPOSURE, [3, 1]), (Repeats.FIRST, [6, 1])]
)
def test_the_touch_that_stands_for_repeats_lends_its_age(repeats: Repeats, ages: list[int]) -> None:
    found = [
        Touch(number, "u", at(day), channel, "click", None)
        for number, (day, channel) in enumerate([(0, "a"), (3, "a"), (5, "b")])
    ]
    rules = PathRules(repeats=repeats, half_life=timedelta(days=1))
    paths = collect_paths(touches_frame(found), conversions_frame([Conversion(1, "u", at(6), 10.0)]), rules)
    weights = 0.5 ** np.array(ages)
    assert paths.decayed_conversions == pytest.approx(weights / weights.sum())
    assert paths.decayed_revenue == pytest.approx(10 * weights / weights.sum())


def test_touches_of_one_instant_follow_their_ids() -> None:
    tied = [Touch(7, "u", at(1), "a", "click", None), Touch(5, "u", at(1), "b", "click", None)]
    paths = collect_paths(touches_frame(tied), conversions_frame([Conversion(1, "u", at(2), 0.0)]))
    assert paths.to_frame()["path"].to_list() == [["b", "a"]]


def test_any_column_can_be_credited() -> None:
    frame = touches_frame([Touch(1, "u", at(1), "a", "click", None)]).with_columns(campaign_id=pl.lit(12))
    rules = PathRules(level="campaign_id")
    paths = collect_paths(frame, conversions_frame([Conversion(1, "u", at(2), 0.0)]), rules)
    assert (paths.channels, paths.rules) == (("12",), rules)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, c: (t.drop("kind"), c), "touches lacks kind"),
        (lambda t, c: (t, c.drop("revenue")), "conversions lacks revenue"),
        (lambda t, c: (t.with_columns(channel=pl.lit(None, pl.String)), c), "touches has a null in channel"),
        (lambda t, c: (t, c.with_columns(user_id=pl.lit(None, pl.String))), "conversions has a null in user_id"),
        (lambda t, c: (pl.concat([t, t]), c), "touch_id 1 more than once"),
        (lambda t, c: (t, pl.concat([c, c])), "conversion_id 1 more than once"),
        (lambda t, c: (t, c.with_columns(revenue=pl.lit(float("nan")))), "a revenue of nan"),
        (lambda t, c: (t, c.with_columns(revenue=pl.lit(float("inf")))), "a revenue of inf"),
        (lambda t, c: (t, c.with_columns(revenue=pl.lit(-1.0))), "a revenue of -1.0"),
        (lambda t, c: (t.with_columns(occurred_at=pl.lit("2025-01-01")), c), "must be a datetime"),
    ],
)
def test_bad_events_are_refused_by_name(change: object, message: str) -> None:
    frames = (
        touches_frame([Touch(1, "u", at(1), "a", "click", None)]),
        conversions_frame([Conversion(1, "u", at(2), 1)]),
    )
    with pytest.raises(ValueError, match=message):
        collect_paths(*change(*frames))  # type: ignore[operator]


@pytest.mark.parametrize("change", [{"lookback": timedelta(0)}, {"half_life": -timedelta(1)}, {"kinds": frozenset()}])
def test_rules_without_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(PathRules(), **change)  # type: ignore[arg-type]


@settings(max_examples=20)
@given(rows())
def test_frames_and_paths_turn_into_each_other(found: list[Row]) -> None:
    frame = frame_of(found)
    assert Paths.from_frame(frame).to_frame().equals(frame)


def test_conversions_on_an_empty_path_are_unattributed() -> None:
    frame = frame_of([Row(("a",), 1, 0, 5.0), Row((), 2, 0, 7.0)])
    paths = Paths.from_frame(frame)
    assert (len(paths), paths.unattributed_conversions, paths.unattributed_revenue) == (1, 2.0, 7.0)
    assert paths.to_frame().equals(frame)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("conversions", float("nan"), "conversions is nan at position 0"),
        ("unconverted", -1.0, "unconverted is -1.0"),
        ("revenue", float("inf"), "revenue is inf"),
        ("conversions", 0.0, "revenue without a conversion"),
        ("path", ["a", None], "null among its channels"),
        ("decayed_revenue", [0.5, 0.5], "not as long as its path"),
        ("revenue", None, "a null in revenue"),
    ],
)
def test_bad_counts_are_refused_by_name(column: str, value: object, message: str) -> None:
    frame = frame_of([Row(("a",), 1, 0, 5.0)])
    changed = frame.with_columns(pl.Series(column, [value], dtype=frame.schema[column]))
    with pytest.raises(ValueError, match=message):
        Paths.from_frame(changed)


def test_arrays_that_do_not_fit_are_refused() -> None:
    paths = paths_of([Row(("a", "b"), 1, 0, 5.0)])
    for change, message in (
        ({"channels": ("a", "a")}, "repeats a name"),
        ({"offsets": np.array([0, 1])}, "offsets"),
        ({"offsets": np.array([0, 0, 2])}, "no touch"),
        ({"touches": np.array([0, 2])}, "positions in the 2 channels"),
        ({"conversions": np.array([1.0, 2.0])}, "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(paths, **change)  # type: ignore[arg-type]
