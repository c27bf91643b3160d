"""The marks of replays: the largest counts, what Redis has lost comes back, and a Redis that is away holds nothing up."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.engines.redis_address import RedisAddress
from features.keys import CLOCK_KEY
from infra.home.paths import Home
from infra.replay.clock_mark import OFFSET, put_mark, restore_mark
from tests.redis_process import RedisProcess, redis_process


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    with redis_process(tmp_path_factory.mktemp("redis")) as server:
        yield server


def test_the_largest_mark_counts(redis_server: RedisProcess) -> None:
    for offset in (-500, -900, -300):
        put_mark(RedisAddress("127.0.0.1", redis_server.port), offset)
    assert redis_server.client.get(CLOCK_KEY) == b"-300"


def test_what_redis_has_lost_comes_back_from_the_home(redis_server: RedisProcess, tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    redis_server.client.flushall()
    restore_mark(home, RedisAddress("127.0.0.1", redis_server.port))
    assert redis_server.client.get(CLOCK_KEY) is None
    (home.data / "replay.json").write_text(json.dumps({OFFSET: -42}))
    restore_mark(home, RedisAddress("127.0.0.1", redis_server.port))
    assert redis_server.client.get(CLOCK_KEY) == b"-42"


def test_a_redis_that_is_away_is_left_alone() -> None:
    put_mark(RedisAddress("127.0.0.1", 1), -7)
