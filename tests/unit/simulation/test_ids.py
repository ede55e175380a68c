"""Identities: unique, of the right form, and the same for the same number whenever they are asked for."""

from __future__ import annotations

import uuid

import numpy as np

from models_ml.simulation.ids import coin, scramble, stream_key, uuids, words


def test_uuids_are_version_4_unique_and_independent_of_order() -> None:
    numbers = np.arange(50_000)
    ids = uuids(5, numbers).to_list()
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4 for text in ids[:500])
    assert uuids(5, numbers[::-1]).to_list() == ids[::-1]
    assert not set(uuids(6, numbers).to_list()) & set(ids)


def test_words_are_letters_only() -> None:
    found = words(5, np.arange(20_000)).to_list()
    assert len(set(found)) == len(found)
    assert all(len(word) == 16 and word.isalpha() and word.islower() for word in found)


def test_scramble_is_splitmix64() -> None:
    """The first outputs of the reference generator with seed 1234567."""
    steps = np.arange(1, 4)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert scramble(steps, 1234567).tolist() == expected


def test_coins_are_fair_and_stay() -> None:
    left, right = np.meshgrid(np.arange(400), np.arange(100))
    tossed = coin(9, left.ravel(), right.ravel())
    assert tossed.min() >= 0
    assert tossed.max() < 1
    counts = np.bincount((tossed * 10).astype(int))
    assert ((counts - 4_000) ** 2 / 4_000).sum() < 27.9  # chi-square, 9 degrees of freedom, p = .001
    assert (coin(9, left.ravel(), right.ravel()) == tossed).all()


def test_streams_have_keys_of_their_own() -> None:
    assert len({stream_key(1, "a"), stream_key(1, "b"), stream_key(2, "a"), stream_key("1", "a")}) == 4
