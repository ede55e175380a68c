"""Shapley values from the sets of channels that journeys had, for more channels than all their coalitions could be laid out for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import binom

from models_ml.attribution.arrays import Floats, Integers, sum_by

Keys = NDArray[np.uint64]

LARGEST_SPELLED_OUT = 16
"""Sets of up to so many channels are looked up by all their subsets; the few larger ones are held against every set."""

_MOST_SUBSETS_AT_ONCE = 1 << 21

_SIEVE_BITS = 20
"""Subsets of whose first bits no set has the like are not looked up; a table for so many bits fits a cache."""


@dataclass(frozen=True)
class ObservedSets:
    """The distinct sets of channels: set ``i`` is ``members[offsets[i]:offsets[i + 1]]``.

    ``journeys`` has their number per set, ``rates`` (measures × sets) what a journey of the set brings. ``keys`` (2 × sets, in
    the order of the first row) are 128 bits that tell a set from all others: the sum modulo 2 of its channels' ``hashes``
    (Zobrist 1970), so that a subset's key needs only its channels.
    """

    members: Integers
    offsets: Integers
    journeys: Floats
    rates: Floats
    keys: Keys
    hashes: Keys

    @property
    def sizes(self) -> Integers:
        """Number of channels of each set."""
        return np.diff(self.offsets)


def observed_sets(path: Integers, channel: Integers, players: int, journeys: Floats, gains: Floats) -> ObservedSets:
    """Group paths by their set of channels.

    ``path`` and ``channel`` are the distinct touches, by path, every path with one at least; ``journeys`` has one number
    per path, ``gains`` (measures × paths) what they brought.
    """
    # Any numbers would do: they name the channels, and nothing that is computed depends on them.
    hashes = np.random.default_rng(0).integers(0, 2**64, (2, players), dtype=np.uint64)
    begins = np.searchsorted(path, np.arange(len(journeys)))
    keys = np.bitwise_xor.reduceat(hashes[:, channel], begins, axis=1)
    _, first, index = np.unique(keys[0], return_index=True, return_inverse=True)
    lengths = np.diff(np.append(begins, len(channel)))[first]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    of_set = np.repeat(begins[first] - offsets[:-1], lengths) + np.arange(offsets[-1])
    counts = sum_by(index, journeys, len(first))
    sums = np.stack([sum_by(index, each, len(first)) for each in gains])
    rates = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return ObservedSets(channel[of_set], offsets, counts, rates, keys[:, first], hashes)


def values_of_observed_sets(sets: ObservedSets, players: int) -> Floats:
    """Sum the values of the games n(T)·p(Q)·[T∩S = Q] over the observed sets Q ⊆ T; measures × players.

    With sizes q and t, each member of Q has 1/(q·C(t, q)) in such a game, each other member of T
    −1/((t − q)·C(t, q)): the chance that a random order puts exactly Q, or Q without the member, before the rest.
    """
    sizes, count = sets.sizes.astype(np.float64), len(sets.journeys)
    of_set = np.zeros((len(sets.rates), count))
    for whole, part in _pairs(sets):
        weight = sets.journeys[whole] / binom(sizes[whole], sizes[part])
        rest = sizes[whole] - sizes[part]
        loss = np.divide(weight, rest, out=np.zeros(len(weight)), where=rest > 0)
        gain = weight / sizes[part] + loss
        for measure, rate in enumerate(sets.rates[:, part]):
            of_set[measure] += sum_by(part, gain * rate, count) - sum_by(whole, loss * rate, count)
    set_of_member = np.repeat(np.arange(count), sets.sizes)
    return np.stack([sum_by(sets.members, sums[set_of_member], players) for sums in of_set])


def _pairs(sets: ObservedSets) -> Iterator[tuple[Integers, Integers]]:
    """All pairs of a set and a part of it (the whole, too) that brought something, as positions, some at a time."""
    earning = np.flatnonzero((sets.rates > 0).any(axis=0))
    if not len(earning):
        return
    for size in np.unique(sets.sizes).tolist():
        same = np.flatnonzero(sets.sizes == size)
        if size > LARGEST_SPELLED_OUT:
            yield from (_held_against(sets, earning, int(one)) for one in same)
            continue
        step = max(1, _MOST_SUBSETS_AT_ONCE >> size)
        for start in range(0, len(same), step):
            yield _looked_up(sets, earning, same[start : start + step], size)


def _looked_up(sets: ObservedSets, earning: Integers, wholes: Integers, size: int) -> tuple[Integers, Integers]:
    members = sets.members[sets.offsets[wholes][:, None] + np.arange(size)]
    subsets = np.zeros((2, len(wholes), 1), dtype=np.uint64)
    for column in members.T:
        subsets = np.concatenate([subsets, subsets ^ sets.hashes[:, column, None]], axis=2)
    keys, known = subsets.reshape(2, -1), sets.keys[:, earning]
    sieve = np.zeros(1 << _SIEVE_BITS, dtype=np.bool_)
    sieve[_first_bits(known[0])] = True
    candidates = np.flatnonzero(sieve[_first_bits(keys[0])])
    place = np.minimum(np.searchsorted(known[0], keys[0, candidates]), len(earning) - 1)
    found = (known[:, place] == keys[:, candidates]).all(axis=0)
    return wholes[candidates[found] >> size], earning[place[found]]


def _first_bits(keys: Keys) -> Keys:
    return keys >> np.uint64(64 - _SIEVE_BITS)


def _held_against(sets: ObservedSets, earning: Integers, whole: int) -> tuple[Integers, Integers]:
    is_member = np.zeros(sets.hashes.shape[1], dtype=np.bool_)
    is_member[sets.members[sets.offsets[whole] : sets.offsets[whole + 1]]] = True
    shared = np.add.reduceat(is_member[sets.members], sets.offsets[:-1], dtype=np.int64)
    parts = earning[(shared == sets.sizes)[earning]]
    return np.full(len(parts), whole), parts
