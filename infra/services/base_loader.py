"""Loads a base into Redis with the same fenced writes as the stream's, so repeating it, or running it beside the stream, is
safe."""

import time

import redis

from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import NodesPipeline, RedisNodes
from features.errors import Unavailable
from features.fold.co_visits import encode_neighbours
from features.fold.state import decode_item, decode_user
from features.fold.user import thaw_stored
from features.keys import hidden_key, item_key, pairs_key, seen_key, user_key
from features.store.loaded_marks import loaded_keys
from features.store.redis_scripts import REPLACE, WRITE_ITEM, WRITE_USER, item_arguments, user_arguments

BATCH = 500
TIMEOUT = 30.0
KEYS_A_SECOND = 20_000
"""Rate limit, so that requests and the stream that Redis serves meanwhile wait for one batch, not for the whole load."""


class Pace:
    """Sends a pipeline's commands at a limited rate."""

    def __init__(self, pipe: NodesPipeline) -> None:
        self._pipe = pipe
        self._due = time.monotonic()

    def send(self) -> int:
        """Send the pipeline's writes; returns how many were accepted."""
        answers = self._pipe.execute()
        self._due = max(self._due, time.monotonic() - 1) + len(answers) / KEYS_A_SECOND
        time.sleep(max(0.0, self._due - time.monotonic()))
        return sum(answers)


def load_base(base: Base, address: RedisAddress, generation: int) -> tuple[int, int]:
    """Write every user and item of the base; returns how many of each were news (what had as new a state does not count)."""
    try:
        with RedisNodes(address, TIMEOUT) as nodes:
            users, items = _load(base, nodes.pipeline(), generation)
            _mark_loaded(nodes, address.cluster, generation)
        return users, items
    except redis.RedisError as error:
        raise Unavailable(f"the base could not be loaded into Redis: {error}") from error


def _load(base: Base, pipe: NodesPipeline, generation: int) -> tuple[int, int]:
    users = items = 0
    pace = Pace(pipe)
    for count, (user_id, stored) in enumerate(base.users(), start=1):
        hidden = {item: until for item, _, until in thaw_stored(stored).seen.items()}
        offset = base.offset_of(decode_user(stored.features).user_id)
        arguments = user_arguments(generation, offset, 0, stored.features, REPLACE, hidden)
        pipe.add_script(WRITE_USER, [user_key(user_id), seen_key(user_id), hidden_key(user_id)], arguments)
        if count % BATCH == 0:
            users += pace.send()
    users += pace.send()
    for count, (item_id, value) in enumerate(base.all_item_features(), start=1):
        arguments = item_arguments(generation, decode_item(value).n, 0, value)
        pipe.add_script(WRITE_ITEM, [item_key(item_id)], arguments)
        if count % BATCH == 0:
            items += pace.send()
    items += pace.send()
    for count, (item_id, pairs) in enumerate(base.all_pairs(), start=1):
        arguments = item_arguments(generation, pairs.n, 0, encode_neighbours(pairs.neighbours()))
        pipe.add_script(WRITE_ITEM, [pairs_key(item_id)], arguments)
        if count % BATCH == 0:
            pace.send()
    pace.send()
    return users, items


def _mark_loaded(nodes: RedisNodes, cluster: bool, generation: int) -> None:
    pipe = nodes.pipeline()
    pace = Pace(pipe)
    for count, key in enumerate(loaded_keys(cluster), start=1):
        pipe.add("set", key, generation)
        if count % BATCH == 0:
            pace.send()
    pace.send()
