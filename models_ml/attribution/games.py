"""Credit as Shapley values of games that channels play for conversions (Shapley 1953; Zhao et al. 2018)."""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.attribution.arrays import Floats, Integers, compact, sum_by
from models_ml.attribution.credit import Credit, nothing_to_credit
from models_ml.attribution.observed_sets import observed_sets, values_of_observed_sets
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable

MOST_CHANNELS_OF_A_LATTICE = 20
"""Up to so many channels all 2^C coalitions are laid out; a million of them take 8 MB for each measure."""


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
    path, channel = _distinct_touches(paths.path_of_touch, paths.touches, len(paths.channels))
    share = 1 / np.bincount(path)[path]
    measures = (sum_by(channel, share * each[path], len(paths.channels)) for each in (paths.conversions, paths.revenue))
    return Credit(paths.channels, *measures)


def _worths(paths: Paths) -> Floats:
    """Shapley values of the channels in use, for conversions and revenue; zeros for the others. Shape (2, channels)."""
    used, touches = compact(paths.touches, len(paths.channels))
    values = np.zeros((2, len(paths.channels)))
    play = _by_dividends if len(used) <= MOST_CHANNELS_OF_A_LATTICE else _by_observed_sets
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


def _by_observed_sets(paths: Paths, touches: Integers, players: int) -> Floats:
    path, channel = _distinct_touches(paths.path_of_touch, touches, players)
    gains = np.stack([paths.conversions, paths.revenue])
    return values_of_observed_sets(observed_sets(path, channel, players, paths.journeys, gains), players)


def _rates(gains: Floats, journeys: Floats) -> Floats:
    return np.divide(gains, journeys, out=np.zeros_like(gains), where=journeys > 0)


def _distinct_touches(path: Integers, channel: Integers, channels: int) -> tuple[Integers, Integers]:
    """The touches without those of a channel that the path had before, by path."""
    key = pl.Series(path * channels + channel).unique().sort().to_numpy()
    return key // channels, key % channels


def _credit(paths: Paths, values: Floats) -> Credit:
    conversions, revenue = values
    return Credit(paths.channels, conversions, revenue)
