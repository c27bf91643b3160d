"""A home attached to a Redis Cluster: it works as any other, and a primary that dies fails no list and loses nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.keys import user_key
from tests.home import Martlet, running, until
from tests.ledger import verify
from tests.redis_cluster import RedisCluster, redis_cluster
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.broken, pytest.mark.timeout(1200)]

USERS = (6, 7, 9, 13, 18, 42)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster"), node_timeout=5.0) as started:
        yield started


@pytest.fixture(scope="module")
def attached(cluster: RedisCluster, tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Iterator[Martlet]:
    home = tmp_path_factory.mktemp("attached")
    (home / "martlet.toml").write_text(f'[redis]\nurl = "{cluster.address}"\ncluster = true\n')
    with running(home, seed=seed(HISTORY, seeds)) as started:
        yield started


def rate(martlet: Martlet, user_id: int, item_id: int) -> str:
    answer = martlet.post({"type": "rating", "user_id": user_id, "item_id": item_id, "rating": 5})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["seen"])


def test_a_rating_is_in_the_next_list_and_a_primary_may_die(attached: Martlet, cluster: RedisCluster) -> None:
    for user_id in USERS:
        attached.applied(user_id, rate(attached, user_id, 50))
        listed = attached.whole(user_id)
        assert 50 not in [item["item_id"] for item in listed["items"]]
    dead = cluster.owner_of(user_key(USERS[0]))
    dead.kill()
    tokens = {user_id: rate(attached, user_id, 181) for user_id in USERS}
    deadline = time.monotonic() + 60
    while cluster.slots.owner_of(user_key(USERS[0])) == dead.server:
        assert time.monotonic() < deadline
        for user_id in USERS:
            attached.recommend(user_id)
    for user_id, token in tokens.items():
        attached.applied(user_id, token, within=90)
    until(lambda: attached.recommend(USERS[0])["degraded"] == [], 90, "lists are whole again")
    assert verify(attached)["applied"] == 2 * len(USERS)
