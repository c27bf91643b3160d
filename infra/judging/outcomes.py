"""What came of lists that compare two rankers: records of the topic `scores`, joined with acts of the topic `events`.

A list is counted once its window is over, with what was liked of it until then. What is counted, what is still open, and how
far both topics were read is one JSON document: a judge that was killed goes on with no list lost, and none counted twice.
"""

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from features.contracts.scores import InterleavedList, ShadowList
from features.ids import OuterId
from features.schema.tables import Schema, is_act
from features.statistics.betting import PairedDifferences
from features.statistics.interleaving import Interleaving
from features.statistics.likes import ItemActs, ListActs, ListName
from features.types import UNDO, Event, ItemId, Millis

MAX_OPEN: Final = 20_000
"""Lists whose window is open, and lists beside them that acts name, at most each; the oldest are counted, or forgotten, early."""
MAX_ACTS: Final = 500_000
"""Acts on all of them, some 250 MB; beyond that, too, the oldest are forgotten, or counted, early."""
EARLY_MS: Final = 60_000
"""The time by which an act may come before the record of its list, which the API logs after its answer."""
CUTOFF: Final = 10
"""Ranks that count for NDCG."""

CountedList = InterleavedList | ShadowList


class OpenList(msgspec.Struct, frozen=True):
    """A list and when the broker took its record, ms."""

    ts: Millis
    record: CountedList


@dataclass
class Joined:
    """Open lists, and the acts on lists, whether their records have come or not."""

    lists: dict[str, OpenList] = field(default_factory=dict)
    acts: ListActs = field(default_factory=ListActs)
    unclaimed: dict[ListName, Millis] = field(default_factory=dict)
    """Of `acts` those on no open list, in the order of their first ones: when the broker took these."""
    early: int = 0
    """Lists counted, and acts forgotten, before their window was over."""
    unreadable: int = 0
    """Records that were none."""
    max_acts: int = MAX_ACTS
    forgotten: dict[OuterId, Millis] = field(default_factory=dict)
    """Users who were forgotten, and when, until all of their lists of before must have been read; MAX_OPEN at most."""

    def add_list(self, record: CountedList, ts: Millis) -> None:
        if ts < self.forgotten.get(record.user_id, -EARLY_MS) + EARLY_MS:
            return
        opened = self.lists.setdefault(_key(type(record), record.request_id), OpenList(ts, record))
        self.unclaimed.pop(_name(opened.record), None)

    def add_act(self, event: Event, schema: Schema, ts: Millis) -> None:
        """Add an act that names a list, or take one back that was undone; an event that is neither says nothing."""
        user, request_id = event.outer_user, event.request_id
        if event.kind == UNDO:
            self.acts.take_back(user, event.target)
        elif request_id and is_act(event.kind):
            self.acts.add((user, request_id), schema, event.event_id, event.kind, event.centi, event.item_id)
            self._note((user, request_id), ts)

    def hold(self, name: ListName, acts: ItemActs, ts: Millis) -> None:
        """Have these acts on a list, of which there are none. ts: when the broker took the first one, ms."""
        self.acts.hold(name, acts)
        self._note(name, ts)

    def _note(self, name: ListName, ts: Millis) -> None:
        """Note when a list that is not open got its first act, and forget what is too much of these."""
        if name in self.acts.lists and not self._is_open(name):
            self.unclaimed.setdefault(name, ts)
        while self.unclaimed and (len(self.unclaimed) > MAX_OPEN or len(self.acts) > self.max_acts):
            self._forget(next(iter(self.unclaimed)))
            self.early += 1

    def close(self, until: Millis, read: Millis) -> Iterator[tuple[CountedList, set[ItemId]]]:
        """Lists of before `until`, each once, with the items that were liked. read: the time up to which both topics were read:
        an act of EARLY_MS before that names no list that is compared, unless it is open. Both are broker's times, ms."""
        for key in list(self.lists):
            if self.lists[key].ts >= until and len(self.lists) <= MAX_OPEN and len(self.acts) <= self.max_acts:
                break  # in the order in which they came
            self.early += self.lists[key].ts >= until
            record = self.lists.pop(key).record
            name = _name(record)
            yield record, self.acts.liked(name)
            if not self._is_open(name):
                self._forget(name)
        for name, ts in list(self.unclaimed.items()):
            if ts >= read - EARLY_MS:
                break
            self._forget(name)
        self.forgotten = {user: ts for user, ts in self.forgotten.items() if ts >= read - EARLY_MS}

    def forget_user(self, user: OuterId, ts: Millis) -> None:
        """Drop a user's open lists and acts, and lists of before that are read later. ts: when the broker took the wish, ms."""
        self.forgotten[user] = ts
        if len(self.forgotten) > MAX_OPEN:
            del self.forgotten[next(iter(self.forgotten))]
        self.lists = {key: opened for key, opened in self.lists.items() if opened.record.user_id != user}
        for name in [name for name in self.acts.lists if name[0] == user]:
            self._forget(name)

    def _is_open(self, name: ListName) -> bool:
        opened = (self.lists.get(_key(kind, name[1])) for kind in (InterleavedList, ShadowList))
        return any(each is not None and _name(each.record) == name for each in opened)

    def _forget(self, name: ListName) -> None:
        self.unclaimed.pop(name, None)
        self.acts.forget(name)


