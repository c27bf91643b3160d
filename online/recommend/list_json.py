"""The JSON of lists in their plain form, made of pieces that are kept: what an item is, and what channels found it.

How answers look is said by `online.routes.list_answers.ListAnswer`; the bytes here are those of its JSON.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from features.ids import OuterId
from features.types import Item
from online.recommend.recommendation import Recommendation
from online.stores.item_store import ItemStore

MAX_PIECES: Final = 20_000
"""Pieces that are kept; beyond them all are made again."""
_encode = msgspec.json.Encoder().encode


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
        self._of_channels: dict[tuple[str, ...], bytes] = {}

    def encode(
        self, answer: Recommendation, seen_applied: bool | None, unknown: list[OuterId] | UnsetType = UNSET
    ) -> bytes:
        """The JSON of a list whose items carry the usual attributes, and that is not explained. unknown: of `RankedList`."""
        if self._changes != self._items.changes or len(self._of_items) > MAX_PIECES:
            self._changes = self._items.changes
            self._of_items.clear()
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
        scores = _encode([item.score for item in answer.items])[1:-1].split(b",")
        parts: list[bytes] = []
        for item, score in zip(answer.items, scores, strict=False):  # of no items one empty score
            team = b"" if item.team is None else b',"team":' + _encode(item.team)
            parts.append(
                b'%b,"score":%b,"channels":%b%b}' % (self._item(item.item), score, self._channels(item.channels), team)
            )
        return b"[%b]" % b",".join(parts)

    def _item(self, item: Item) -> bytes:
        """What an item is, without the brace that ends it. An item that the catalogue does not have may get another name at any
        time, so it is not kept."""
        piece = self._of_items.get(item.item_id)
        if piece is None:
            fields = self._items.outline(item, self._items.attributes.brief)
            attributes = fields.pop("attributes")
            piece = _encode({name: value for name, value in fields.items() if value is not UNSET} | attributes)[:-1]
            if self._items.catalogue.get(item.item_id) is not None:
                self._of_items[item.item_id] = piece
        return piece

    def _channels(self, names: tuple[str, ...]) -> bytes:
        piece = self._of_channels.get(names)
        if piece is None:
            if len(self._of_channels) > MAX_PIECES:
                self._of_channels.clear()
            piece = self._of_channels[names] = _encode(names)
        return piece
