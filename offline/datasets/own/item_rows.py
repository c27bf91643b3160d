"""Files of items → the items in them, as no schema has taken them yet (`features.schema.attributes.Attributes.again`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from features.contracts.items import TITLE_LIMIT, write_item
from features.errors import BadInput
from features.ids import canonical
from features.schema.declarations import BUILT_IN, Attribute
from features.schema.tables import Schema
from features.types import MAX_ID, Item
from offline.datasets.own.any_file import tables
from offline.datasets.own.attribute_columns import BUILT_IN_TYPES, Misfit, read_column, refuse_misfits
from offline.datasets.own.description import ATTRIBUTE_TYPES, Description, ItemFile, UserFile
from offline.datasets.own.item_survey import columns_of_several
from offline.datasets.own.known_names import attribute_name
from offline.datasets.own.typed_columns import texts
from offline.datasets.rejected_lines import Rejects, refuse_if_too_many

BAD_ID: Final = "an item id is a number or a string of 1 to 128 printable characters"


class Catalogue(NamedTuple):
    """
    items     of all files, ascending by the id inside
    repeated  rows that were of an item that had come before: what such a row has replaces what the item had
    misfits   columns with values that don't fit
    """

    items: list[Item]
    repeated: int
    misfits: list[Misfit]


class Column(NamedTuple):
    """A column of a file, the attribute that it is, and what does not fit; None where the schema does not have it."""

    column: str
    name: str
    attribute: Attribute
    misfit: Misfit | None


def read_items(description: Description, schema: Schema, rejects: Rejects, data_dir: Path) -> Catalogue:
    """The items of all files. What the schema declares is read as it says, and everything else as the description does.

    Raises BadInput for a file that can't be read, or has more than 10 % bad rows or values that don't fit.
    """
    items: dict[int, Item] = {}
    misfits: list[Misfit] = []
    all_good = 0
    for file in description.items:
        path, before, good = Path(file.file), rejects.count, 0
        read = columns_of(file, {**schema.items.declared, **BUILT_IN_TYPES})
        columns = list(dict.fromkeys([file.id, *([file.title] if file.title else ()), *file.columns()]))
        for table in tables(path, columns, rejects, (file.id,), file.quotes):
            good += _add_items(file, table, read, schema, items, rejects)
        refuse_if_too_many(path, rejects.count - before, good, rejects, data_dir)
        found = [each.misfit for each in read if each.misfit]
        refuse_misfits(file.file, found)
        misfits += found
        all_good += good
    return Catalogue([items[item_id] for item_id in sorted(items)], all_good - len(items), misfits)


def columns_of(file: ItemFile | UserFile, declared: Mapping[str, Attribute]) -> list[Column]:
    """The columns of attributes, each with what it is read as: as is declared by its name, else as the description says."""
    unknown = [column for column in file.facets if attribute_name(column) not in declared]
    several = columns_of_several(file, unknown)
    columns: list[Column] = []
    for field, kind in ATTRIBUTE_TYPES.items():
        for column in getattr(file, field, ()):
            name = attribute_name(column)
            misfit = Misfit(column, name, of_items=isinstance(file, ItemFile)) if name in declared else None
            columns.append(Column(column, name, declared.get(name) or Attribute(kind, column in several), misfit))
    return columns


def known_id(word: str | None) -> str | None:
    """The id that a word is, as text; None for what is none."""
    try:
        return None if word is None else str(canonical(word))
    except BadInput:
        return None


def _add_items(
    file: ItemFile,
    table: pa.Table,
    columns: Sequence[Column],
    schema: Schema,
    items: dict[int, Item],
    rejects: Rejects,
) -> int:
    """Take the rows in; how many were good."""
    name, good = Path(file.file).name, 0
    words = texts(table[file.id]).to_pylist()
    titles = texts(table[file.title]).to_pylist() if file.title else [None] * len(words)
    values = [(each, read_column(table[each.column], each.attribute, each.misfit)) for each in columns]
    for row, (word, title) in enumerate(zip(words, titles, strict=True)):
        known = known_id(word)
        if known is None:
            rejects.add(name, BAD_ID, f"{word},{title}")
            continue
        item_id = schema.ids.inside(known)
        before = items.get(item_id) or Item(item_id, known[:TITLE_LIMIT], outer=known if item_id < 0 else "")
        item = _with_row(before, title, [(each, found[row]) for each, found in values if found[row] is not None])
        if (fault := _size_fault(item, schema)) is not None:
            rejects.add(name, fault, f"{word},{title}")
            continue
        good += 1
        items[item_id] = item
    return good


def _size_fault(item: Item, schema: Schema) -> str | None:
    """Why an item is too large to be withdrawn by a record of the topic one day; None where it is not."""
    withdrawn = replace(schema.items.again(item), available=False, ts=MAX_ID)
    try:
        write_item(withdrawn, schema.items)
    except BadInput as error:
        return f"an item has {error.expected} as JSON, this one {error.received}"
    return None


def _with_row(item: Item, title: str | None, values: Sequence[tuple[Column, Any]]) -> Item:
    """The item with what a row says of it."""
    facets = {each.name: value for each, value in values if each.attribute.type == "facet"}
    others = {each.name: value for each, value in values if each.attribute.type != "facet"}
    return replace(
        item,
        title=(title or item.title)[:TITLE_LIMIT],
        facets=item.facets | facets,
        values=item.values | {name: value for name, value in others.items() if name not in BUILT_IN},
        **{name: value for name, value in others.items() if name in BUILT_IN_TYPES},
    )
