"""Loads a base into Redis with the same fenced writes as the stream's, so repeating it, or running it beside the stream, is
safe."""

import time

import redis

from features.base.reader import Base
from features.errors import Unavailable
from features.fold.co_visits import encode_neighbours
from features.fold.state import decode_item, decode_user
from features.fold.user import thaw_stored
from features.keys import LOADED_KEY, hidden_key, item_key, pairs_key, seen_key, user_key
from features.store.redis_scripts import REPLACE, WRITE_ITEM, WRITE_USER, item_arguments, user_arguments

BATCH = 500
KEYS_A_SECOND = 20_000
"""Rate limit, so that requests and the stream that Redis serves meanwhile wait for one batch, not for the whole load."""


class Pace:
    """Sends a pipeline's commands at a limited rate."""

    def __init__(self, pipe: redis.client.Pipeline) -> None:
        self._pipe = pipe
        self._due = time.monotonic()

    def send(self) -> int:
        """Send the pipeline's writes; returns how many were accepted."""
        answers = self._pipe.execute()
        self._due = max(self._due, time.monotonic() - 1) + len(answers) / KEYS_A_SECOND
        time.sleep(max(0.0, self._due - time.monotonic()))
        return sum(answers)


def loaded_generation(port: int) -> int | None:
    """Returns the generation whose base Redis holds completely; None if it is empty or was never loaded to the end."""
    client = redis.Redis(port=port, socket_timeout=10)
    try:
        value = client.get(LOADED_KEY)
        return None if value is None else int(value)
    except redis.RedisError as error:
        raise Unavailable(f"Redis could not be asked: {error}") from error
    finally:
        client.close()


def load_base(base: Base, port: int, generation: int) -> tuple[int, int]:
    """Write every user and item of the base; returns how many of each were written (keys that were newer already don't count)."""
    client = redis.Redis(port=port, socket_timeout=30)
    try:
        write_user, write_item = client.register_script(WRITE_USER), client.register_script(WRITE_ITEM)
        users = items = 0
        pipe = client.pipeline(transaction=False)
        pace = Pace(pipe)
        for count, (user_id, stored) in enumerate(base.users(), start=1):
            hidden = {item: until for item, _, until in thaw_stored(stored).seen.items()}
            offset = base.offset_of(decode_user(stored.features).user_id)
            arguments = user_arguments(generation, offset, 0, stored.features, REPLACE, hidden)
            write_user(keys=[user_key(user_id), seen_key(user_id), hidden_key(user_id)], args=arguments, client=pipe)
            if count % BATCH == 0:
                users += pace.send()
        users += pace.send()
        for count, (item_id, value) in enumerate(base.all_item_features(), start=1):
            arguments = item_arguments(generation, decode_item(value).n, 0, value)
            write_item(keys=[item_key(item_id)], args=arguments, client=pipe)
            if count % BATCH == 0:
                items += pace.send()
        items += pace.send()
        for count, (item_id, pairs) in enumerate(base.all_pairs(), start=1):
            arguments = item_arguments(generation, pairs.n, 0, encode_neighbours(pairs.neighbours()))
            write_item(keys=[pairs_key(item_id)], args=arguments, client=pipe)
            if count % BATCH == 0:
                pace.send()
        pace.send()
        client.set(LOADED_KEY, generation)
        return users, items
    except redis.RedisError as error:
        raise Unavailable(f"the base could not be loaded into Redis: {error}") from error
    finally:
        client.close()
