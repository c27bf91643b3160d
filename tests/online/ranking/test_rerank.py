"""Re-ranking: laws for any scores, and the effects of diversity, rules, exploration and interleaving."""

from collections import Counter
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import FloatArray, IntArray
from features.inputs.facet_table import FacetTable
from features.recall.compiled import NumberArray
from features.recall.score_order import by_score
from online.ranking.policy import Policy
from online.ranking.rerank import diverse, make_slate, rank_shares, team_draft


def facets_of(genres: FloatArray) -> Callable[[IntArray], tuple[NumberArray, IntArray]]:
    """The facets of items whose values are the columns [n, G] that are not 0."""
    table = FacetTable(len(genres))
    for row, has in enumerate(genres):
        table.put(row, [str(at) for at in np.flatnonzero(has)])
    return table.of


some_scores = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40)


@given(some_scores, st.floats(0, 1), st.integers(1, 50), st.integers(0, 1000))
def test_a_list_has_no_item_twice_and_as_many_as_there_are(
    values: list[float], diversity: float, size: int, seed: int
) -> None:
    scores, ids = np.array(values, np.float32), np.arange(len(values)) * 3
    genres = np.random.default_rng(seed).integers(0, 2, (len(values), 4)).astype(np.float32)
    order = diverse(by_score(ids, scores), scores, facets_of(genres), diversity, size)
    assert sorted(order) == list(range(len(values)))
    policy = Policy(pin=(3, 9), bury=(0,), explore=0.5)
    made = make_slate(policy, ids, order, size, Random(seed))
    assert len(made.candidate_indices) == len(set(made.candidate_indices)) == min(size, len(values))
    assert len(made.propensities) == len(made.candidate_indices)


def test_without_diversity_the_order_is_by_score() -> None:
    scores, ids = np.array([0.2, 0.9, 0.9, 0.5], np.float32), np.array([5, 8, 7, 1])
    order = by_score(ids, scores)
    assert order.tolist() == [2, 1, 3, 0]
    assert diverse(order, scores, facets_of(np.ones((4, 1), np.float32)), 0.0, 4).tolist() == order.tolist()


@given(some_scores, st.integers(0, 1000), st.sampled_from([0.5, 1e9]))
def test_an_order_is_by_score_and_then_by_id(values: list[float], seed: int, high: float) -> None:
    rng = np.random.default_rng(seed)
    scores, ids = (
        (np.array(values, np.float32) - np.float32(0.5)) * np.float32(high),
        rng.permutation(len(values)) << 40,
    )
    scores[rng.random(len(scores)) < 0.3] = scores[0] * 0
    assert by_score(ids, scores).tolist() == np.lexsort((ids, -scores)).tolist()


@given(some_scores, st.floats(0, 1), st.integers(1, 30), st.integers(0, 1000))
def test_diverse_lists_are_those_of_the_definition(values: list[float], diversity: float, size: int, seed: int) -> None:
    scores, ids = np.array(values, np.float32), np.arange(len(values))
    genres = np.random.default_rng(seed).integers(0, 2, (len(values), 5)).astype(np.float32)
    order = by_score(ids, scores)
    made = diverse(order, scores, facets_of(genres), diversity, size).tolist()
    unit = genres / np.sqrt(np.maximum(genres.sum(axis=1, keepdims=True), 1))
    relevance = (scores - scores.min()) / max(float(np.ptp(scores)), 1e-9)
    for rank, index in enumerate(made[:size]):
        likeness = (unit @ unit[made[:rank]].T).max(axis=1, initial=0)
        worth = (1 - diversity) * relevance - diversity * likeness
        assert worth[index] >= worth[made[rank:]].max() - 1e-5
    assert made[size:] == [index for index in order.tolist() if index not in made[:size]]


def test_diversity_brings_up_what_is_unlike_the_first() -> None:
    scores, ids = np.array([0.9, 0.85, 0.8, 0.5, 0.0], np.float32), np.arange(5)
    genres = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    assert diverse(by_score(ids, scores), scores, facets_of(genres), 0.5, 5)[:2].tolist() == [0, 3]


