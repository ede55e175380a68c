"""Models as bytes: equal for equal models, and refused when altered or of types that nobody declared."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from fractions import Fraction
from zipfile import ZipFile

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from models_ml.customers import BgNbd, fit_bg_nbd
from models_ml.customers.likelihood import Convergence
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


def test_a_fitted_lifetime_model_is_stored() -> None:
    sample = btyd.cdnow()
    model = fit_bg_nbd(sample["x"], sample["t_x"], sample["T"])
    assert isinstance(model, BgNbd)
    content = dump(model, [BgNbd, Convergence])
    assert load(content, [BgNbd, Convergence], hash_of(content)) == model
