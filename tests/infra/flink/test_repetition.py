"""A request to write again what Redis lost, as the keeper follows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from features.store.repeat_requests import REPEAT_KEY, REQUEST_FIELD, TTL_S, Reply, decode_request
from infra.flink.repetition import CLOCKS_DIFFER, PATIENCE, Loss, Repetition
from infra.services.redis_instance import Instance, Instances
from tests.redis_process import redis_process

WRITERS = ("users:0", "items:0")


def loss(since: float, run_id: str = "a") -> Loss:
    return Loss(since, Instances(since + 5, (Instance(run_id, f"history of {run_id}", 1),)))


class Followed:
    """A request, the Redis in which it lies, and time."""

    def __init__(self, port: int, client: redis.Redis) -> None:
        self.client = client
        self.now = 0.0
        self.repetition = Repetition(RedisAddress("127.0.0.1", port), lambda: WRITERS, lambda: self.now)

    @property
    def request(self) -> str:
        found = decode_request(self.client.hget(REPEAT_KEY, REQUEST_FIELD))
        assert found is not None
        return found.id

    def reply(self, writer: str, is_done: bool) -> None:
        self.client.hset(REPEAT_KEY, writer, Reply(self.request, is_done).encode())


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    with redis_process(tmp_path) as server:
        each = Followed(server.port, server.client)
        yield each
        each.repetition.close()


def test_all_writers_must_have_written_again(followed: Followed) -> None:
    assert followed.repetition.poll(loss(1000.0)) is None
    request = decode_request(followed.client.hget(REPEAT_KEY, REQUEST_FIELD))
    assert request is not None
    assert request.since_ms == 1000 * (1000 - CLOCKS_DIFFER)
    assert 0 < int(followed.client.ttl(REPEAT_KEY)) <= TTL_S
    followed.reply("users:0", is_done=True)
    assert followed.repetition.poll(loss(1000.0)) is None
    followed.reply("items:0", is_done=True)
    assert followed.repetition.poll(loss(1000.0)) is True
    assert followed.repetition.loss == loss(1000.0)
    followed.repetition.end()
    assert followed.repetition.loss is None


def test_one_that_can_not_decides_at_once(followed: Followed) -> None:
    followed.repetition.poll(loss(1000.0))
    followed.reply("items:0", is_done=False)
    assert followed.repetition.poll(loss(1000.0)) is False


def test_one_that_does_not_reply_is_not_awaited_for_long(followed: Followed) -> None:
    followed.repetition.poll(loss(1000.0))
    followed.reply("users:0", is_done=True)
    followed.now = PATIENCE - 0.1
    assert followed.repetition.poll(loss(1000.0)) is None
    followed.now = PATIENCE
    assert followed.repetition.poll(loss(1000.0)) is False


def test_servers_that_are_others_again_are_written_to_anew(followed: Followed) -> None:
    """What was written to those before may be lost with them."""
    followed.repetition.poll(loss(1000.0))
    before = followed.request
    for writer in WRITERS:
        followed.reply(writer, is_done=True)
    assert followed.repetition.poll(loss(1000.0, "b")) is None
    assert followed.request != before
    for writer in WRITERS:
        followed.client.hset(REPEAT_KEY, writer, Reply(before, is_done=True).encode())
    assert followed.repetition.poll(loss(1000.0, "b")) is None, "these replies were to the one before"


def test_a_redis_that_is_away_is_told(followed: Followed) -> None:
    followed.repetition.poll(loss(1000.0))
    followed.client.shutdown(nosave=True)
    with pytest.raises(Unavailable, match="Redis does not answer"):
        followed.repetition.poll(loss(1000.0))