def test_rules_move_items() -> None:
    ids = np.array([10, 11, 12, 13])
    made = make_slate(Policy(pin=(13, 99), bury=(10,)), ids, np.arange(4), 4, Random(1))
    assert ids[made.candidate_indices].tolist() == [13, 11, 12, 10]
    assert made.rules == {3: ["pinned"], 0: ["buried"]}
    assert made.propensities == [1.0] * 4
    both = make_slate(Policy(pin=(13,), bury=(13, 10)), ids, np.arange(4), 4, Random(1))  # of two experiments
    assert ids[both.candidate_indices].tolist() == [13, 11, 12, 10]
    assert both.rules == {3: ["pinned"], 0: ["buried"]}


def test_a_place_that_a_rule_has_filled_is_not_explored() -> None:
    ids, rng = np.arange(8), Random(5)
    policy = Policy(pin=(4, 5), explore=1.0)
    assert {tuple(make_slate(policy, ids, ids, 2, rng).candidate_indices) for _ in range(50)} == {(4, 5)}


def test_what_is_buried_is_not_explored() -> None:
    ids, rng = np.arange(8), Random(5)
    policy = Policy(bury=(5, 6), explore=1.0, newcomers=1.0)
    lasts = {make_slate(policy, ids, ids, 4, rng, is_new=ids == 6).candidate_indices[-1] for _ in range(500)}
    assert lasts == {4, 7}


def test_exploration_is_as_probable_as_it_says() -> None:
    ids, counts, size = np.arange(8), Counter[int](), 4
    propensities: dict[int, float] = {}
    rng = Random(5)
    for _ in range(20_000):
        made = make_slate(Policy(explore=0.4), ids, ids, size, rng)
        assert made.candidate_indices[:3] == [0, 1, 2]
        counts[made.candidate_indices[3]] += 1
        propensities[made.candidate_indices[3]] = made.propensities[3]
    assert sum(propensities.values()) == pytest.approx(1)
    for index, propensity in propensities.items():
        assert counts[index] / 20_000 == pytest.approx(propensity, abs=0.015)
    assert make_slate(Policy(explore=1.0), ids, ids, 8, rng).candidate_indices == list(
        range(8)
    )  # nothing is left to try


def test_new_items_get_the_last_place_as_often_as_the_policy_says() -> None:
    ids, counts = np.arange(8), Counter[str]()
    propensities: dict[int, float] = {}
    rng = Random(5)
    for _ in range(20_000):
        made = make_slate(Policy(newcomers=0.3, explore=0.5), ids, ids, 4, rng, is_new=np.isin(ids, (1, 5, 7)))
        counts[(made.rules.get(made.candidate_indices[3]) or ["best"])[0]] += 1
        propensities[made.candidate_indices[3]] = made.propensities[3]
    assert propensities == pytest.approx({5: 0.15, 7: 0.15, 4: 0.35 / 2, 6: 0.35 / 2, 3: 0.35})
    for rule, share in (("new", 0.3), ("explored", 0.35), ("best", 0.35)):
        assert counts[rule] / 20_000 == pytest.approx(share, abs=0.015)


def test_two_orders_are_interleaved_fairly() -> None:
    rng, firsts = Random(3), Counter[str]()
    for _ in range(2_000):
        candidate_indices, teams = team_draft([[0, 1, 2, 3], [3, 2, 1, 0]], ["a", "b"], 3, rng)
        assert len(candidate_indices) == 3
        assert teams[candidate_indices[0]] != teams[candidate_indices[1]]
        firsts[teams[candidate_indices[0]]] += 1
        assert candidate_indices[0] == (0 if teams[candidate_indices[0]] == "a" else 3)
    assert firsts["a"] / 2_000 == pytest.approx(0.5, abs=0.05)
    assert team_draft([[0], [0]], ["a", "b"], 3, rng)[0] == [0]


def test_ranks_are_blended_by_weight() -> None:
    ids = np.arange(3)
    one, other = np.array([0.9, 0.5, 0.1]), np.array([-300.0, 5.0, 900.0])
    assert rank_shares(ids, [one, other], (1, 1)).tolist() == pytest.approx([2 / 3] * 3)
    assert by_score(ids, rank_shares(ids, [one, other], (1, 3))).tolist() == [2, 1, 0]
    assert rank_shares(ids[:0], [one[:0], other[:0]], (1, 1)).tolist() == []
