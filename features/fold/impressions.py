"""Shown lists as impressions of their items: each list once, whatever comes twice or late.

Decided in the order of the user's partition of `served` alone, so that it does not depend on how the two topics interleave.
"""

from typing import Final

from features.contracts.events import id_hash
from features.contracts.served import ServedHead
from features.fold.dedupe import Applied, DedupeMemory
from features.types import IMPRESSION, Contribution
from features.verdicts import APPLIED, DUPLICATE, LATE

LISTS_REMEMBERED: Final = 256
"""Dedupe window of a user's lists: the newest by (ts, hash of request_id)."""


def list_memory(entries: list[tuple[int, int]]) -> DedupeMemory:
    """The memory of a user's lists, from its (id hash, ts)."""
    return DedupeMemory(((key, Applied(ts, -1, IMPRESSION, 0, False)) for key, ts in entries), limit=LISTS_REMEMBERED)


def fold_list(memory: DedupeMemory, head: ServedHead) -> tuple[str, list[Contribution]]:
    """The verdict on a list (see `features.verdicts`), and the impressions it adds."""
    key = id_hash(head.request_id)
    if memory.get(key) is not None:
        return DUPLICATE, []
    if memory.is_late(head.ts, key):
        return LATE, []
    memory.add(key, Applied(head.ts, -1, IMPRESSION, 0, False))
    return APPLIED, [Contribution(item_id, head.ts, IMPRESSION, 0, 1) for item_id in head.item_ids]
