"""Names that more than one part must agree on: Redis keys and their fields, Kafka topics, the partition of a user."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

EVENTS: Final = "events"
REJECTED: Final = "events.rejected"
SERVED: Final = "served"
SHOWN: Final = "shown"
SAMPLES: Final = "samples"
SCORES: Final = "scores"
ITEMS: Final = "items"
DEFAULT_PARTITIONS: Final = 8
"""Of each topic of users, in a home that does not say otherwise; homes from before that could be said have as many."""
MAX_PARTITIONS: Final = 256

# The fields of a user's or an item's hash. (generation, n) is the fence: a write replaces only what is older
# (features/store/redis_scripts.py).
GENERATION, N, VALUE = "g", "n", "v"
BROKER_TS, APPLIED_TS = "b", "a"
"""When the broker took the newest event folded in, and when its features became readable (ms, wall time)."""

LOADED_KEY: Final = "loaded"
"""The generation whose base Redis holds completely; missing while it is empty, or being loaded. In a cluster each slot has one
(`features.store.loaded_marks`)."""
CLOCK_KEY: Final = "clock:offset"
"""How far the time in the data is ahead of wall time (ms, mostly below 0), as the newest mark of replays says."""
HOME_KEY: Final = "home"
"""The id of the home whose features an attached Redis holds."""
ITEMS_STREAM: Final = "changed:items"
"""Redis stream of the keys of items and pairs that have changed, under CHANGED_KEYS, separated by commas. It keeps about the
newest ITEMS_RETAINED entries, a batch of the job each, so that who was away for a moment reads what changed meanwhile."""
CHANGED_KEYS: Final = "k"
ITEMS_RETAINED: Final = 1024


SHOWN_LISTS_KEY, SHOWN_ORDER_KEY, SHOWN_ACTS_KEY = "{shown}:lists", "{shown}:order", "{shown}:acts"
"""The newest lists of experiments, the order in which they were shown, and by which acts they count
(`online.stores.experiment_lists`)."""


def limit_key(caller: str) -> str:
    """A caller's token bucket (`online.access.rate_limits`), which goes by itself once it is full again."""
    return f"limit:{caller}"


def user_key(user_id: int) -> str:
    """A user's hash. All keys of a user share the tag {u:ID}, so that one script may change them together."""
    return f"{{u:{user_id}}}"


def user_of(key: str) -> int:
    """The user of a `user_key`."""
    return int(key[3:-1])


def seen_key(user_id: int) -> str:
    """The set of items that are hidden from a user for good."""
    return f"{{u:{user_id}}}:seen"


def hidden_key(user_id: int) -> str:
    """The sorted set of items that are hidden from a user for a time: by the event time until when, ms."""
    return f"{{u:{user_id}}}:hidden"


def item_key(item_id: int) -> str:
    return f"i:{item_id}"


def pairs_key(item_id: int) -> str:
    """An item's neighbours by co-visitation."""
    return f"p:{item_id}"


ITEM_KEYS: Final = "i:*"
"""Pattern that matches every `item_key` and nothing else in a home's Redis; PAIRS_KEYS the same of `pairs_key`."""
PAIRS_KEYS: Final = "p:*"
_OF_ITEMS: Final = ("i:", "p:")


def is_of_item(key: str) -> bool:
    """Whether it is an `item_key` or a `pairs_key`."""
    return key.startswith(_OF_ITEMS)


def item_of(key: str) -> int | None:
    """The item of an `item_key`; None of any other key.

    >>> item_of(item_key(7)), item_of(pairs_key(7))
    (7, None)
    """
    return int(key[2:]) if key.startswith("i:") else None


def item_of_pairs(key: str) -> int | None:
    """The item of a `pairs_key`; None of any other key."""
    return int(key[2:]) if key.startswith("p:") else None


def user_channel(user_id: int) -> str:
    """Redis channel on which a user's new n is published."""
    return f"u:{user_id}"


def murmur2(data: bytes) -> int:
    """Kafka's murmur2, unsigned 32 bits (Austin Appleby's hash with Kafka's seed)."""
    length, mask = len(data), 0xFFFFFFFF
    h = 0x9747B28C ^ length
    for start in range(0, length - 3, 4):
        k = int.from_bytes(data[start : start + 4], "little") * 0x5BD1E995 & mask
        h = (h * 0x5BD1E995 & mask) ^ ((k ^ (k >> 24)) * 0x5BD1E995 & mask)
    tail = data[length & ~3 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * 0x5BD1E995 & mask
    h = (h ^ (h >> 13)) * 0x5BD1E995 & mask
    return h ^ (h >> 15)


@lru_cache(maxsize=MAX_PARTITIONS)
def partitioner(partitions: int) -> Callable[[int | str], int]:
    """Returns `partition_of` for so many partitions, to be held by who calls it for each record. It remembers users."""

    @lru_cache(maxsize=1 << 16)
    def of_user(user: int | str) -> int:
        return (murmur2(str(user).encode()) & 0x7FFFFFFF) % partitions

    return of_user


def partition_of(user: int | str, partitions: int) -> int:
    """The partition, of so many, of all records of a user, by the user's id outside: the one that Kafka's own clients choose."""
    return partitioner(partitions)(user)
