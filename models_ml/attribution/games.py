"""Credit as Shapley values of games that channels play for conversions (Shapley 1953; Zhao et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import binom

from models_ml.attribution.arrays import Floats, Integers, compact, sum_by
from models_ml.attribution.credit import Credit, nothing_to_credit
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable

MOST_CHANNELS_OF_A_LATTICE = 20
"""Up to so many channels all 2^C coalitions are laid out; a million of them take 8 MB for each measure."""

_MOST_PAIRS_AT_ONCE = 1 << 22


def shapley(paths: Paths) -> Credit | NotComputable:
    """Shapley values of the game with the worth v(S) = Σ_T n(T)·p(T∩S); exact for any number of channels.

    T runs over the sets of channels of the journeys, n(T) is their number, p(Q) the conversion rate (for revenue: the
    revenue per journey) of journeys with exactly the channels Q, 0 if there are none; p(∅) = 0. v(S) answers what the
    journeys would have brought with the channels S alone. Credit is negative for a channel in whose presence sets
    convert less; it is not clipped, and it is never positive for a channel that no converted journey touched.

    Written by hand from the definition: up to 20 channels by Harsanyi dividends, of which the game has
    D(R) = d(R)·N(R) with d the Möbius transform of p and N(R) the journeys whose set includes R (Grabisch 2016), in
    O(C·2^C); beyond, from each pair of observed sets Q ⊆ T in closed form, which leaves nothing to sampling.
    """
    return nothing_to_credit(paths) or _credit(paths, _worths(paths))


def shapley_simplified(paths: Paths) -> Credit | NotComputable:
    """Every conversion shared equally by the distinct channels of its path.

    The Shapley value of the game that counts a journey's conversion only for coalitions with all its channels (Zhao,
    Mahboobi, Bagheri 2018, "Shapley value methods for attribution modeling in online advertising").
    """
    nothing = nothing_to_credit(paths)
    if nothing:
        return nothing
    path, channel = _distinct_touches(paths)
    share = 1 / np.bincount(path)[path]
    measures = (sum_by(channel, share * each[path], len(paths.channels)) for each in (paths.conversions, paths.revenue))
    return Credit(paths.channels, *measures)


def _worths(paths: Paths) -> Floats:
    """Shapley values of the channels in use, for conversions and revenue; zeros for the others. Shape (2, channels)."""
    used, touches = compact(paths.touches, len(paths.channels))
    values = np.zeros((2, len(paths.channels)))
    play = _by_dividends if len(used) <= MOST_CHANNELS_OF_A_LATTICE else _by_observed_pairs
    values[:, used] = play(paths, touches, len(used))
    return values


def _by_dividends(paths: Paths, touches: Integers, players: int) -> Floats:
    coalition = np.bitwise_or.reduceat(np.left_shift(1, touches), paths.offsets[:-1])
    count = 1 << players
    journeys = sum_by(coalition, paths.journeys, count)
    gains = np.stack([sum_by(coalition, each, count) for each in (paths.conversions, paths.revenue)])
    rates = _rates(gains, journeys)
    for player in range(players):
        without, with_player = _halves(rates, player)
        with_player -= without
        without, with_player = _halves(journeys, player)
        without += with_player
    dividends = rates * journeys / np.maximum(np.bitwise_count(np.arange(count)), 1)
    return np.stack([_halves(dividends, player)[1].sum(axis=(-1, -2)) for player in range(players)], axis=-1)


def _halves(lattice: Floats, player: int) -> tuple[Floats, Floats]:
    """Views of the coalitions without a player and of the same coalitions with it; the last axis is the lattice."""
    cut = lattice.reshape(*lattice.shape[:-1], -1, 2, 1 << player)
    return cut[..., 0, :], cut[..., 1, :]


@dataclass(frozen=True)
class _Sets:
    """The distinct sets of channels that were observed: ``members`` has the shape (sets, channels)."""

    members: NDArray[np.float32]
    sizes: Floats
    journeys: Floats
    rates: Floats


def _by_observed_pairs(paths: Paths, touches: Integers, players: int) -> Floats:
    """Sum the values of the games n(T)·p(Q)·[T∩S = Q] over the observed sets Q ⊆ T.

    With sizes q and t, each member of Q has 1/(q·C(t, q)) in such a game, each other member of T
    −1/((t − q)·C(t, q)): the chance that a random order puts exactly Q, or Q without the member, before the rest.
    """
    sets = _observed_sets(paths, touches, players)
    values = np.zeros((2, players))
    # A superset of Q has Q's rarest channel, too: only such pairs are looked at.
    frequency = sets.members.sum(axis=0)
    rarest = np.argmin(np.where(sets.members > 0, frequency, np.inf), axis=1)
    converting = (sets.rates > 0).any(axis=0)
    for channel in range(players):
        inner = np.flatnonzero(converting & (rarest == channel))
        outer = np.flatnonzero(sets.members[:, channel] > 0)
        step = max(1, _MOST_PAIRS_AT_ONCE // max(len(inner), 1))
        for start in range(0, len(outer) if len(inner) else 0, step):
            values += _values_of_pairs(sets, inner, outer[start : start + step])
    return values


def _values_of_pairs(sets: _Sets, inner: Integers, outer: Integers) -> Floats:
    held = sets.members[outer] @ sets.members[inner].T == sets.sizes[inner]
    at, within = np.nonzero(held)
    size, whole = sets.sizes[inner[within]], sets.sizes[outer[at]]
    weight = sets.journeys[outer[at]] / binom(whole, size)
    gain = weight / size
    loss = np.divide(weight, whole - size, out=np.zeros(len(weight)), where=whole > size)
    values = []
    for rate in sets.rates[:, inner]:
        of_inner = sum_by(within, (gain + loss) * rate[within], len(inner))
        of_outer = sum_by(at, loss * rate[within], len(outer))
        values.append(of_inner @ sets.members[inner] - of_outer @ sets.members[outer])
    return np.stack(values)


def _observed_sets(paths: Paths, touches: Integers, players: int) -> _Sets:
    words = -(-players // 64)
    keys = np.zeros((len(paths), words), dtype=np.uint64)
    bits = np.left_shift(np.uint64(1), (touches % 64).astype(np.uint64))
    for word in range(words):
        keys[:, word] = np.bitwise_or.reduceat(np.where(touches // 64 == word, bits, np.uint64(0)), paths.offsets[:-1])
    distinct, index = np.unique(keys, axis=0, return_inverse=True)
    index = index.reshape(-1)
    flags = np.unpackbits(distinct.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, :players]
    journeys = sum_by(index, paths.journeys, len(distinct))
    gains = np.stack([sum_by(index, each, len(distinct)) for each in (paths.conversions, paths.revenue)])
    return _Sets(flags.astype(np.float32), flags.sum(axis=1).astype(np.float64), journeys, _rates(gains, journeys))


def _rates(gains: Floats, journeys: Floats) -> Floats:
    return np.divide(gains, journeys, out=np.zeros_like(gains), where=journeys > 0)


def _distinct_touches(paths: Paths) -> tuple[Integers, Integers]:
    size = len(paths.channels)
    key = pl.Series(paths.path_of_touch * size + paths.touches).unique().to_numpy()
    return key // size, key % size


def _credit(paths: Paths, values: Floats) -> Credit:
    conversions, revenue = values
    return Credit(paths.channels, conversions, revenue)
