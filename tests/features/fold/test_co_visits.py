"""Live co-visitation: the same whatever order co-visits come in, bounded, and what a plain reference says."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from features.fold.co_visits import NEIGHBOURS, SLOTS, Neighbours, Pairs, decode_neighbours, encode_neighbours, slots_of
from features.fold.decay import HALF_LIVES, decay, lifted
from features.types import LIKE
from features.units import DAY_MS
from tests.features.strategies import co_visits
from tests.schemas import added

ONE = 1 << 16
HALF_LIFE = HALF_LIVES[-1]
Visit = tuple[int, int, int]
"""(ts, key, other): what tells one co-visit from another."""

undos = st.sets(st.integers(0, 59), max_size=20)


def acts_of(history: list[Visit], undone: set[int], rng: random.Random) -> list[tuple[Visit, int]]:
    """Every co-visit added, some taken back after they were, all in a random order."""
    acts = [(visit, 1) for visit in history] + [(history[at], -1) for at in sorted(undone) if at < len(history)]
    rng.shuffle(acts)
    met: set[Visit] = set()
    ordered = []
    for visit, _ in acts:  # of the two acts of one co-visit, the first to come is the adding
        ordered.append((visit, -1 if visit in met else 1))
        met.add(visit)
    return ordered


def fold(acts: list[tuple[Visit, int]], limit: int = SLOTS) -> Pairs:
    pairs = Pairs(9, limit=limit)
    for (ts, key, other), sign in acts:
        pairs.fold(ts, key, other, sign)
    return pairs


def reference(acts: list[tuple[Visit, int]], limit: int) -> Neighbours:
    kept = sorted({visit for visit, sign in acts if sign > 0})[-limit:]
    undone = {visit for visit, sign in acts if sign < 0}
    newest = max((ts for ts, _, _ in kept), default=0)
    weights: Counter[int] = Counter()
    last = newest // HALF_LIFE
    for visit in kept:
        if visit not in undone:
            epoch, weight = lifted(visit[0], HALF_LIFE)
            weights[visit[2]] += weight >> (last - epoch)
    best = sorted((+weights).items(), key=lambda pair: (-pair[1], pair[0]))[:NEIGHBOURS]
    return Neighbours(
        9, len(acts), newest, [(other, decay(each, newest % HALF_LIFE, HALF_LIFE)) for other, each in best]
    )


@given(co_visits(), undos, st.sampled_from([1, 3, 8, SLOTS]), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_and_what_the_reference_says(
    history: list[Visit], undone: set[int], limit: int, rng: random.Random
) -> None:
    one, other = acts_of(history, undone, rng), acts_of(history, undone, rng)
    first, second = fold(one, limit), fold(other, limit)
    assert first.encode() == second.encode()
    assert first.neighbours() == second.neighbours() == reference(one, limit)
    assert len(first) <= limit


@given(co_visits(), undos, st.integers(0, 80), st.randoms(use_true_random=False))
def test_stopping_anywhere_and_going_on_from_the_stored_state_changes_nothing(
    history: list[Visit], undone: set[int], stop: int, rng: random.Random
) -> None:
    acts = acts_of(history, undone, rng)
    pairs = Pairs.decode(9, fold(acts[:stop]).encode())
    for (ts, key, other), sign in acts[stop:]:
        pairs.fold(ts, key, other, sign)
    assert pairs.encode() == fold(acts).encode()


def test_what_is_taken_back_keeps_its_slot() -> None:
    """Else what it had pushed out would be missing, or not, depending on the order."""
    acts = [((ts, 0, ts), 1) for ts in (1, 2, 3)] + [((3, 0, 3), -1)]
    pairs = fold(acts, limit=2)
    assert len(pairs) == 2
    assert [other for other, _ in pairs.neighbours().top] == [2]
    assert pairs.neighbours().ts == 3
    assert pairs.n == 4
    pairs.fold(3, 0, 3, -1)  # taking back what is taken back, or not kept, changes nothing but the count
    pairs.fold(1, 0, 1, -1)
    assert pairs.neighbours() == Neighbours(9, 6, 3, pairs.neighbours().top)
    assert [other for other, _ in pairs.neighbours().top] == [2]


def test_the_newest_are_kept_and_the_stored_forms_are_bounded() -> None:
    """As large as can be: ids and times of many digits, more co-visits than slots."""
    top = 2**63 - 1
    acts = [((4_000_000_000_000 + at, top - at, top - at), 1) for at in range(3 * SLOTS)]
    random.Random(3).shuffle(acts)
    pairs = fold(acts)
    assert len(pairs) == SLOTS
    assert len(pairs.encode()) <= 5_300
    neighbours = pairs.neighbours()
    assert (len(neighbours.top), neighbours.n) == (NEIGHBOURS, 3 * SLOTS)
    assert neighbours.ts == 4_000_000_000_000 + 3 * SLOTS - 1
    assert len(encode_neighbours(neighbours)) <= 400
    assert decode_neighbours(encode_neighbours(neighbours)) == neighbours


def test_weights_halve_in_a_fortnight_and_equal_ones_are_ordered_by_id() -> None:
    old, new = 100 * DAY_MS, 114 * DAY_MS
    pairs = fold([((old, 1, 5), 1), ((new, 2, 4), 1), ((new, 3, 2), 1)])
    assert pairs.neighbours() == Neighbours(9, 3, new, [(2, ONE), (4, ONE), (5, ONE // 2)])


def test_nothing_is_an_answer_too() -> None:
    assert Pairs(9).neighbours() == Neighbours(9)
    assert Pairs.decode(9, Pairs(9).encode()).encode() == Pairs(9).encode()


def test_a_contribution_meets_each_partner_from_both_sides() -> None:
    contribution = added(3, 1000, LIKE, 0, -1, -7, (4, 5))
    assert list(slots_of(contribution)) == [
        (3, 1000, -7, 4, -1),
        (4, 1000, -7, 3, -1),
        (3, 1000, -7, 5, -1),
        (5, 1000, -7, 3, -1),
    ]
    assert list(slots_of(added(3, 1000, LIKE, 0, 1))) == []


def test_a_co_visit_that_comes_twice_is_one() -> None:
    """Two users may send one event id at one time; and one user may like the same again after being forgotten."""
    twice = [((1, 7, 5), 1), ((1, 7, 5), 1)]
    acts = [*twice, ((2, 8, 5), 1), ((3, 9, 5), 1), ((4, 10, 5), 1)]
    assert fold(acts, limit=2).neighbours() == reference(acts, 2)
