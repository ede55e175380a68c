"""Identities from numbers: a counter and a key give the same UUID, word or coin every time, in any order."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Array = NDArray[Any]

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)
_LETTERS = np.frombuffer("".join(chr(97 + byte // 16) + chr(97 + byte % 16) for byte in range(256)).encode(), np.uint16)
_UUID_GROUPS = ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32))


def stream_key(*parts: int | str) -> int:
    """A 64-bit key for a named stream; different parts give unrelated keys."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def scramble(numbers: Array, key: int) -> Array:
    """64 well-mixed bits per number: splitmix64 (Steele, Lea, Flood 2014), a bijection for a given key."""
    x = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def fresh_numbers(rng: np.random.Generator, size: int) -> Array:
    """Random numbers for identities, for instance of sessions."""
    return rng.integers(0, 1 << 63, size, dtype=np.uint64)


def coin(key: int, left: Array, right: Array) -> Array:
    """A uniform number in [0, 1) that belongs to the pair (left, right) for ever."""
    bits = scramble(scramble(left, key) ^ right.astype(np.uint64), key)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uuids(key: int, numbers: Array) -> pl.Series:
    """Version 4 UUIDs in canonical text, one per number; distinct numbers give distinct ids."""
    high = scramble(numbers, key) & ~np.uint64(0xF000) | np.uint64(0x4000)
    low = scramble(numbers, key ^ 0x5DEECE66D) & np.uint64((1 << 62) - 1) | np.uint64(1 << 63)
    digits = _HEX[np.stack([high, low], axis=1).astype(">u8").view(np.uint8)].view(np.uint8).reshape(-1, 32)
    text = np.full((len(digits), 36), ord("-"), dtype=np.uint8)
    for target, start, stop in _UUID_GROUPS:
        text[:, target : target + stop - start] = digits[:, start:stop]
    return _fixed_width(text)


def words(key: int, numbers: Array) -> pl.Series:
    """Opaque ids of 16 lower-case letters: no digits, so that none can be taken for a telephone number."""
    letters = _LETTERS[scramble(numbers, key).astype(">u8").view(np.uint8)].view(np.uint8).reshape(-1, 16)
    return _fixed_width(letters)


def _fixed_width(text: NDArray[np.uint8]) -> pl.Series:
    """Rows of ASCII bytes as a string series, without a Python object per row."""
    rows, width = text.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
    return pl.Series("", array)
