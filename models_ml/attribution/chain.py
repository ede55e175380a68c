"""Credit by what removing a channel from an absorbing Markov chain would cost (Anderl et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import linalg
from sklearn.metrics import roc_auc_score

from models_ml.attribution.arrays import Flags, Floats, Integers, compact, sum_by
from models_ml.attribution.credit import Credit, nothing_to_credit
from models_ml.attribution.paths import Paths
from models_ml.reasons import NotComputable, Reason

ORDERS = (1, 2, 3)
"""The orders that are offered."""

_PARTS = 5

_PRECISION = 1e-12
"""Relative residual at which a linear system counts as solved."""


@dataclass(frozen=True, eq=False)
class RemovalEffects:
    """What the chain loses without each channel: 1 − outcome without it / outcome with it.

    ``conversions`` and ``revenue`` are the effects on the probability of a conversion and on the expected revenue of a
    journey, one per channel, 0..1 (revenue: all 0 if there is none). ``start_probability``: the chain's probability of
    a conversion, equal to the rate at which the journeys converted.
    """

    channels: tuple[str, ...]
    order: int
    conversions: Floats
    revenue: Floats
    start_probability: float


@dataclass(frozen=True)
class OrderChoice:
    """The order that foretells conversions best, with the figures of all orders that were tried.

    ``auc``: how well the last touches, as many as the order, tell converting from other journeys, scored by those very
    journeys. ``penalized_auc``: the same with scores from other journeys, which charges every order for what it only
    learned by heart.
    """

    order: int
    orders: tuple[int, ...]
    auc: tuple[float, ...]
    penalized_auc: tuple[float, ...]


def markov(paths: Paths, order: int = 1) -> Credit | NotComputable:
    """Total conversions and revenue, shared in the proportion of the removal effects on each.

    Raises ValueError for an order that is not offered.
    """
    effects = removal_effects(paths, order)
    if isinstance(effects, NotComputable):
        return effects
    return Credit(
        paths.channels,
        _shared(effects.conversions, paths.conversions.sum()),
        _shared(effects.revenue, paths.revenue.sum()),
    )


def removal_effects(paths: Paths, order: int = 1) -> RemovalEffects | NotComputable:
    """Solve the chain whose states are the last ``order`` touches, exactly and without simulation.

    Transition probabilities are the observed shares; a journey starts in the state of its first touch and ends in a
    conversion or in none. Removing a channel sends every step into a state that holds it to the end without a
    conversion. With N = (I − Q)⁻¹, order 1 has all effects from one inverse: a journey passes channel c with
    probability N[start, c] / N[c, c] and then converts as from c. Higher orders solve one sparse system per channel for
    where journeys first meet it, by GMRES to a relative residual of 1e-12 or, where that stalls, by elimination: seconds
    for tens of channels, minutes for hundreds, for which order 1 is meant.

    A chain mixes journeys: a channel that no converted journey touched has an effect above 0 if journeys that met it
    went on to channels from which others converted. Without such a way its effect is 0.

    Written by hand from Anderl, Becker, von Wangenheim, Schumann (2016), "Mapping the customer journey", and Kemeny,
    Snell (1960), "Finite Markov chains". Raises ValueError for an order that is not offered.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order}; it must be one of {', '.join(map(str, ORDERS))}.")
    nothing = nothing_to_credit(paths)
    if nothing:
        return nothing
    chain = _chain(paths, order)
    outcomes, lost = _removals_at_order_one(chain) if order == 1 else _removals(chain)
    conversions, revenue = np.divide(lost, outcomes[:, None], out=np.zeros_like(lost), where=outcomes[:, None] > 0)
    return RemovalEffects(paths.channels, order, conversions, revenue, float(outcomes[0]))


