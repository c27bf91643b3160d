"""What came of the lists of this process that interleave two models."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from features.ids import OuterId
from features.schema.likes import Likes
from features.schema.tables import Schema, is_act
from features.statistics.interleaving import Interleaving, InterleavingVerdict, liked_by_team
from features.types import UNDO, Event, ItemId

MAX_LISTS = 10_000
"""Newest lists remembered; older ones are unlikely to get any events."""
MAX_PAIRS = 50
"""Pairs of models whose settled lists are counted, the newest ones: each version that is trained makes a pair."""
VERDICTS_LAST_S = 5.0
"""Seconds for which verdicts hold: they go through all remembered lists."""


class InterleavingOutcomes:
    """Remembers the lists that this process has shown and that interleave two models, by request_id, with what their users liked
    of them and have not taken back. A list is settled when newer ones take its place; the verdict counts those remembered with
    what they have so far."""

    def __init__(self, schema: Schema, limit: int = MAX_LISTS) -> None:
        self._schema = schema
        self._limit = limit
        self._lists: OrderedDict[str, tuple[OuterId, Mapping[ItemId, str], Likes]] = OrderedDict()
        self._of_users: dict[OuterId, dict[str, Likes]] = {}
        """By user and request_id."""
        self._settled: dict[tuple[str, str], Interleaving] = {}
        self._verdicts: list[InterleavingVerdict] = []
        self._verdicts_until = 0.0

    def record_shown(self, request_id: str, user: OuterId, teams: Mapping[ItemId, str]) -> None:
        """Remember a list that was returned, if it has picks of two models. teams: item → the model that picked it."""
        if len(set(teams.values())) != 2:
            return
        likes = self._of_users.setdefault(user, {})[request_id] = Likes()
        self._lists[request_id] = (user, teams, likes)
        if len(self._lists) > self._limit:
            self._settle(*self._lists.popitem(last=False))

    def _settle(self, request_id: str, oldest: tuple[OuterId, Mapping[ItemId, str], Likes]) -> None:
        user = oldest[0]
        del self._of_users[user][request_id]
        if not self._of_users[user]:
            del self._of_users[user]
        _count(self._settled, *oldest)
        if len(self._settled) > MAX_PAIRS:
            del self._settled[next(iter(self._settled))]

    def record_events(self, events: Iterable[Event]) -> None:
        """Note what events that the broker has acknowledged say of remembered lists."""
        for event in events:
            lists = self._of_users.get(event.outer_user, {})
            if event.kind == UNDO:
                for likes in lists.values():
                    likes.take_back(event.target)
            elif is_act(event.kind) and (named := lists.get(event.request_id or "")) is not None:
                named.add(self._schema, event.event_id, event.kind, event.centi, event.item_id)

    def verdicts(self) -> list[InterleavingVerdict]:
        """The verdict on each two models, in order of names, not older than VERDICTS_LAST_S."""
        if time.monotonic() < self._verdicts_until:
            return self._verdicts
        found = {key: each.copy() for key, each in self._settled.items()}
        for user, teams, likes in self._lists.values():
            _count(found, user, teams, likes)
        self._verdicts = [each.verdict(*key) for key, each in sorted(found.items())]
        self._verdicts_until = time.monotonic() + VERDICTS_LAST_S
        return self._verdicts


def _count(
    found: dict[tuple[str, str], Interleaving], user: OuterId, teams: Mapping[ItemId, str], likes: Likes
) -> None:
    picks = liked_by_team(teams, likes.liked)
    first, second = picks
    found.setdefault((first, second), Interleaving()).add(user, picks[first], picks[second])
