"""A base on disk, a Redis and a bench for the job's operators."""

from collections.abc import Iterator

import pytest

from features.base.reader import Base
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import WALL
from tests.online.conftest import write_base
from tests.redis_process import RedisProcess, redis_process
from tests.streaming.bench import Bench
from tests.streaming.crashes import settings_of


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


@pytest.fixture
def bench(small_base: Base, redis: RedisProcess) -> Iterator[Bench]:
    time_source = ManualTime(WALL)
    server = UnsteadyRedis(time_source)
    job = JobRun(settings_of(small_base.folder, redis.port), time_source, server)
    yield Bench(job, time_source, server, redis.client)
    job.close()
