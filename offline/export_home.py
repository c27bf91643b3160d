"""Items and events of a home as files that `init` and `up --dataset` take: events.parquet and items.parquet, or .ndjson; beside
them dataset.toml, which says what their columns are, schema.toml, under which they are read as they were, and the users who have
attributes, where the schema lets users have some. No rows make no file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from features.durable import named_folder
from features.errors import BadInput
from features.ids import OuterId
from features.schema.attributes import Attributes
from features.schema.checked_fields import Fields
from features.schema.declarations import AttributeType
from features.schema.document import FILE
from features.schema.tables import Schema
from features.types import Event, Item
from offline.datasets.dataset_names import name_of_folder
from offline.datasets.own.attribute_columns import BUILT_IN_TYPES
from offline.datasets.own.description import (
    CONTEXT,
    Description,
    EventFile,
    HomeTime,
    ItemFile,
    UserFile,
    columns_by_type,
    write_description,
)
from offline.datasets.own.description import FILE as DATASET_FILE

Format = Literal["parquet", "ndjson"]
FORMATS: Final[tuple[Format, ...]] = ("parquet", "ndjson")
BATCH_ROWS: Final = 50_000
_ALWAYS: Final = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("type", pa.string()),
        ("value", pa.float64()),
        ("timestamp", pa.timestamp("ms", "UTC")),
    ]
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DATE_MS: Final = 253_402_300_799_999
"""The end of the year 9999: no later time has a date of ISO 8601, which stands for all of them."""
_TYPES: Final[Mapping[AttributeType, pa.DataType]] = {
    "facet": pa.string(),
    "number": pa.float64(),
    "time": pa.timestamp("ms", "UTC"),
    "flag": pa.bool_(),
    "text": pa.string(),
    "vector": pa.list_(pa.float64()),
    "place": pa.list_(pa.float64()),
}


def event_columns(context: Fields) -> pa.Schema:
    """The columns of events: what every event has, and the schema's context."""
    return pa.schema([*_ALWAYS, *((CONTEXT + name, kind) for name, kind in _columns(context))])


def item_columns(attributes: Attributes) -> pa.Schema:
    """The columns of items: what every item has, and the schema's attributes."""
    columns = [("item_id", pa.string()), ("title", pa.string()), ("image_url", pa.string()), ("available", pa.bool_())]
    columns.append(("expires", _TYPES["time"]))
    return pa.schema([*columns, *_columns(attributes)])


def user_columns(users: Fields) -> pa.Schema:
    """The columns of users: the id and the schema's attributes."""
    return pa.schema([("user_id", pa.string()), *_columns(users)])


def _columns(fields: Fields) -> list[tuple[str, pa.DataType]]:
    return [
        (name, pa.list_(pa.string()) if each.is_list_of_values else _TYPES[each.type])
        for name, each in fields.declared.items()
    ]


def export_home(
    events: Iterable[Event],
    items: Iterable[Item],
    schema: Schema,
    folder: Path,
    form: Format,
    users: Iterable[tuple[OuterId, str]] = (),
    clock: HomeTime = "data",
) -> tuple[Counter[str], int, int]:
    """Write the files into a new folder, with the schema but its salt; how many events of each kind, how many items, and how many
    users. users: (id outside, attributes as canonical JSON); clock: the home's. Raises BadInput for a folder that holds something
    already."""
    _require_empty(folder)
    kinds: Counter[str] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        for event in events:
            row = _event_row(event, schema)
            kinds[row["type"]] += 1
            yield row

    rows_of_items = (_item_row(item, schema.items) for item in items)
    with named_folder(folder) as staging:
        events_file, items_file, users_file = (f"{table}.{form}" for table in ("events", "items", "users"))
        _write(rows(), event_columns(schema.context), staging / events_file)
        count = _write(rows_of_items, item_columns(schema.items), staging / items_file)
        rows_of_users = (_user_row(*each, schema.users) for each in users if schema.users)
        user_count = _write(rows_of_users, user_columns(schema.users), staging / users_file)
        description = Description(
            name_of_folder(folder.name),
            clock,
            (_described_events(events_file, schema),) if kinds else (),
            (_described_items(items_file, schema.items),) if count else (),
            (_described_users(users_file, schema.users),) if user_count else (),
        )
        write_description(description, staging / DATASET_FILE)
        (staging / FILE).write_text(schema.salted("").text(), encoding="utf-8")
    return kinds, count, user_count


