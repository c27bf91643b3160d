"""The JSON of lists in their plain form, made of pieces that are kept: what an item is, and what channels found it.

How answers look is said by `online.routes.list_answers.ListAnswer`; the bytes here are those of its JSON.
"""

from collections.abc import Mapping
from itertools import repeat
from typing import Any, Final, cast

import msgspec
from msgspec import UNSET, UnsetType

from features.ids import OuterId
from features.types import ItemId
from online.recall import Candidates
from online.recommend.recommendation import Recommendation
from online.stores.item_store import ItemStore

MAX_PIECES: Final = 20_000
"""Pieces that are kept; beyond them all are made again."""
_encode = msgspec.json.Encoder().encode
_Way = tuple[tuple[str, ...], int, str | None]
"""How an item came into a list: the channels that ran, which of them found it, and the model that picked it."""


class _Plain(msgspec.Struct, frozen=True, kw_only=True):
    """`ListAnswer`, and `RankedList`, with items that are JSON already."""

    request_id: str
    user_id: OuterId
    model: str | None
    model_version: int | None
    at: int
    items: msgspec.Raw
    freshness: dict[str, Any]
    degraded: tuple[str, ...]
    arms: Mapping[str, str] | UnsetType = UNSET
    unknown: list[OuterId] | UnsetType = UNSET


class ListPieces:
    """The pieces of one catalogue, as long as no item changes."""

    def __init__(self, items: ItemStore) -> None:
        self._items = items
        self._changes = items.changes
        self._of_items: dict[int, bytes] = {}
        self._of_ways: dict[_Way, bytes] = {}

    def encode(
        self, answer: Recommendation, seen_applied: bool | None, unknown: list[OuterId] | UnsetType = UNSET
    ) -> bytes:
        """The JSON of a list whose items carry the usual attributes, and that is not explained. unknown: of `RankedList`."""
        if self._changes != self._items.changes or len(self._of_items) > MAX_PIECES:
            self._changes = self._items.changes
            self._of_items.clear()
        if len(self._of_ways) > MAX_PIECES:
            self._of_ways.clear()
        model = answer.model
        return _encode(
            _Plain(
                request_id=answer.request_id,
                user_id=self._items.index.schema.ids.shown(answer.user or answer.user_id),
                model=model.name if model else None,
                model_version=model.version if model else None,
                at=answer.at,
                items=msgspec.Raw(self._slate(answer)),
                freshness={
                    "last_event_ts": answer.last_event_ts,
                    "applied_in_ms": answer.applied_in_ms,
                    "seen_applied": seen_applied,
                },
                degraded=answer.degraded,
                arms=answer.arms or UNSET,
                unknown=unknown,
            )
        )

    def _slate(self, answer: Recommendation) -> bytes:
        found, slate, count = answer.ranked.found, answer.ranked.slate, len(answer.item_ids)
        ways = list(zip(repeat(found.names), answer.found_by, map(slate.teams.get, slate.candidate_indices)))
        parts: list[bytes | None] = [None] * (3 * count)
        parts[::3] = map(self._of_items.get, answer.item_ids)
        parts[1::3] = _encode(answer.item_scores)[1:-1].split(b",")[:count]  # of no items one empty score
        parts[2::3] = map(self._of_ways.get, ways)
        if not all(parts):
            parts[::3] = map(self._item, answer.item_ids)
            parts[2::3] = [self._way(found, way) for way in ways]
        return b"[%b]" % b"".join(cast(list[bytes], parts))[:-1]

    def _item(self, item_id: ItemId) -> bytes:
        """What an item is, up to its score. An item that the catalogue does not have may get another name at any time, so it is
        not kept."""
        piece = self._of_items.get(item_id)
        if piece is None:
            fields = self._items.outline(self._items.item_of(item_id), self._items.attributes.brief)
            attributes = fields.pop("attributes")
            text = _encode({name: value for name, value in fields.items() if value is not UNSET} | attributes)
            piece = text[:-1] + b',"score":'
            if self._items.catalogue.get(item_id) is not None:
                self._of_items[item_id] = piece
        return piece

    def _way(self, found: Candidates, way: _Way) -> bytes:
        """How an item came into a list, from its score on, with the comma after it."""
        piece = self._of_ways.get(way)
        if piece is None:
            _, found_by, team = way
            text = {"channels": found.channels(found_by)} | ({} if team is None else {"team": team})
            piece = self._of_ways[way] = b",%b," % _encode(text)[1:]
        return piece
