"""Products to offer next: item-item cosine on sparse baskets, best sellers where nothing is similar (spec 04-models)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from models_ml.customers.frames import Integers, check_frame
from models_ml.reasons import NotComputable, Reason

_CUSTOMERS_AT_ONCE = 20_000
_NONE = -1
_FORBIDDEN = np.float32(1e6)


@dataclass(frozen=True, eq=False)
class ItemSimilarity:
    """What is bought together. ``products`` (product_id, baskets) has the best seller first; ``similarity`` of shape
    (products, products), in that order, the cosine of each product with its nearest ones, in rows.
    """

    products: pl.DataFrame
    similarity: csr_array

    def similar_to(self, product_id: str | int) -> pl.DataFrame:
        """The nearest products, the most similar first: product_id, similarity. ValueError for an unknown product."""
        known = self.products["product_id"]
        at = known.index_of(product_id)
        if at is None:
            raise ValueError(f"Product {product_id!r} is in none of the baskets.")
        row = self.similarity[[at], :].tocoo()
        nearest = pl.DataFrame({"product_id": known.gather(row.col), "similarity": row.data, "place": row.col})
        return nearest.sort("similarity", "place", descending=[True, False]).drop("place")


SIMILARITY_TYPES = (ItemSimilarity, pl.DataFrame, csr_array)
"""What a stored similarity consists of, to be declared as trusted."""


def fit_item_similarity(
    purchases: pl.DataFrame, *, neighbors: int = 100, least_together: int = 3
) -> ItemSimilarity | NotComputable:
    """Cosine between products over baskets: baskets with both over the root of the product of baskets with each.

    ``purchases`` has basket_id and product_id; how often or how much within a basket does not count. Of each product
    the ``neighbors`` most similar are kept (ties: the better seller), pairs in fewer than ``least_together`` baskets
    not at all: rare products meet by chance, which is why lift would rank them first. NotComputable without a purchase.
    Raises ValueError for nulls and for limits below 1.
    """
    check_frame(purchases, "purchases", columns=("basket_id", "product_id"))
    if neighbors < 1 or least_together < 1:
        raise ValueError(f"neighbors {neighbors} and least_together {least_together} must be 1 or more.")
    if purchases.is_empty():
        return NotComputable(Reason.NO_DATA, "There is no purchase.")
    if purchases.select(pl.col("basket_id", "product_id").has_nulls()).row(0) != (False, False):
        raise ValueError("purchases has rows without basket_id or product_id; drop them.")
    ids = purchases["product_id"].unique().sort()
    basket = (purchases["basket_id"].rank("dense") - 1).cast(pl.Int64).to_numpy()
    baskets = _ones(basket, _places(purchases, ids)["product"].to_numpy(), (int(basket.max()) + 1, len(ids)))
    sold = np.bincount(baskets.indices, minlength=len(ids))
    best_first = np.argsort(-sold, kind="stable")
    baskets = baskets[:, best_first]
    products = pl.DataFrame({"product_id": ids.gather(best_first), "baskets": sold[best_first]})
    together = (baskets.T @ baskets).tocoo()
    is_kept = (together.data >= least_together) & (together.row != together.col)
    row, column, count = together.row[is_kept], together.col[is_kept], together.data[is_kept]
    root = np.sqrt(products["baskets"].to_numpy())
    cosine = (count / (root[row] * root[column])).astype(np.float32)
    size = (len(products), len(products))
    nearest, similarity = _top(csr_array((cosine, (row, column)), size), neighbors)
    row, place = np.nonzero(nearest != _NONE)
    kept = csr_array((similarity[row, place], (row, nearest[row, place])), size)
    return ItemSimilarity(products, kept)


def recommend(
    model: ItemSimilarity, customers: pl.Series, history: pl.DataFrame, excluded: pl.DataFrame, *, count: int = 5
) -> pl.DataFrame:
    """The ``count`` best products for each customer.

    ``customers`` holds the ids, each once; ``history`` (customer_id, product_id) what they bought, ``excluded``
    (likewise) what must not be offered: the cart and recent purchases. A product's score is the sum of its cosines with
    the products of the history; where fewer than ``count`` have one, the best sellers follow. Products that the model
    does not know are passed over.

    Returns customer_id, rank (from 1), product_id, score (null for best sellers), source (``similar`` or
    ``best_seller``), by customer in the given order; fewer rows for a customer only when nothing else is left to offer.
    Raises ValueError for repeated customers.
    """
    people = pl.DataFrame({"customer_id": customers})
    check_frame(people, "customers", key=("customer_id",))
    for name, frame in (("history", history), ("excluded", excluded)):
        check_frame(frame, name, columns=("customer_id", "product_id"))
    people = people.with_row_index("customer")
    bought, forbidden = _marks(model, people, history), _marks(model, people, excluded)
    # One product of matrices: what was bought counts for what is similar, what is forbidden against itself.
    marks = hstack([bought, -_FORBIDDEN * forbidden], format="csr")
    votes = vstack([model.similarity, eye_array(len(model.products), dtype=np.float32)], format="csr")
    parts = [
        _recommended(model, people[start:stop], marks[start:stop] @ votes, forbidden[start:stop], count)
        for start, stop in _spans(len(people))
    ]
    return pl.concat(parts)


def _recommended(
    model: ItemSimilarity, people: pl.DataFrame, scores: csr_array, forbidden: csr_array, count: int
) -> pl.DataFrame:
    picks, score = _top(scores, count)
    similar = (picks != _NONE).sum(axis=1)
    _fill_with_best_sellers(picks, forbidden, len(model.products))
    customer, rank = np.nonzero(picks != _NONE)
    is_similar = rank < similar[customer]
    return pl.DataFrame(
        {
            "customer_id": people["customer_id"].gather(customer),
            "rank": pl.Series(rank + 1, dtype=pl.Int32),
            "product_id": model.products["product_id"].gather(picks[customer, rank]),
            "score": pl.Series(score[customer, rank].astype(np.float64)).set(pl.Series(~is_similar), None),
            "source": pl.Series(np.where(is_similar, "similar", "best_seller"), dtype=pl.String),
        }
    )


def _top(scores: csr_array, count: int) -> tuple[Integers, NDArray[np.float32]]:
    """Columns and values of the largest positive entries of each row, shape (rows, count); ties: the first column."""
    values, columns = scores.data.copy(), scores.indices
    lengths = np.diff(scores.indptr)
    filled = np.flatnonzero(lengths)
    starts, row_of = scores.indptr[filled], np.repeat(np.arange(len(filled), dtype=np.int32), lengths[filled])
    picks = np.full((len(lengths), count), _NONE, dtype=np.int64)
    best = np.zeros((len(lengths), count), dtype=np.float32)
    if not len(filled):
        return picks, best
    for place in range(count):
        largest = np.maximum.reduceat(values, starts)
        # Infinity is met by no value: nothing is left to pick in these rows.
        largest[largest <= 0] = np.inf
        at = np.flatnonzero(values == np.repeat(largest, lengths[filled]))
        if not len(at):
            break
        at = at[np.lexsort((columns[at], row_of[at]))]
        at = at[np.diff(row_of[at], prepend=-1) > 0]
        row = filled[row_of[at]]
        picks[row, place], best[row, place] = columns[at], values[at]
        values[at] = 0
    return picks, best


def _fill_with_best_sellers(picks: Integers, forbidden: csr_array, products: int) -> None:
    """Put the best sellers that are neither forbidden nor picked into the free places at the rows' ends."""
    short = np.flatnonzero((picks == _NONE).any(axis=1))
    if not len(short):
        return
    count = picks.shape[1]
    barred = forbidden[short].tocoo()
    # So many best sellers suffice even if everything that is forbidden or picked is among them.
    most = int(np.bincount(barred.row, minlength=1).max()) + count
    considered = min(most, products)
    is_free = np.ones((len(short), considered), dtype=bool)
    is_free[barred.row[barred.col < considered], barred.col[barred.col < considered]] = False
    row, place = np.nonzero((picks[short] != _NONE) & (picks[short] < considered))
    is_free[row, picks[short][row, place]] = False
    have = (picks[short] != _NONE).sum(axis=1)
    number = have[:, None] + np.cumsum(is_free, axis=1) - 1
    row, product = np.nonzero(is_free & (number < count))
    picks[short[row], number[row, product]] = product


def _marks(model: ItemSimilarity, people: pl.DataFrame, pairs: pl.DataFrame) -> csr_array:
    """Which customer has which product, as ones of shape (customers, products)."""
    placed = _places(pairs.join(people, on="customer_id"), model.products["product_id"])
    shape = (len(people), len(model.products))
    return _ones(placed["customer"].to_numpy(), placed["product"].to_numpy(), shape)


def _places(frame: pl.DataFrame, products: pl.Series) -> pl.DataFrame:
    """The rows whose product is known, in their order, with its place among the products."""
    numbered = pl.DataFrame({"product_id": products}).with_row_index("product")
    return frame.join(numbered, on="product_id", maintain_order="left")


def _ones(row: Integers, column: Integers, shape: tuple[int, int]) -> csr_array:
    """A sparse matrix with a 1 at each of the places, however often it is named."""
    matrix = csr_array((np.ones(len(row), dtype=np.float32), (row, column)), shape)
    matrix.data[:] = 1
    return matrix


def _spans(size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, max(size, 1), _CUSTOMERS_AT_ONCE):
        yield start, min(start + _CUSTOMERS_AT_ONCE, size)
