"""Re-ranking: diversity, rules, exploration, interleaving. Pure functions: scores of candidates → a slate of indices."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

import numpy as np

from features.arrays import FloatArray, IntArray
from features.ids import OuterId
from features.recall.compiled import NumberArray
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


def by_score(item_ids: IntArray, scores: FloatArray) -> IntArray:
    """[n] candidate indices by descending score, ties by id."""
    return np.asarray(np.lexsort((item_ids, -scores)), np.int64)


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
) -> list[int]:
    """All candidate indices: the first `size` by maximal marginal relevance (J. Carbonell, J. Goldstein, SIGIR 1998), then by
    score.

    facets_of: the facet values of candidates, given their indices, as `FacetTable.of` has them; two items are as alike as the
    cosine of their values. Relevance is the score's share of the pool's spread.
    """
    pool = order[:POOL]
    low, high = float(scores[pool].min()), float(scores[pool].max())
    relevance = (scores[pool] - low) / max(high - low, 1e-9)
    values, starts = facets_of(pool)
    counts, (distinct, columns) = np.diff(starts), np.unique(values, return_inverse=True)
    unit = np.zeros((len(pool), len(distinct)), np.float32)
    unit[np.repeat(np.arange(len(pool)), counts), columns] = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
    nearest = np.zeros(len(pool))
    left = np.ones(len(pool), bool)
    chosen: list[int] = []
    for _ in range(min(size, len(pool))):
        worth = np.where(left, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(worth.argmax())
        left[best] = False
        chosen.append(int(pool[best]))
        nearest = np.maximum(nearest, unit @ unit[best])
    return chosen + [int(index) for index in order if int(index) not in set(chosen)]


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


def make_slate(
    policy: Policy,
    item_ids: IntArray,
    order: Sequence[int],
    size: int,
    rng: Random,
    teams: Mapping[int, str] = MappingProxyType({}),
    new_items: Collection[int] = (),
) -> Slate:
    """Apply the policy's rules and exploration to an order of candidate indices. new_items: indices of new items. The policy
    names items by their numbers inside."""
    rules: dict[int, list[str]] = {}
    index_of: dict[OuterId, int] = {}
    if policy.pin or policy.bury:
        index_of = {item_id: index for index, item_id in enumerate(item_ids.tolist())}
    first = [index_of[item_id] for item_id in policy.pin if item_id in index_of]
    # One experiment may pin what another buries: the pin wins.
    last = {index_of[item_id] for item_id in policy.bury if item_id in index_of}.difference(first)
    moved = last.union(first)
    whole = [*first, *(index for index in order if index not in moved), *(index for index in order if index in last)]
    for index in moved:
        rules[index] = ["buried" if index in last else "pinned"]
    shown, propensities = whole[:size], [1.0] * len(whole[:size])
    # Only the last position is explored, and only if no rule has filled it, so that each probability is known exactly.
    if shown and shown[-1] not in moved:
        others = [index for index in whole[size:] if index not in moved]
        taken, propensities[-1], rule = _explored(policy, shown[-1], others, new_items, rng)
        if rule:
            shown[-1] = taken
            rules.setdefault(taken, []).append(rule)
    return Slate(shown, propensities, rules, {index: teams[index] for index in shown if index in teams})


def _explored(
    policy: Policy, best: int, others: Sequence[int], new_items: Collection[int], rng: Random
) -> tuple[int, float, str | None]:
    """(index, its probability, the rule that chose it) for the last position of a list, where `best` would be."""
    new = [index for index in others if index in new_items]
    old = [index for index in others if index not in new_items]
    for_new = policy.newcomers if new else 0.0
    for_old = (1 - for_new) * policy.explore if old else 0.0
    draw = rng.random() if for_new or for_old else 1.0
    if draw < for_new:
        return new[rng.randrange(len(new))], for_new / len(new), "new"
    if draw < for_new + for_old:
        return old[rng.randrange(len(old))], for_old / len(old), "explored"
    return best, 1 - for_new - for_old, None