def choose_order(paths: Paths, seed: int, orders: Sequence[int] = ORDERS) -> OrderChoice | NotComputable:
    """Choose the lowest order whose penalized AUC is within one standard error of the greatest.

    A journey's score is the share of conversions among the journeys that ended with the same last ``order`` touches,
    or among all where there are none. For the penalized AUC the journeys are dealt into five parts, each scored by the
    other four; it is the mean of the parts' AUCs (cross-validation and the rule of one standard error: Breiman et al.
    1984, "Classification and regression trees", 3.4). A charge for the number of parameters, as
    ChannelAttribution makes it, shrinks faster with the number of journeys than what a long memory gains by chance: it
    calls for order 3 in worlds of order 1. Journeys count as whole, so the paths' counts should be whole numbers.

    Raises ValueError for no orders or one that is not offered.
    """
    if not orders or not set(orders) <= set(ORDERS):
        raise ValueError(f"orders is {tuple(orders)}; give some of {', '.join(map(str, ORDERS))}.")
    nothing = nothing_to_credit(paths)
    if nothing:
        return nothing
    if paths.unconverted.sum() == 0:
        return NotComputable(Reason.ONE_CLASS_ONLY, "Every journey converted; nothing can be told apart.")
    rng = np.random.default_rng(seed)
    # By outcome, path and part.
    dealt = np.stack([_dealt(each, rng) for each in (paths.conversions, paths.unconverted)])
    if (dealt.sum(axis=1) == 0).any():
        details = f"{paths.conversions.sum():,.0f} conversions of {paths.journeys.sum():,.0f} journeys do not make {_PARTS} parts."
        return NotComputable(Reason.TOO_FEW_CONVERSIONS, details)
    tried = tuple(sorted(set(orders)))
    found = [_aucs(paths, order, dealt) for order in tried]
    penalized = [float(parts.mean()) for _, parts in found]
    best = int(np.argmax(penalized))
    error = found[best][1].std(ddof=1) / np.sqrt(_PARTS)
    order = next(order for order, value in zip(tried, penalized, strict=True) if value >= penalized[best] - error)
    return OrderChoice(order, tried, tuple(auc for auc, _ in found), tuple(penalized))


@dataclass(frozen=True)
class _Chain:
    """Counts of an absorbing chain: ``steps`` from state to state (sparse), the rest per state.

    ``gains`` has the shape (2, states): conversions and revenue of the journeys that ended there. ``holds`` has the
    shape (channels, states).
    """

    steps: sparse.csr_array
    starts: Floats
    gains: Floats
    losses: Floats
    holds: Flags

    @property
    def visits(self) -> Floats:
        visits: Floats = self.steps.sum(axis=1) + self.gains[0] + self.losses
        return visits


def _chain(paths: Paths, order: int) -> _Chain:
    keys = _states(paths, order)
    base = len(paths.channels) + 1
    distinct, state = compact(keys, base**order)
    size = len(distinct)
    journeys = paths.journeys
    goes_on = np.ones(len(state), dtype=np.bool_)
    goes_on[paths.offsets[1:] - 1] = False
    here = np.flatnonzero(goes_on)
    pairs, index = compact(state[here] * size + state[here + 1], size * size)
    counts = sum_by(index, np.repeat(journeys, paths.lengths - 1), len(pairs))
    steps = sparse.coo_array((counts, divmod(pairs, size)), shape=(size, size)).tocsr()
    begins, ends = state[paths.offsets[:-1]], state[paths.offsets[1:] - 1]
    digits = distinct // base ** np.arange(order)[:, None] % base
    holds = np.zeros((base, size), dtype=np.bool_)
    holds[digits, np.arange(size)] = True
    return _Chain(
        steps=steps,
        starts=sum_by(begins, journeys, size),
        gains=np.stack([sum_by(ends, each, size) for each in (paths.conversions, paths.revenue)]),
        losses=sum_by(ends, paths.unconverted, size),
        holds=holds[1:],
    )


def _states(paths: Paths, order: int) -> Integers:
    """The state after each touch: its channel and those before it in the path as digits; 0 stands for none."""
    base = len(paths.channels) + 1
    states = paths.touches + 1
    if order == 1:
        return states
    place = np.arange(len(states)) - np.repeat(paths.offsets[:-1], paths.lengths)
    for back in range(1, order):
        earlier = np.concatenate([np.zeros(back, dtype=np.int64), paths.touches[:-back] + 1])[: len(states)]
        states = states + np.where(place >= back, earlier, 0) * base**back
    return states


