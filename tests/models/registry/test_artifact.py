"""Models as bytes: equal for equal models, and refused when altered or of types that nobody declared."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from fractions import Fraction
from zipfile import ZipFile

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from models_ml.customers import (
    ENGAGEMENT_TYPES,
    LIFETIME_TYPES,
    SIMILARITY_TYPES,
    BgNbd,
    ItemSimilarity,
    fit_engagement,
    fit_item_similarity,
    fit_lifetime_model,
)
from models_ml.reasons import NotComputable
from models_ml.registry import dump, hash_of, load
from tests.models.customers import btyd


@dataclass(frozen=True)
class Odd:
    """A model of a type of its own, with what models are made of."""

    name: str
    numbers: tuple[float, ...]
    tables: dict[str, np.ndarray]
    file: str = "a field called as skops calls its own"
    nothing: None = None


MODEL = Odd("é", (0.1, 1e300, float("inf")), {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(6.0).reshape(2, 3)})


def test_a_model_comes_back_equal() -> None:
    content = dump(MODEL, [Odd])
    again = load(content, [Odd], hash_of(content))
    assert (again.name, again.numbers, again.file, again.nothing) == (MODEL.name, MODEL.numbers, MODEL.file, None)
    for name, table in MODEL.tables.items():
        assert again.tables[name].dtype == table.dtype
        assert (again.tables[name] == table).all()


def test_equal_models_give_equal_bytes_whenever_they_are_dumped(monkeypatch: pytest.MonkeyPatch) -> None:
    first = dump(MODEL, [Odd])
    monkeypatch.setattr(time, "localtime", lambda _: time.gmtime(1_000_000_000))
    shared = np.arange(6.0).reshape(2, 3)
    assert dump(Odd(str(bytes([0xC3, 0xA9]), "utf-8"), MODEL.numbers, {"a": shared, "b": shared}), [Odd]) == first
    assert dump(Odd("e", MODEL.numbers, MODEL.tables), [Odd]) != first


def test_estimators_of_scikit_learn_come_back() -> None:
    x = np.random.default_rng(1).normal(size=(60, 2))
    estimator = LogisticRegression().fit(x, x[:, 0] > 0)
    content = dump(estimator, [])
    again = load(content, [], hash_of(content))
    assert (again.predict_proba(x) == estimator.predict_proba(x)).all()


def test_types_that_are_not_declared_are_refused_on_both_ways() -> None:
    with pytest.raises(ValueError, match=r"holds .*Odd, which are not declared as trusted"):
        dump(MODEL, [])
    with pytest.raises(ValueError, match=r"holds fractions.Fraction"):
        dump(Odd("x", (Fraction(1, 3),), {}), [Odd])  # type: ignore[arg-type]
    content = dump(MODEL, [Odd])
    with pytest.raises(ValueError, match="not declared as trusted"):
        load(content, [BgNbd], hash_of(content))
    trees = HistGradientBoostingClassifier(max_iter=2).fit(np.arange(80.0)[:, None], np.arange(80) % 2)
    with pytest.raises(ValueError, match="TreePredictor"):
        dump(trees, [])


def test_altered_bytes_are_refused_before_they_are_read() -> None:
    content = dump(MODEL, [Odd])
    with pytest.raises(ValueError, match="it was altered or belongs to another model"):
        load(content[:-1] + b"?", [Odd], hash_of(content))


def test_the_archive_holds_no_pickle() -> None:
    with ZipFile(io.BytesIO(dump(MODEL, [Odd]))) as archive:
        assert all(name == "schema.json" or name.endswith(".npy") for name in archive.namelist())


def test_models_of_customers_come_back() -> None:
    histories = btyd.cdnow().select(
        customer_id=pl.int_range(pl.len()), frequency="x", recency="t_x", age="T", mean_value="zbar"
    )
    lifetime = fit_lifetime_model(histories)
    index = np.arange(200.0)
    engagement = fit_engagement(index, np.arange(200) % 3 < index / 70)
    for model, types in ((lifetime, LIFETIME_TYPES), (engagement, ENGAGEMENT_TYPES)):
        assert not isinstance(model, NotComputable)
        content = dump(model, types)
        assert load(content, types, hash_of(content)) == model
        with pytest.raises(ValueError, match="not declared as trusted"):
            dump(model, types[1:])


def test_similarities_of_products_come_back() -> None:
    chance = np.random.default_rng(2)
    purchases = pl.DataFrame({"basket_id": chance.integers(0, 300, 2_000), "product_id": chance.integers(0, 20, 2_000)})
    model = fit_item_similarity(purchases)
    assert isinstance(model, ItemSimilarity)
    content = dump(model, SIMILARITY_TYPES)
    assert dump(fit_item_similarity(purchases), SIMILARITY_TYPES) == content
    again = load(content, SIMILARITY_TYPES, hash_of(content))
    assert again.similar_to(3).equals(model.similar_to(3))
    assert again.products.equals(model.products)
    with pytest.raises(ValueError, match=r"polars.*DataFrame, scipy.*csr_array, which are not declared"):
        load(content, SIMILARITY_TYPES[:1], hash_of(content))
