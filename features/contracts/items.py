"""The contract of the topic `items`: new, changed and deleted items of the catalogue, under their id.

One flat JSON object an item: `item_id`, what every item has, and its attributes by name.

    {"item_id": 7, "title": "Heat", "genres": ["Crime"], "year": 1995, "ts": 889000000000}

The schema says which attributes there are (`features.schema.attributes`). A reader of the topic leaves out what its schema does
not have, as the record may be older; a caller of the API is told. Every refusal names the field, what was expected and what came.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from features.contracts.events import Id, Whole, inside, outer_text
from features.contracts.json_contract import read_json, refusal
from features.errors import BadEvent, BadInput
from features.ids import Ids
from features.schema.attributes import Attributes
from features.schema.declarations import BUILT_IN
from features.schema.tables import Schema
from features.types import Item, ItemId, Millis

ITEM_LIMIT: Final = 32 << 10
"""Bytes of one item as JSON: a text of some thousand words, or a vector of 1,024 numbers, and all else."""
TITLE_LIMIT: Final = 500
"""Characters of a title."""
Title = Annotated[str, Meta(min_length=1, max_length=TITLE_LIMIT)]
IMAGE_URL_LIMIT: Final = 2_000
"""Characters of an `image_url`."""
ImageUrl = Annotated[str, Meta(max_length=IMAGE_URL_LIMIT, pattern=r"^(https?://[^\s\x00-\x1f\x7f-\x9f]+|)$(?!\n)")]
"""Neither space nor control characters. `$(?!\\n)` is the end alone in Python, too, where `$` is also before a newline."""
IMAGE_URL_WORDS: Final = f"http:// or https:// and an address without blanks, at most {IMAGE_URL_LIMIT} characters"
"""What an `image_url` is, for a refusal that is read by who has a file."""


class ItemFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """What every item has. `available`: lists may show it; `expires`: until then alone, ms, 0 for ever."""

    title: Title
    image_url: ImageUrl = ""
    available: bool = True
    expires: Whole = 0


class _RecordFields(ItemFields, frozen=True, omit_defaults=True):
    """What else stands in the topic. ts: the home's clock when it was put, ms."""

    deleted: bool = False
    ts: Whole = 0


_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


def read_object(value: bytes) -> dict[str, Any]:
    """The fields of one item as they came, unchecked. Raises BadEvent for what is no JSON object, and for more than ITEM_LIMIT
    bytes."""
    if len(value) > ITEM_LIMIT:
        raise BadEvent("item", f"at most {ITEM_LIMIT} bytes", f"{len(value)} bytes")
    return read_json(_decoder, value, "item")


def id_of(fields: Mapping[str, Any], ids: Ids) -> tuple[ItemId, str]:
    """(the number inside, the id outside where that is a string or else "") of an item's fields. Raises BadEvent."""
    if fields.get("item_id") is None:
        raise BadEvent("item_id", "a value", "nothing")
    try:
        given: int | str = msgspec.convert(fields["item_id"], Id)
    except msgspec.ValidationError as error:
        raise refusal(error, "item_id") from error
    item_id = inside(given, "item_id", ids)
    return item_id, outer_text(given, item_id)


def compile_item(
    item_id: ItemId, fields: Mapping[str, Any], ts: Millis, attributes: Attributes, outer: str = ""
) -> Item:
    """The item that a caller's fields say, whole: `fields` as of `read_object`, `item_id` among them or not; `outer`: its id
    outside where that is a string. What is None is as if left out. Raises BadInput, also for a field that the schema does not
    have."""
    given = {name: value for name, value in fields.items() if value is not None}
    checked = _convert({name: given[name] for name in BUILT_IN if name in given}, ItemFields)
    other = {name: value for name, value in fields.items() if name not in BUILT_IN}
    return attributes.item(item_id, checked.title, attributes.check(other), ts=ts, outer=outer, **_more(checked))


def change_item(item: Item, fields: Mapping[str, Any], ts: Millis, attributes: Attributes) -> Item:
    """The item with these fields changed, and those that are None taken away. Raises BadInput."""
    if fields.get("title", "") is None:
        raise BadInput("title", "a title", "null")
    return compile_item(item.item_id, {**_fields_of(item, attributes), **fields}, ts, attributes, item.outer)


def check_built_in(name: str, value: Any) -> None:
    """Raises BadInput, naming the field, for a `title`, `image_url`, `available` or `expires` that a record may not have."""
    _convert({"title": "-", name: value}, ItemFields)


def write_item(item: Item, attributes: Attributes) -> bytes:
    """The JSON of an item, as it goes into the log, and as `read_item` takes it. Of a deleted item that has more than ITEM_LIMIT
    bytes id and title alone. Raises BadInput for another one of more."""
    value = _encoded(item, _fields_of(item, attributes))
    if len(value) > ITEM_LIMIT and item.deleted:
        value = _encoded(item, {"title": _title_of(item)})
    if len(value) > ITEM_LIMIT:
        raise BadInput("item", f"at most {ITEM_LIMIT} bytes", f"{len(value)} bytes")
    return value


def read_item(value: bytes, schema: Schema) -> Item:
    """An item of the topic; attributes that the schema does not have, or of values that it does not allow any more, are left out.
    Raises BadEvent for anything else that the contract does not allow, and for more than ITEM_LIMIT bytes."""
    fields = read_object(value)
    record = _convert(fields, _RecordFields)
    item_id, outer = id_of(fields, schema.ids)
    return schema.items.item(
        item_id,
        record.title,
        schema.items.fitting(fields),
        deleted=record.deleted,
        ts=record.ts,
        outer=outer,
        **_more(record),
    )


def item_of_record(value: bytes, schema: Schema) -> Item | None:
    """The item of a record of the topic; None for a record that holds none."""
    try:
        return read_item(value, schema)
    except BadEvent:
        return None


def _encoded(item: Item, fields: Mapping[str, Any]) -> bytes:
    marks: dict[str, Any] = {"deleted": True} if item.deleted else {}
    if item.ts:
        marks["ts"] = item.ts
    return _encoder.encode({"item_id": item.outer or item.item_id, **fields, **marks})


def _fields_of(item: Item, attributes: Attributes) -> dict[str, Any]:
    """What a record says of an item, without what its reader would refuse: a data set may have been taken unchecked."""
    fields: dict[str, Any] = {"title": _title_of(item), **attributes.fields_of(item)}
    if item.image_url and _is_allowed("image_url", item.image_url):
        fields["image_url"] = item.image_url
    if not item.available:
        fields["available"] = False
    if item.expires and _is_allowed("expires", item.expires):
        fields["expires"] = item.expires
    return fields


def _title_of(item: Item) -> str:
    return item.title[:TITLE_LIMIT] or str(item.outer or item.item_id)


def _is_allowed(name: str, value: Any) -> bool:
    try:
        check_built_in(name, value)
    except BadInput:
        return False
    return True


def _more(fields: ItemFields) -> dict[str, Any]:
    return {"image_url": fields.image_url, "available": fields.available, "expires": fields.expires}


def _convert(fields: Mapping[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise refusal(error, "item") from error
