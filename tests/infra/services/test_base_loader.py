"""A base goes into Redis no faster than it should."""

import time
from pathlib import Path

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from infra.services import base_loader
from infra.services.base_loader import Pace
from tests.redis_process import redis_process


def test_writes_are_counted_and_take_their_time(tmp_path: Path) -> None:
    with redis_process(tmp_path) as server, RedisNodes(RedisAddress("127.0.0.1", server.port), 5) as nodes:
        pipe = nodes.pipeline()
        pace = Pace(pipe)
        began = time.monotonic()
        for _ in range(4):
            for number in range(1000):
                pipe.add("sadd", "all", number)
            written = pace.send()
        assert written == 0  # they were there already, all but the first time
        assert time.monotonic() - began >= 4000 / base_loader.KEYS_A_SECOND
        assert server.client.scard("all") == 1000