def _described_events(file: str, schema: Schema) -> EventFile:
    values = {kind.name: "value" for kind in schema.kind_of.values() if kind.value is not None}
    context = {name: CONTEXT + name for name in schema.context.declared}
    return EventFile(file, "user_id", "item_id", "timestamp", "type", "", {}, values, event="event_id", context=context)


def _described_items(file: str, attributes: Attributes) -> ItemFile:
    types = {name: each.type for name, each in {**BUILT_IN_TYPES, **attributes.declared}.items()}
    return replace(ItemFile(file, "item_id", "title"), **columns_by_type(types))


def _described_users(file: str, attributes: Fields) -> UserFile:
    types = {name: each.type for name, each in attributes.declared.items()}
    return replace(UserFile(file, "user_id"), **columns_by_type(types))


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInput("--to", "a new or empty folder", f"{folder}, which is none")
    if folder.exists() and (found := next(folder.iterdir(), None)) is not None:
        raise BadInput("--to", "a new or empty folder", f"{folder}, which holds {found.name}")


def _event_row(event: Event, schema: Schema) -> dict[str, Any]:
    kind, context = schema.kind(event.kind), schema.context.read(event.context)
    return {
        "event_id": event.event_id,
        "user_id": event.user or str(event.user_id),
        "item_id": event.item or str(event.item_id),
        "type": kind.name,
        "value": None if kind.value is None else event.centi / 100,
        "timestamp": event.ts,
        **{CONTEXT + name: context.get(name) for name in schema.context.declared},
    }


def _item_row(item: Item, attributes: Attributes) -> dict[str, Any]:
    """Returns the row of an item. One that was deleted is not available: it has events, by which alone lists would show it."""
    return {
        "item_id": item.outer or str(item.item_id),
        "title": item.title,
        "image_url": item.image_url or None,
        "available": item.available and not item.deleted,
        "expires": item.expires or None,
        **attributes.shown(item, attributes.declared),
    }


def _with_dates(row: Mapping[str, Any], times: Sequence[str]) -> dict[str, Any]:
    """Returns the row with its times by ISO 8601: as numbers those before 1973 are seconds to who reads the file."""
    return {**row, **{name: _date(row[name]) for name in times if row[name] is not None}}


def _date(ms: int) -> str:
    at = _EPOCH + timedelta(milliseconds=min(ms, _LAST_DATE_MS))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _user_row(user: OuterId, attributes: str, users: Fields) -> dict[str, Any]:
    fields = users.read(attributes)
    return {"user_id": str(user), **{name: fields.get(name) for name in users.declared}}


def _write(rows: Iterable[Mapping[str, Any]], schema: pa.Schema, path: Path) -> int:
    """Write rows batch by batch; how many they are. None make no file."""
    written = (_write_ndjson if path.suffix == ".ndjson" else _write_parquet)(iter(rows), schema, path)
    if not written:
        path.unlink()
    return written


def _write_ndjson(rows: Iterator[Mapping[str, Any]], schema: pa.Schema, path: Path) -> int:
    times, count = [field.name for field in schema if pa.types.is_timestamp(field.type)], 0
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(_with_dates(row, times)) + b"\n")
            count += 1
    return count


def _write_parquet(rows: Iterator[Mapping[str, Any]], schema: pa.Schema, path: Path) -> int:
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count
