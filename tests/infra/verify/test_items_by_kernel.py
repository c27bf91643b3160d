"""Items folded by the kernel in bounded memory are those of the specification, whatever leaves it in between."""

import random
from typing import Any

import pytest

from features.fold.co_visits import Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, encode_features
from features.kernel.contribution_rows import rows_of
from features.types import CLICK, IMPRESSION, LIKE, RATING, Contribution
from features.units import DAY_MS
from infra.verify.items_by_kernel import ItemsByKernel
from tests.schemas import MOVIES, added

ITEMS = 60


class SmallBase:
    """A base that has something of one item."""

    schema = MOVIES

    def stored_item(self, item_id: int) -> bytes | None:
        return encode_features(ItemFeatures(item_id, n=3, first_ts=1, last_ts=5)) if item_id == 7 else None

    def stored_pairs(self, item_id: int) -> bytes | None:
        pairs = Pairs(item_id)
        pairs.fold(1, 2, 3, 256)
        return pairs.encode() if item_id == 7 else None


def contribution(rng: random.Random) -> Contribution:
    item_id = rng.randrange(-ITEMS // 2, ITEMS // 2)
    kind, ts = rng.choice([CLICK, LIKE, IMPRESSION, RATING]), rng.randrange(1, 100 * DAY_MS)
    partners = tuple(rng.sample(range(ITEMS), rng.randrange(4))) if kind == LIKE else ()
    made = added(item_id, ts, kind, 450, 1, rng.getrandbits(60), partners)
    return made._replace(item=f"sku{item_id}") if item_id < 0 else made


@pytest.mark.parametrize("at_once", [3, 1000])
@pytest.mark.parametrize("limit", [10, 1000])
def test_the_same_items(limit: int, at_once: int) -> None:
    rng, base = random.Random(limit), SmallBase()
    items, pairs = dict[int, ItemFeatures](), dict[int, Pairs]()
    given: Any = base
    by_kernel = ItemsByKernel(given, limit, at_once)
    for _ in range(200):
        batch = [contribution(rng) for _ in range(rng.randrange(8))]
        batch += [each._replace(sign=-1) for each in batch if rng.randrange(5) == 0]
        by_kernel.fold(rows_of(batch), {each.item_id: each.item for each in batch if each.item})
        for each in batch:
            if each.item_id not in items:
                items[each.item_id] = ItemFeatures(each.item_id)
                if each.item_id == 7:
                    items[7] = ItemFeatures(7, n=3, first_ts=1, last_ts=5)
            fold_item(items[each.item_id], each, MOVIES)
            for item_id, *slot in slots_of(each):
                if item_id not in pairs:
                    stored = base.stored_pairs(item_id)
                    pairs[item_id] = Pairs(item_id) if stored is None else Pairs.decode(item_id, stored)
                pairs[item_id].fold(*slot)
    assert {item_id: encode_features(each) for item_id, each in by_kernel.features().items()} == {
        item_id: encode_features(each) for item_id, each in items.items()
    }
    assert {item_id: each.encode() for item_id, each in by_kernel.pairs().items()} == {
        item_id: each.encode() for item_id, each in pairs.items()
    }


def test_many_contributions_at_once_leave_memory_as_they_would_one_by_one() -> None:
    given: Any = SmallBase()
    by_kernel = ItemsByKernel(given, limit=10, at_once=5)
    by_kernel.fold(rows_of([added(item_id, 1, CLICK, 0, 1, item_id, ()) for item_id in range(100, 200)]), {})
    assert len(by_kernel.item_rows.stored) >= 80
    assert len(by_kernel.features()) == 100
