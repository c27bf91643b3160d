"""Martlet as a recommender of the walk, over HTTP: asks for a list, then posts the click."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmarks.harness.list_client import BATCH, ListClient
from benchmarks.sessions.baseline import Context
from benchmarks.sessions.click_log import Click, ClickLog
from features.ids import canonical
from features.types import Millis

NOT_SEEN = "the click before was not in the features in time"


class MartletLists:
    """Lists of a running home. shift: what is added to the log's times, ms.

    degraded: how often lists lacked what; lists: how many there were.
    """

    name = "Martlet"

    def __init__(self, client: ListClient, log: ClickLog, shift: int) -> None:
        self._client = client
        self._shift = shift
        self._users = list(map(canonical, log.user_ids))
        self._items = list(map(canonical, log.item_ids))
        self._numbers = {item_id: number for number, item_id in enumerate(self._items)}
        self._seen: dict[int, str | None] = {}
        self.degraded: Counter[str] = Counter()
        self.lists = 0

    def ranking(self, context: Context) -> list[int]:
        """The list's items that the log knows; others take up room in it all the same, as −1."""
        answer = self._client.recommend(
            self._users[context.user], context.count, context.ts + self._shift, self._seen.get(context.user)
        )
        self.lists += 1
        self.degraded.update(answer["degraded"])
        self.degraded[NOT_SEEN] += answer["freshness"]["seen_applied"] is False
        return [self._numbers.get(canonical(each["item_id"]), -1) for each in answer["items"]]

    def observe(self, click: Click) -> None:
        self._seen[click.user] = self._client.post([self._event(click)])

    def newest_of(self, user: int) -> Millis:
        """Returns when the newest event of a user of the log was that the home knows, ms; 0 where it knows none."""
        answer = self._client.recommend(self._users[user], 1, self._client.clock())
        return answer["freshness"]["last_event_ts"] or 0

    def learn(self, clicks: Iterable[Click]) -> int:
        """Post what lies before the walk; returns how many events that were."""
        batch: list[dict[str, Any]] = []
        count = 0
        for click in clicks:
            batch.append(self._event(click))
            if len(batch) == BATCH:
                self._client.post(batch)
                batch = []
            count += 1
        self._client.post(batch)
        return count

    def _event(self, click: Click) -> dict[str, Any]:
        return {
            "type": click.kind,
            "user_id": self._users[click.user],
            "item_id": self._items[click.item],
            "ts": click.ts + self._shift,
        }
