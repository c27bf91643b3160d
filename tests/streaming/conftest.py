"""A base on disk and a Redis for the job's operators."""

from collections.abc import Iterator

import pytest

from features.base.reader import Base
from tests.online.conftest import write_base
from tests.redis_process import RedisProcess, redis_process


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """40 films, and a user, 7, who has liked two of them."""
    return write_base(tmp_path_factory.mktemp("bases") / "1")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    with redis_process(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisProcess) -> RedisProcess:
    """An empty Redis."""
    redis_server.client.flushall()
    return redis_server