def _removals_at_order_one(chain: _Chain) -> tuple[Floats, Floats]:
    """Conversion probability and expected revenue of a journey; and what each loses with each channel (2, channels)."""
    visited = np.flatnonzero(chain.visits)
    visits = chain.visits[visited]
    inverse = np.linalg.inv(np.eye(len(visited)) - chain.steps.toarray()[np.ix_(visited, visited)] / visits[:, None])
    start = chain.starts[visited] / chain.starts.sum()
    outlook = chain.gains[:, visited] / visits @ inverse.T
    lost = np.zeros((2, len(chain.holds)))
    lost[:, chain.holds[:, visited].argmax(axis=0)] = outlook * (start @ inverse / np.diag(inverse))
    return outlook @ start, lost


def _removals(chain: _Chain) -> tuple[Floats, Floats]:
    """The same at any order."""
    visited = np.flatnonzero(chain.visits)
    visits = chain.visits[visited]
    onward = (sparse.diags_array(1 / visits) @ chain.steps[visited][:, visited]).tocsr()
    back = onward.T.tocsr()
    start, usual = chain.starts[visited] / chain.starts.sum(), visits / chain.starts.sum()
    outlook = np.stack([_solved(onward, gain) for gain in chain.gains[:, visited] / visits])
    lost = np.zeros((2, len(chain.holds)))
    for channel, holds in enumerate(chain.holds[:, visited]):
        gone, rest = np.flatnonzero(holds), np.flatnonzero(~holds)
        if len(gone):
            before = _solved(back[rest][:, rest], start[rest], usual[rest])
            # Where journeys first meet the channel, and what they would have brought from there.
            lost[:, channel] = outlook[:, gone] @ (start[gone] + back[gone][:, rest] @ before)
    return outlook @ start, lost


def _solved(steps: sparse.csr_array, right: Floats, guess: Floats | None = None) -> Floats:
    """The x of (I − steps)·x = right."""
    if not right.any():
        return np.zeros(len(right))
    system = (sparse.eye_array(len(right)) - steps).tocsr()
    scale = sparse.diags_array(1 / system.diagonal())
    solution, _ = linalg.gmres(system, right, x0=guess, rtol=_PRECISION, atol=0, restart=100, maxiter=20, M=scale)
    if np.linalg.norm(right - system @ solution) <= _PRECISION * np.linalg.norm(right):
        return np.asarray(solution)
    return np.asarray(linalg.spsolve(system.tocsc(), right))


def _dealt(counts: Floats, rng: np.random.Generator) -> Floats:
    """Whole journeys dealt into parts; shape (paths, parts)."""
    return np.asarray(rng.multinomial(np.rint(counts).astype(np.int64), [1 / _PARTS] * _PARTS), dtype=np.float64)


def _aucs(paths: Paths, order: int, dealt: Floats) -> tuple[float, Floats]:
    """The AUC scored by the journeys themselves, and of each part scored by the other parts."""
    distinct, state = compact(_states(paths, order)[paths.offsets[1:] - 1], (len(paths.channels) + 1) ** order)
    size = len(distinct)
    by_part = np.stack([[sum_by(state, part, size) for part in outcome.T] for outcome in dealt])
    whole = by_part.sum(axis=1)
    apparent = _auc(_scores(whole), whole)
    held_out = [_auc(_scores(whole - by_part[:, part]), by_part[:, part]) for part in range(_PARTS)]
    return apparent, np.array(held_out)


def _scores(counts: Floats) -> Floats:
    """Conversion rates of the states, whose converted and other journeys are counted."""
    ended: Floats = counts.sum(axis=0)
    scores: Floats = np.full(len(ended), counts[0].sum() / ended.sum())
    np.divide(counts[0], ended, out=scores, where=ended > 0)
    return scores


def _auc(scores: Floats, counts: Floats) -> float:
    outcome = np.repeat([1, 0], len(scores))
    return float(roc_auc_score(outcome, np.tile(scores, 2), sample_weight=counts.ravel()))


def _shared(effects: Floats, total: float) -> Floats:
    return effects / effects.sum() * total if total else np.zeros(len(effects))
