"""Re-ranking: diversity, rules, exploration, interleaving. Pure functions: scores of candidates → a slate of indices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.ids import OuterId
from features.recall.compiled import NumberArray
from features.recall.diversity import marginal_relevance
from features.recall.score_order import by_score
from online.ranking.policy import Policy

POOL = 100
"""Candidates, the best by score, among which diversity chooses."""


@dataclass
class Slate:
    """The shown items, as indices into the candidates.

    candidate_indices  of the shown items, best first
    propensities       probability that the item was shown at its position, given all before it; 1 without exploration. For an
                       interleaved list it covers exploration alone; `teams` records its coin flips
    rules              candidate index → the rules that moved it
    teams              candidate index → the model that picked it, where two were interleaved
    """

    candidate_indices: list[int]
    propensities: list[float]
    rules: dict[int, list[str]] = field(default_factory=dict)
    teams: dict[int, str] = field(default_factory=dict)


def rank_shares(item_ids: IntArray, scores: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """[n] blended ranks: the weighted mean of each model's rank, as a share from 1 (its first) down to 0. Ranks rather than
    scores, since the models' scores are on different scales (J. Aslam, M. Montague, SIGIR 2001, Borda's count)."""
    n = len(item_ids)
    total = np.zeros(n)
    for each, weight in zip(scores, weights, strict=True):
        shares = np.empty(n)
        shares[by_score(item_ids, each)] = 1 - np.arange(n) / max(n, 1)
        total += weight * shares
    return np.asarray(total / sum(weights), np.float32)


def diverse(
    order: IntArray,
    scores: FloatArray,
    facets_of: Callable[[IntArray], tuple[NumberArray, IntArray]],
    diversity: float,
    size: int,
) -> IntArray:
    """[n] candidate indices: the first `size` by maximal marginal relevance (`features.recall.diversity`), then by score.

    order: [n] by score; facets_of: the values of candidates, as `FacetTable.of` gives them. Items are alike by the cosine of
    their values. Relevance is the score's share of the pool's spread.
    """
    pool = order[:POOL]
    low, high = float(scores[pool].min()), float(scores[pool].max())
    relevance = (scores[pool] - low) / np.float32(max(high - low, 1e-9))
    chosen = pool[marginal_relevance(relevance, *facets_of(pool), diversity, size)]
    is_left = np.ones(len(order), bool)
    is_left[chosen] = False
    return np.concatenate([chosen, order[is_left[order]]])


def team_draft(
    orders: Sequence[Sequence[int]], names: Sequence[str], size: int, rng: Random
) -> tuple[list[int], dict[int, str]]:
    """Two orders interleaved by team draft: each round a coin decides who picks first, and each picks its best remaining one
    (F. Radlinski, M. Kurup, T. Joachims, CIKM 2008). Returns the indices, and the name that picked each."""
    left = [iter(order) for order in orders]
    teams: dict[int, str] = {}
    while len(teams) < size:
        before = len(teams)
        for side in rng.sample(range(len(orders)), len(orders)):
            pick = next((index for index in left[side] if index not in teams), None)
            if pick is not None and len(teams) < size:
                teams[pick] = names[side]
        if len(teams) == before:
            break
    return list(teams), teams


def moved_by(policy: Policy, item_ids: IntArray) -> tuple[list[int], set[int]]:
    """Candidate indices that the policy's rules move, whatever they score: (the pinned ones in their order, the buried ones). The
    policy names items by their numbers inside."""
    if not (policy.pin or policy.bury):
        return [], set()
    index_of: dict[OuterId, int] = {item_id: index for index, item_id in enumerate(item_ids.tolist())}
    first = [index_of[item_id] for item_id in policy.pin if item_id in index_of]
    # One experiment may pin what another buries: the pin wins.
    return first, {index_of[item_id] for item_id in policy.bury if item_id in index_of}.difference(first)


def make_slate(
    policy: Policy,
    item_ids: IntArray,
    order: IntArray,
    size: int,
    rng: Random,
    teams: Mapping[int, str] = MappingProxyType({}),
    is_new: BoolArray | None = None,
) -> Slate:
    """Apply the policy's rules and exploration to an order [n] of candidate indices. is_new: [n] whether a candidate is new in
    the catalogue; None where none is. The policy names items by their numbers inside."""
    first, last = moved_by(policy, item_ids)
    moved = last.union(first)
    free = order[~np.isin(order, list(moved))] if moved else order
    buried = [index for index in order.tolist() if index in last] if last else []
    shown = [*first, *free[:size].tolist(), *buried][:size]
    rules = {index: ["buried" if index in last else "pinned"] for index in moved}
    propensities = [1.0] * len(shown)
    # Only the last position is explored, and only if no rule has filled it, so that each probability is known exactly.
    if shown and shown[-1] not in moved:
        others = free[len(shown) - len(first) :]
        taken, propensities[-1], rule = _explored(policy, shown[-1], others, is_new, rng)
        if rule:
            shown[-1] = taken
            rules.setdefault(taken, []).append(rule)
    return Slate(shown, propensities, rules, {index: teams[index] for index in shown if index in teams})


def _explored(
    policy: Policy, best: int, others: IntArray, is_new: BoolArray | None, rng: Random
) -> tuple[int, float, str | None]:
    """(index, its probability, the rule that chose it) for the last position of a list, where `best` would be."""
    new, old = (others[:0], others) if is_new is None else (others[is_new[others]], others[~is_new[others]])
    for_new = policy.newcomers if len(new) else 0.0
    for_old = (1 - for_new) * policy.explore if len(old) else 0.0
    draw = rng.random() if for_new or for_old else 1.0
    if draw < for_new:
        return int(new[rng.randrange(len(new))]), for_new / len(new), "new"
    if draw < for_new + for_old:
        return int(old[rng.randrange(len(old))]), for_old / len(old), "explored"
    return best, 1 - for_new - for_old, None
