"""What came of the lists of this process that interleave two models."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from features.ids import OuterId
from features.schema.tables import Schema, is_act
from features.statistics.interleaving import Interleaving, InterleavingVerdict, liked_by_team
from features.statistics.likes import ListActs
from features.types import UNDO, Event, ItemId

MAX_LISTS = 10_000
"""Newest lists remembered; older ones are unlikely to get any events."""
MAX_ACTS = 200_000
"""Acts on them, some 100 MB; beyond that the oldest lists are settled early."""
MAX_PAIRS = 50
"""Pairs of models whose settled lists are counted, the newest ones: each version that is trained makes a pair."""
VERDICTS_LAST_S = 5.0
"""Seconds for which verdicts hold: they go through all remembered lists."""


class _Shown(NamedTuple):
    """A list. teams: item → the model that picked it."""

    user: OuterId
    teams: Mapping[ItemId, str]


class InterleavingOutcomes:
    """Remembers the lists that this process has shown and that interleave two models, by request_id, with what their users liked
    of them and have not taken back. A list is settled when newer ones take its place; the verdict counts those remembered with
    what they have so far."""

    def __init__(self, schema: Schema, limit: int = MAX_LISTS, max_acts: int = MAX_ACTS) -> None:
        self._schema = schema
        self._limit, self._max_acts = limit, max_acts
        self._lists: OrderedDict[str, _Shown] = OrderedDict()
        self._acts = ListActs()
        self._settled: dict[tuple[str, str], Interleaving] = {}
        self._verdicts: list[InterleavingVerdict] = []
        self._verdicts_until = 0.0

    def record_shown(self, request_id: str, user: OuterId, teams: Mapping[ItemId, str]) -> None:
        """Remember a list that was returned, if it has picks of two models. teams: item → the model that picked it."""
        if len(set(teams.values())) != 2:
            return
        self._lists[request_id] = _Shown(user, teams)
        self._settle_oldest()

    def record_events(self, events: Iterable[Event]) -> None:
        """Note what events that the broker has acknowledged say of remembered lists."""
        for event in events:
            if event.kind == UNDO:
                self._acts.take_back(event.outer_user, event.target)
            elif is_act(event.kind):
                self._record_act(event, event.request_id or "")
        self._settle_oldest()

    def _record_act(self, event: Event, request_id: str) -> None:
        shown = self._lists.get(request_id)
        if shown is None or shown.user != event.outer_user or event.item_id not in shown.teams:
            return
        name = shown.user, request_id
        self._acts.add(name, self._schema, event.event_id, event.kind, event.centi, event.item_id)

    def _settle_oldest(self) -> None:
        """Settle lists until no more than the limit are remembered, and no more acts."""
        while len(self._lists) > self._limit or len(self._acts) > self._max_acts:
            request_id, shown = self._lists.popitem(last=False)
            self._count(self._settled, request_id, shown)
            self._acts.forget((shown.user, request_id))
            if len(self._settled) > MAX_PAIRS:
                del self._settled[next(iter(self._settled))]

    def verdicts(self) -> list[InterleavingVerdict]:
        """The verdict on each two models, in order of names, not older than VERDICTS_LAST_S."""
        if time.monotonic() < self._verdicts_until:
            return self._verdicts
        found = {key: each.copy() for key, each in self._settled.items()}
        for request_id, shown in self._lists.items():
            self._count(found, request_id, shown)
        self._verdicts = [each.verdict(*key) for key, each in sorted(found.items())]
        self._verdicts_until = time.monotonic() + VERDICTS_LAST_S
        return self._verdicts

    def _count(self, found: dict[tuple[str, str], Interleaving], request_id: str, shown: _Shown) -> None:
        picks = liked_by_team(shown.teams, self._acts.liked((shown.user, request_id)))
        first, second = picks
        each = found[first, second] = found.pop((first, second), Interleaving())  # the one that rests longest is first
        each.add(shown.user, picks[first], picks[second])
