"""The contract of the topic `items`: new and changed items of the catalogue, under their id, the newest of each kept.

One JSON object an item. Unknown fields are ignored; every refusal is a `BadEvent` that names the field, what was expected and
what came.
"""

from sys import intern
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from features.contracts.events import Id, Whole, inside, outer_text
from features.contracts.json_contract import read_json
from features.errors import BadEvent, BadInput
from features.ids import Ids
from features.types import Item

ITEM_LIMIT: Final = 16 << 10
"""Bytes of one value; the longest title and genres take 11 kB at most."""
Title = Annotated[str, Meta(min_length=1, max_length=500)]
Genre = Annotated[str, Meta(min_length=1, max_length=64)]


class ItemRecord(msgspec.Struct, frozen=True):
    """
    title, genres  as shown
    year           of release, 0 where unknown
    ts             the home's clock when it was put, ms
    """

    item_id: Id
    title: Title
    genres: Annotated[tuple[Genre, ...], Meta(max_length=20)] = ()
    year: Annotated[int, Meta(ge=0, le=9999)] = 0
    ts: Whole = 0

    def item(self, ids: Ids) -> Item:
        """The item by its id inside. Raises BadEvent for what is no id."""
        item_id = inside(self.item_id, "item_id", ids)
        genres = tuple(sorted(map(intern, set(self.genres))))
        return Item(item_id, self.title, genres, self.year, outer_text(self.item_id, item_id))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ItemRecord)


def write_item(record: ItemRecord) -> bytes:
    """The JSON of an item, as it goes into the log. Raises BadInput for more than ITEM_LIMIT bytes."""
    value = _encoder.encode(record)
    if len(value) > ITEM_LIMIT:
        raise BadInput("item", f"at most {ITEM_LIMIT} bytes", f"{len(value)} bytes")
    return value


def read_item(value: bytes) -> ItemRecord:
    """Raises BadEvent for anything that the contract does not allow, and for more than ITEM_LIMIT bytes."""
    if len(value) > ITEM_LIMIT:
        raise BadEvent("item", f"at most {ITEM_LIMIT} bytes", f"{len(value)} bytes")
    return read_json(_decoder, value, "item")


def item_of_record(value: bytes, ids: Ids) -> Item | None:
    """The item of a record of the topic; None for a record that holds none."""
    try:
        return read_item(value).item(ids)
    except BadEvent:
        return None
