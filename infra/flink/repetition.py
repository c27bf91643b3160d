"""Has the running job write again what Redis lost (`features.store.repeat_requests`), which takes a second or two and disturbs
nobody; a new start of the job from a checkpoint before the loss takes several."""

import secrets
import time
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

import msgspec
import redis

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.errors import Unavailable
from features.store.repeat_requests import (
    REPEAT_KEY,
    REQUEST_FIELD,
    TTL_S,
    RepeatRequest,
    decode_replies,
)
from infra.services.redis_instance import Instances

TIMEOUT: Final = 1.0
PATIENCE: Final = 8.0
"""Seconds that all writers together may take to reply."""
CLOCKS_DIFFER: Final = 1.0
"""Seconds by which clocks of machines may differ."""


class Loss(NamedTuple):
    """since: wall time, s, from which on acknowledged writes may be lost; instances: the servers that lack them."""

    since: float
    instances: Instances


class Repetition:
    """What Redis lost, from when that is found until it has been written again.

    writers  returns the names of all who are to reply
    now      returns monotonic time, s
    loss     what is being written again now
    """

    def __init__(
        self, address: RedisAddress, writers: Callable[[], Collection[str]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.loss: Loss | None = None
        self._nodes = RedisNodes(address, TIMEOUT)
        self._writers = writers
        self._now = now
        self._id = ""
        self._until = 0.0

    def poll(self, loss: Loss) -> bool | None:
        """Request it, unless that has been done for the same servers; returns whether all of it has been written again: None: not
        yet, False: nobody can, or knows in time. To be called repeatedly. Raises Unavailable while Redis does not answer."""
        try:
            if self.loss is None or not _are_same(self.loss.instances, loss.instances):
                self._request(loss)
                return None
            return self._is_done()
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error

    def end(self) -> None:
        """Take it that nothing is lost any more."""
        self.loss = None

    def close(self) -> None:
        self._nodes.close()

    def _request(self, loss: Loss) -> None:
        name = secrets.token_hex(8)
        request = RepeatRequest(name, int(1000 * (loss.since - CLOCKS_DIFFER)))
        pipe = self._nodes.pipeline()
        pipe.add("delete", REPEAT_KEY)
        pipe.add("hset", REPEAT_KEY, REQUEST_FIELD, msgspec.json.encode(request))
        pipe.add("expire", REPEAT_KEY, TTL_S)
        pipe.execute()
        self.loss, self._id, self._until = loss, name, self._now() + PATIENCE

    def _is_done(self) -> bool | None:
        found = decode_replies(self._nodes.call("hgetall", REPEAT_KEY))
        replies = [found.get(name) for name in self._writers()]
        own = [reply for reply in replies if reply is not None and reply.request == self._id]
        if not all(reply.is_done for reply in own):
            return False
        if len(own) == len(replies):
            return True
        return None if self._now() < self._until else False


def _are_same(one: Instances, other: Instances) -> bool:
    return {(each.run_id, each.history) for each in one.servers} == {
        (each.run_id, each.history) for each in other.servers
    }
