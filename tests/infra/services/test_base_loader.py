"""A base goes into Redis no faster than it should."""

import time
from pathlib import Path

from infra.services import base_loader
from infra.services.base_loader import Pace
from tests.redis_process import redis_process


def test_writes_are_counted_and_take_their_time(tmp_path: Path) -> None:
    with redis_process(tmp_path) as server:
        pipe = server.client.pipeline(transaction=False)
        pace = Pace(pipe)
        began = time.monotonic()
        for _ in range(4):
            for number in range(1000):
                pipe.sadd("all", number)
            written = pace.send()
        assert written == 0  # they were there already, all but the first time
        assert time.monotonic() - began >= 4000 / base_loader.KEYS_A_SECOND
        assert server.client.scard("all") == 1000
