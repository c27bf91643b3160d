"""Who may call, and how often: on the real services."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.home import Martlet, until

pytestmark = pytest.mark.home


@pytest.fixture
def access(martlet: Martlet) -> Iterator[Callable[..., int]]:
    """Changes who may call, and in the end changes it back."""
    path = martlet.home / "access.json"
    before = path.read_text()
    yield lambda **more: path.write_text(json.dumps(json.loads(before) | more))
    path.write_text(before)
    until(lambda: martlet.http.get("/v1/models").status_code == 200, what="the door as it was")


def test_keys_and_limits_hold_from_the_next_second_on(martlet: Martlet, access: Callable[..., int]) -> None:
    """Where Redis is late on a busy machine, a call is limited by its process alone: then another key has to show it."""
    path, keys = "/v1/items?limit=1", {f"shop {number}": f"the-key-of-a-shop-{number}" for number in range(20)}

    def holds(key: str) -> bool:
        with httpx.Client(base_url=martlet.address, headers={"X-API-Key": key}, timeout=20, trust_env=False) as shop:
            answers = [shop.get(path) for _ in range(6)]
        assert all(int(each.headers["retry-after"]) >= 1 for each in answers if each.status_code == 429)
        return [each.status_code for each in answers] == [200] * 5 + [429]

    assert martlet.http.get(path).status_code == 200
    access(keys=keys, limit={"per_second": 0.1, "burst": 5})
    until(lambda: martlet.http.get(path).status_code == 401, what="a key is asked for")
    assert any(holds(key) for key in keys.values())
    for open_to_all in ("/", "/healthz", "/metrics"):
        assert martlet.http.get(open_to_all).status_code == 200
    assert (martlet.home / "access.json").stat().st_mode & 0o077 == 0
