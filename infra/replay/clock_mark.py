"""A replay's marks: they move the home's clock on to the time of the rows that are sent, as no single event does."""

import time
from contextlib import suppress

import redis

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.keys import CLOCK_KEY
from features.store.redis_scripts import ADVANCE_CLOCK
from features.types import Millis
from infra.home.paths import Home, read_json

TIMEOUT = 1.0
OFFSET = "clock_offset"
"""Where data/replay.json has the newest mark, so that a Redis that has lost it gets it again."""


def offset_of(ts: Millis) -> int:
    """Returns the mark of a time in the data: how far it is ahead of wall time now, ms."""
    return ts - time.time_ns() // 1_000_000


def put_mark(address: RedisAddress, offset: int) -> None:
    """Move the home's clock on to a mark, never back. A Redis that is away is left alone: the next mark follows."""
    with suppress(redis.RedisError), RedisNodes(address, TIMEOUT) as nodes:
        pipe = nodes.pipeline()
        pipe.add_script(ADVANCE_CLOCK, [CLOCK_KEY], [offset])
        pipe.execute()


def restore_mark(home: Home, address: RedisAddress) -> None:
    """Put the newest mark of the home's replays into a Redis that was loaded anew."""
    offset = (read_json(home.data / "replay.json", sync=False) or {}).get(OFFSET)
    if offset is not None:
        put_mark(address, int(offset))