def _key(kind: type[CountedList], request_id: str) -> str:
    return f"{kind.__name__} {request_id}"


def _name(record: CountedList) -> ListName:
    return record.user_id, record.request_id


@dataclass
class ShadowEvidence:
    """How a candidate ranked beside lists. lists: how many; problems: how often it did not; differences: by user, its NDCG@10 of
    what was liked less that of the list, which shows what the stable version ranked."""

    lists: int = 0
    problems: int = 0
    differences: PairedDifferences = field(default_factory=PairedDifferences)


InterleavedKey = tuple[str, int, str]
"""Model, stable version, opponent."""


@dataclass
class Evidence:
    """interleaved: of lists that two rankers share; shadows: of candidates, by model and version."""

    interleaved: dict[InterleavedKey, Interleaving] = field(default_factory=dict)
    shadows: dict[tuple[str, int], ShadowEvidence] = field(default_factory=dict)

    def count(self, record: CountedList, liked: Collection[ItemId]) -> None:
        """Count a list of which these items were liked."""
        if isinstance(record, InterleavedList):
            found = self.interleaved.setdefault((record.model, record.stable, record.opponent), Interleaving())
            picks = (sum(each in liked for each in side) for side in (record.picks, record.opponent_picks))
            found.add(record.user_id, *picks)
            return
        shadow = self.shadows.setdefault((record.model, record.candidate), ShadowEvidence())
        shadow.lists += 1
        if record.problem:
            shadow.problems += 1
            return
        by_item = zip(range(len(record.items)), record.ranks, record.items, strict=True)
        ranks = [(shown, rank) for shown, rank, item in by_item if item in liked]
        if ranks:
            as_shown, by_candidate = (ndcg(side) for side in zip(*ranks, strict=True))
            shadow.differences.add(record.user_id, by_candidate - as_shown)

    def of(self, model: str, stable: int, opponent: str) -> Interleaving:
        """What came of a comparison; nothing yet where there was none."""
        return self.interleaved.get((model, stable, opponent), Interleaving())

    def forget_user(self, user: OuterId) -> None:
        """Have what was counted of a user count of somebody without a name: verdicts stay as they are."""
        nobody = f"forgotten {secrets.token_hex(8)}"
        for differences in (
            *(each.differences for each in self.interleaved.values()),
            *(each.differences for each in self.shadows.values()),
        ):
            differences.rename(user, nobody)

    def retain(self, model: str, stable: int | None, candidate: int | None, lost: Collection[str] = ()) -> None:
        """Drop what was counted of a model's versions that are neither stable nor the candidate any more, and of opponents that
        have lost (`model:version`): nothing is decided by it again. What was counted of other models stays."""
        self.interleaved = {
            key: each
            for key, each in self.interleaved.items()
            if key[0] != model or (key[1] == stable and key[2] not in lost)
        }
        self.shadows = {key: each for key, each in self.shadows.items() if key[0] != model or key[1] == candidate}


