"""Shown lists as impressions of their items: each list once, whatever comes twice or late.

Decided in the order of the user's partition of `served` alone, so that it does not depend on how the two topics interleave.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from features.contracts.events import id_hash
from features.contracts.served import ServedHead
from features.fold.dedupe import Applied, DedupeMemory
from features.types import IMPRESSION, Contribution, Impressions, ItemId, Millis
from features.units import DAY_MS
from features.verdicts import APPLIED, DUPLICATE, LATE

LISTS_REMEMBERED: Final = 256
"""Dedupe window of a user's lists: the newest by (ts, hash of request_id)."""


def list_memory(entries: list[tuple[int, int]]) -> DedupeMemory:
    """The memory of a user's lists, from its (id hash, ts)."""
    return DedupeMemory(((key, Applied(ts, -1, IMPRESSION, 0, False)) for key, ts in entries), limit=LISTS_REMEMBERED)


def admit_shown(memory: DedupeMemory, head: ServedHead) -> str:
    """The verdict on a list (see `features.verdicts`), which is remembered if it is applied."""
    key = id_hash(head.request_id)
    if memory.get(key) is not None:
        return DUPLICATE
    if memory.is_late(head.ts, key):
        return LATE
    memory.add(key, Applied(head.ts, -1, IMPRESSION, 0, False))
    return APPLIED


def fold_list(memory: DedupeMemory, head: ServedHead) -> tuple[str, list[Contribution]]:
    """The verdict on a list, as `admit_shown` gives it, and the impressions it adds, one by one."""
    verdict = admit_shown(memory, head)
    item_ids = head.item_ids if verdict == APPLIED else ()
    return verdict, [Contribution(item_id, head.ts, IMPRESSION, 0, 1) for item_id in item_ids]


def merge_impressions(lists: Iterable[tuple[Millis, Sequence[ItemId]]]) -> list[Impressions]:
    """The impressions of lists, (ts, the items shown) each, those of one item on one day together: what
    `features.fold.item.fold_impressions` takes."""
    days: dict[int, dict[ItemId, Impressions]] = {}
    for ts, item_ids in lists:
        of_day = days.setdefault(ts // DAY_MS, {})
        for item_id in item_ids:
            known = of_day.get(item_id)
            if known is None:
                of_day[item_id] = (item_id, 1, ts, ts)
            else:
                _, count, oldest, newest = known
                of_day[item_id] = (item_id, count + 1, min(ts, oldest), max(ts, newest))
    return [impressions for of_day in days.values() for impressions in of_day.values()]
