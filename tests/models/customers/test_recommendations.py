"""Recommendations against dense loops over every pair of products."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import cosine_similarity

from models_ml.customers import ItemSimilarity, fit_item_similarity, recommend
from models_ml.customers.recommendations import _top
from models_ml.reasons import NotComputable, Reason

PURCHASE = st.tuples(st.integers(0, 14), st.sampled_from("abcdefgh"))
PAIRS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcdefghz")), max_size=25)


def purchases(rows: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"basket_id": pl.Int64, "product_id": pl.String}, orient="row")


def pairs(rows: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"customer_id": pl.Int64, "product_id": pl.String}, orient="row")


def fitted(rows: list[tuple[int, str]], **limits: int) -> ItemSimilarity:
    found = fit_item_similarity(purchases(rows), **limits)
    assert isinstance(found, ItemSimilarity)
    return found


def by_hand(rows: list[tuple[int, str]], neighbors: int, least: int) -> tuple[list[str], dict[tuple[str, str], float]]:
    baskets: dict[str, set[int]] = {}
    for basket, product in rows:
        baskets.setdefault(product, set()).add(basket)
    sellers = sorted(baskets, key=lambda product: (-len(baskets[product]), product))
    similarity = {}
    for one in sellers:
        near = []
        for place, other in enumerate(sellers):
            both = len(baskets[one] & baskets[other])
            if one != other and both >= least:
                near.append((-np.float32(both / np.sqrt(len(baskets[one]) * len(baskets[other]))), place, other))
        similarity |= {(one, other): float(-value) for value, _, other in sorted(near)[:neighbors]}
    return sellers, similarity


@settings(max_examples=80)
@given(
    rows=st.lists(PURCHASE, min_size=1, max_size=60),
    history=PAIRS,
    excluded=PAIRS,
    limits=st.tuples(st.integers(1, 9), st.integers(1, 3)),
    count=st.integers(1, 9),
)
def test_recommendations_by_hand(
    rows: list[tuple[int, str]], history: list[Any], excluded: list[Any], limits: tuple[int, int], count: int
) -> None:
    neighbors, least = limits
    model = fitted(rows, neighbors=neighbors, least_together=least)
    sellers, similarity = by_hand(rows, neighbors, least)
    assert model.products["product_id"].to_list() == sellers
    people = [4, 0, 9, 2]
    found = recommend(model, pl.Series(people), pairs(history), pairs(excluded), count=count)
    assert found["customer_id"].unique(maintain_order=True).to_list() == [
        who for who in people if set(sellers) - {product for other, product in excluded if other == who}
    ]
    for who in people:
        out = {product for other, product in excluded if other == who}
        mine = {product for other, product in history if other == who}
        scores = {
            product: sum(similarity.get((own, product), 0.0) for own in mine)
            for product in sellers
            if product not in out
        }
        offered = found.filter(pl.col("customer_id") == who)
        assert offered["rank"].to_list() == list(range(1, min(count, len(scores)) + 1))
        similar = offered.filter(pl.col("source") == "similar")
        assert len(similar) == min(count, sum(value > 0 for value in scores.values()))
        best = sorted((value for value in scores.values() if value > 0), reverse=True)[:count]
        assert similar["score"].to_list() == pytest.approx(best, rel=1e-5)
        for product, score in similar.select("product_id", "score").iter_rows():
            assert score == pytest.approx(scores[product], rel=1e-5)
        rest = [product for product in sellers if product not in out and product not in set(similar["product_id"])]
        fallback = offered.filter(pl.col("source") == "best_seller")
        assert fallback["product_id"].to_list() == rest[: len(fallback)]
        assert fallback["score"].null_count() == len(fallback)


def test_cosine_agrees_with_scikit_learn() -> None:
    chance = np.random.default_rng(5)
    marks = chance.random((300, 12)) < np.linspace(0.05, 0.4, 12)
    rows = [(int(basket), f"p{product:02d}") for basket, product in zip(*np.nonzero(marks), strict=True)]
    model = fitted(rows, neighbors=12, least_together=1)
    theirs = cosine_similarity(marks.T.astype(float))
    np.fill_diagonal(theirs, 0)
    order = [int(product[1:]) for product in model.products["product_id"]]
    assert model.similarity.toarray() == pytest.approx(theirs[np.ix_(order, order)], abs=1e-6)


def test_rare_pairs_are_not_the_nearest() -> None:
    often = [(basket, product) for basket in range(40) for product in "ab"]
    rare = [(100, "a"), (100, "z")]
    model = fitted([*often, *rare])
    assert model.similar_to("a")["product_id"].to_list() == ["b"]
    assert model.similar_to("z").is_empty()
    with pytest.raises(ValueError, match="'y' is in none of the baskets"):
        model.similar_to("y")


def test_equals_go_to_the_better_seller() -> None:
    rows = [(basket, product) for basket in range(5) for product in "abc"] + [(9, "c")]
    model = fitted(rows, neighbors=2)
    found = recommend(model, pl.Series([1]), pairs([(1, "c")]), pairs([]), count=2)
    assert found["product_id"].to_list() == ["a", "b"]


def test_the_largest_of_a_row_are_found_in_whatever_order_it_is_stored() -> None:
    values = np.array([0.5, 0.5, -1.0, 0.9, 0.5, 0.2], dtype=np.float32)
    stored = csr_array((values, np.array([3, 1, 0, 2, 4, 0]), np.array([0, 5, 5, 6])), (3, 5))
    columns, found = _top(stored, 3)
    assert columns.tolist() == [[2, 1, 3], [-1, -1, -1], [0, -1, -1]]
    assert found[0] == pytest.approx([0.9, 0.5, 0.5])


def test_a_basket_counts_once_and_the_order_of_rows_not_at_all() -> None:
    rows = [(basket, product) for basket in range(6) for product in "abcd"[: basket % 4 + 1]]
    model, again = fitted(rows, least_together=1), fitted([*rows[::-1], *rows], least_together=1)
    assert model.products.equals(again.products)
    assert (model.similarity.toarray() == again.similarity.toarray()).all()


def test_customers_in_parts_equal_customers_together(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(6)
    rows = [(int(basket), f"p{product}") for basket, product in chance.integers(0, 30, (400, 2))]
    bought = pairs([(int(who), f"p{product}") for who, product in chance.integers(0, 30, (90, 2))])
    model, people = fitted(rows), pl.Series(list(range(45)))
    whole = recommend(model, people, bought, bought)
    monkeypatch.setattr("models_ml.customers.recommendations._CUSTOMERS_AT_ONCE", 7)
    assert recommend(model, people, bought, bought).equals(whole)


def test_degenerate_inputs() -> None:
    nothing = fit_item_similarity(purchases([]))
    assert isinstance(nothing, NotComputable)
    assert nothing.reason is Reason.NO_DATA
    single = fitted([(1, "a")])
    assert recommend(single, pl.Series([1]), pairs([]), pairs([])).rows() == [(1, 1, "a", None, "best_seller")]
    assert recommend(single, pl.Series([1]), pairs([]), pairs([(1, "a")])).is_empty()
    assert recommend(single, pl.Series([], dtype=pl.Int64), pairs([]), pairs([])).is_empty()
    with pytest.raises(ValueError, match="without basket_id or product_id"):
        fit_item_similarity(purchases([(1, None)]))  # type: ignore[list-item]
    with pytest.raises(ValueError, match="must be 1 or more"):
        fit_item_similarity(purchases([(1, "a")]), neighbors=0)
    with pytest.raises(ValueError, match="more than once"):
        recommend(single, pl.Series([1, 1]), pairs([]), pairs([]))
