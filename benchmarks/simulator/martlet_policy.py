"""Martlet as a policy, over HTTP: items are put, acts are posted, lists are asked for with the token of the user's last act."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from benchmarks.harness.list_client import ListClient
from benchmarks.simulator.shop import Shop
from benchmarks.simulator.shop_files import FIRST_ITEM, describe, event_of, item_id, ts_of, user_id
from benchmarks.simulator.shoppers import Act, Now
from features.ids import canonical

NOT_SEEN: Final = "the act before was not in the features in time"
ELSEWHERE: Final = "items that the shop does not have"


class Martlet:
    """Lists of a running home with the preset `shop`.

    start     ms of day 0
    degraded  how often lists lacked what; lists: how many there were
    """

    name = "Martlet"

    def __init__(self, client: ListClient, shop: Shop, start: int) -> None:
        self._client, self._shop, self._start = client, shop, start
        self._seen: dict[int, str | None] = {}
        self.degraded: Counter[str] = Counter()
        self.lists = 0

    def appear(self, items: Sequence[int], day: float) -> None:
        for item in items:
            self._client.put_item(item_id(item), describe(self._shop, item))

    def observe(self, acts: Sequence[Act]) -> None:
        seen = self._client.post([event_of(self._shop, act, self._start) for act in acts])
        if len({act.user for act in acts}) == 1:  # not the past, which is waited for
            self._seen[acts[0].user] = seen

    def recommend(self, now: Now, count: int) -> list[int]:
        user, at = now.visit.user, ts_of(now.visit.day, self._start)
        answer = self._client.recommend(user_id(user), count, at, self._seen.pop(user, None))
        self.lists += 1
        self.degraded.update(answer["degraded"])
        self.degraded[NOT_SEEN] += answer["freshness"]["seen_applied"] is False
        items = [canonical(each["item_id"]) for each in answer["items"]]
        numbers = [item - FIRST_ITEM if isinstance(item, int) else -1 for item in items]
        known = [number if 0 <= number < len(self._shop.category) else -1 for number in numbers]
        self.degraded[ELSEWHERE] += known.count(-1)
        return known
