"""A Redis that answers, but late (row 9), as users of the API see it."""

import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy
from tests.home import Martlet, until
from tests.services import api_with

pytestmark = pytest.mark.home

WITHIN_S = 5.0
"""Many times the deadline of a list: on a small machine that is busy with other tests."""
NO_LIVE_FEATURES = "no live features"


@pytest.fixture
def between(martlet: Martlet) -> Iterator[Proxy]:
    """Stands between the API and Redis."""
    if martlet.engines.redis.cluster:
        pytest.skip("servers of a cluster are reached where they say that they are, not through another")
    with Proxy() as proxy:
        proxy.target = martlet.status()["ports"]["redis"]
        with api_with(martlet, redis={"host": "127.0.0.1", "port": proxy.port}):
            yield proxy


@pytest.mark.soak
def test_a_redis_that_answers_late(martlet: Martlet, between: Proxy) -> None:
    until(lambda: not martlet.recommend(6)["degraded"], what="a whole list")
    between.late = 0.002
    until(lambda: not martlet.recommend(6)["degraded"], what="a whole list though each answer is 2 ms late")
    between.late, held = 1.0, between.held
    took = []
    for _ in range(40):
        began = time.monotonic()
        answer = martlet.recommend(6)
        took.append(time.monotonic() - began)
        assert NO_LIVE_FEATURES in answer["degraded"]
        assert len(answer["items"]) == 20
    assert between.held > held
    assert max(took) < WITHIN_S
    between.late = 0.0
    until(lambda: not martlet.recommend(6)["degraded"], what="a whole list again")
