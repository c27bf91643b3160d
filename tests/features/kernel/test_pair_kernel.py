"""The kernel of co-visits gives the bytes of the specification: whatever comes, in any order, taken back, stored and read."""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import IntArray
from features.errors import Broken
from features.fold.co_visits import SLOTS, Pairs, StoredPairs, encode_neighbours
from features.fold.decay import HALF_LIVES
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.row_index import NOT_FOUND
from features.types import Slot
from tests.features.kernel.both_folds import uncompiled

ITEMS = 3
START = 100 * HALF_LIVES[-1] - 5

numbers = st.one_of(st.integers(-2, 30), st.integers(-(1 << 63), (1 << 63) - 1))
times = st.one_of(st.integers(START, START + 10), st.integers(0, 1 << 45))
weights = st.sampled_from([1, 128, 256, (1 << 16) - 1])
added: st.SearchStrategy[Slot] = st.tuples(st.integers(0, ITEMS - 1), times, numbers, numbers, weights)


@st.composite
def slots(draw: st.DrawFn) -> list[Slot]:
    """Co-visits of few items; of some that came before one comes again or is taken back."""
    found: list[Slot] = []
    for slot in draw(st.lists(added, max_size=60)):
        found.append(slot)
        if draw(st.integers(0, 2)) == 0:
            item_id, ts, key, other, weight = draw(st.sampled_from(found))
            found.append((item_id, ts, key, other, draw(st.sampled_from([-weight, -weight, weight]))))
    return found


def by_specification(log: Iterable[Slot], limit: int) -> list[tuple[bytes, bytes]]:
    """State and neighbours of each item."""
    items = [Pairs(item_id, limit=limit) for item_id in range(ITEMS)]
    for item_id, ts, key, other, weight in log:
        items[item_id].fold(ts, key, other, weight)
    return [(pairs.encode(), encode_neighbours(pairs.neighbours())) for pairs in items]


def by_kernel(log: list[Slot], limit: int, size: int) -> list[tuple[bytes, bytes]]:
    """The same, with `size` slots a call; before each call the items go to other rows, by way of their stored form."""
    kernel = PairKernel(limit)
    for item_id in range(ITEMS):
        kernel.add(item_id, None)
    for start in range(0, len(log), size):
        some = np.array(log[start : start + size], np.int64)
        kernel.fold(kernel.table.find(some[:, 0]), some)
        stored = list(kernel.states(every_item(kernel)))
        kernel.table.shrink(0)
        for item_id in np.random.default_rng(start).permutation(ITEMS).tolist():
            kernel.add(item_id, stored[item_id])
    rows = every_item(kernel)
    assert kernel.ns(rows).tolist() == [sum(slot[0] == item_id for slot in log) for item_id in range(ITEMS)]
    return list(zip(kernel.states(rows), kernel.neighbours(rows), strict=True))


def every_item(kernel: PairKernel, items: int = ITEMS) -> IntArray:
    """The rows of all items."""
    rows = kernel.table.find(np.arange(items))
    assert NOT_FOUND not in rows
    return rows


@given(slots(), st.sampled_from([1, 2, 5, SLOTS]), st.integers(1, 40))
def test_the_same_pairs(log: list[Slot], limit: int, size: int) -> None:
    assert by_kernel(log, limit, size) == by_specification(log, limit)


def long_log() -> list[Slot]:
    """More co-visits of each item than it keeps, with more other items than it shows; every fifth is taken back."""
    log: list[Slot] = []
    for number in range(3 * ITEMS * SLOTS):
        slot = (number % ITEMS, START + 40_000_000 * number, number * 0x9E3779B97F4A7C15 % (1 << 63), number % 40, 256)
        log.append(slot)
        if number % 5 == 0:
            log.append((*slot[:4], -256))
    return log


def digest_of_long_log() -> str:
    return blake2b(repr(by_kernel(long_log(), SLOTS, 100)).encode(), digest_size=12).hexdigest()


def test_the_same_pairs_beyond_what_an_item_keeps() -> None:
    assert by_kernel(long_log(), SLOTS, 100) == by_specification(long_log(), SLOTS)


def test_uncompiled_it_gives_the_same_pairs() -> None:
    assert uncompiled("test_pair_kernel", "digest_of_long_log()") == digest_of_long_log()


def test_more_items_than_there_was_room_for() -> None:
    kernel = PairKernel(limit=2)
    for item_id in range(1000):
        kernel.add(item_id, None)
    rows = every_item(kernel, 1000)
    kernel.fold(rows, np.array([(item_id, 1, 2, 3, 256) for item_id in range(1000)], np.int64))
    expected = Pairs(999, limit=2)
    expected.fold(1, 2, 3, 256)
    assert list(kernel.states(rows)) == [expected.encode()] * 1000
    assert list(kernel.neighbours(rows))[-1] == encode_neighbours(expected.neighbours())


@pytest.mark.parametrize("stored", [StoredPairs(1, b"1" * 25, b"\0"), StoredPairs(3, b"1" * 78, bytes(3))])
def test_what_is_cut_or_more_than_an_item_keeps_is_refused(stored: StoredPairs) -> None:
    with pytest.raises(Broken, match="co-visits of item 7"):
        PairKernel(limit=2).add(7, msgspec.msgpack.encode(stored))