def ndcg(ranks: Sequence[int]) -> float:
    """NDCG@10 of the items at these ranks, from 0, all equally good: 1 at most, as gains are added up in the order of ranks.

    >>> ndcg([0]), round(ndcg([1]), 3), ndcg([10])
    (1.0, 0.631, 0.0)
    """
    gains = [1 / np.log2(2 + rank) for rank in sorted(set(ranks)) if rank < CUTOFF]
    ideal = [1 / np.log2(2 + rank) for rank in range(min(len(ranks), CUTOFF))]
    return float(sum(gains) / sum(ideal))


class _Counts(msgspec.Struct):
    users: list[tuple[OuterId, int, float]]
    ignored: int
    vain: list[tuple[OuterId, int]] = []

    @classmethod
    def of(cls, differences: PairedDifferences) -> "_Counts":
        rows = [(user, count, differences.sums[user]) for user, count in differences.counts.items()]
        return cls(rows, differences.ignored, list(differences.in_vain.items()))  # type: ignore[arg-type]

    def differences(self) -> PairedDifferences:
        found = PairedDifferences(ignored=self.ignored, in_vain=dict(self.vain))
        for user, count, total in self.users:
            found.counts[user], found.sums[user] = count, total
        return found


class _Interleaved(msgspec.Struct):
    key: InterleavedKey
    lists: int
    liked: tuple[int, int]
    counts: _Counts


class _Shadow(msgspec.Struct):
    key: tuple[str, int]
    lists: int
    problems: int
    counts: _Counts


class _Acted(msgspec.Struct):
    """Acts on a list. ts: when the broker took the first one, ms, where the list is not open; else 0."""

    user: OuterId
    request_id: str
    ts: Millis
    acts: ItemActs


class JudgeState(msgspec.Struct, kw_only=True):
    """All that a judge holds, as JSON. offsets: topic → the next offset of each partition."""

    offsets: dict[str, dict[int, int]]
    lists: dict[str, OpenList]
    interleaved: list[_Interleaved]
    shadows: list[_Shadow]
    acted_lists: list[_Acted] = []
    early: int = 0
    unreadable: int = 0
    forgotten: list[tuple[OuterId, Millis]] = []

    @classmethod
    def of(cls, offsets: dict[str, dict[int, int]], joined: Joined, evidence: Evidence) -> "JudgeState":
        return cls(
            offsets=offsets,
            lists=joined.lists,
            acted_lists=[
                _Acted(*name, joined.unclaimed.get(name, 0), acts) for name, acts in joined.acts.lists.items()
            ],
            interleaved=[
                _Interleaved(key, each.lists, each.liked, _Counts.of(each.differences))
                for key, each in evidence.interleaved.items()
            ],
            shadows=[
                _Shadow(key, each.lists, each.problems, _Counts.of(each.differences))
                for key, each in evidence.shadows.items()
            ],
            early=joined.early,
            unreadable=joined.unreadable,
            forgotten=list(joined.forgotten.items()),
        )

    def joined(self) -> Joined:
        joined = Joined(dict(self.lists), early=self.early, unreadable=self.unreadable, forgotten=dict(self.forgotten))
        for each in sorted(self.acted_lists, key=lambda each: each.ts):
            joined.hold((each.user, each.request_id), each.acts, each.ts)
        return joined

    def evidence(self) -> Evidence:
        return Evidence(
            {each.key: Interleaving(each.lists, each.liked, each.counts.differences()) for each in self.interleaved},
            {each.key: ShadowEvidence(each.lists, each.problems, each.counts.differences()) for each in self.shadows},
        )
