"""Files of items → the items in them, as no schema has taken them yet (`features.schema.attributes.Attributes.again`)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from msgspec.structs import replace

from features.errors import BadInput
from features.ids import Ids, canonical
from features.schema.attribute_values import MAX_FACET_CHARS, MAX_FACET_VALUES, MAX_TEXT
from features.schema.declarations import BUILT_IN
from features.types import Item
from offline.datasets.own.any_file import tables
from offline.datasets.own.description import ATTRIBUTE_TYPES, Description, ItemFile
from offline.datasets.own.item_survey import values_of
from offline.datasets.own.known_names import attribute_name
from offline.datasets.own.typed_columns import flags, numbers, texts, times, vectors
from offline.datasets.rejected_lines import Rejects, refuse_if_too_many

BAD_ID: Final = "an item id is a number or a string of 1 to 128 printable characters"
TITLE_LIMIT: Final = 500

Reader = Callable[[pa.ChunkedArray], Sequence[Any]]
"""A column → its value for each row; None, or (), where there is none."""


def read_items(description: Description, ids: Ids, rejects: Rejects, data_dir: Path) -> tuple[list[Item], int]:
    """The items of all files, ascending by the id inside, and how many rows were of one that had come before: what such a row has
    replaces what the item had. Raises BadInput for a file that can't be read or has more than 10 % bad rows."""
    items: dict[int, Item] = {}
    all_good = 0
    for file in description.items:
        path, before, good = Path(file.file), rejects.count, 0
        columns = list(dict.fromkeys([file.id, *([file.title] if file.title else ()), *file.columns()]))
        for table in tables(path, columns, rejects, (file.id,), file.quotes):
            good += _add_items(file, table, ids, items, rejects)
        refuse_if_too_many(path, rejects.count - before, good, rejects, data_dir)
        all_good += good
    return [items[item_id] for item_id in sorted(items)], all_good - len(items)


def known_id(word: str | None) -> str | None:
    """The id that a word is, as text; None for what is none."""
    try:
        return None if word is None else str(canonical(word))
    except BadInput:
        return None


def _add_items(file: ItemFile, table: pa.Table, ids: Ids, items: dict[int, Item], rejects: Rejects) -> int:
    """Take the rows in; how many were good."""
    name, good = Path(file.file).name, 0
    words = texts(table[file.id]).to_pylist()
    titles = texts(table[file.title]).to_pylist() if file.title else [None] * len(words)
    facets = {attribute_name(column): values_of(table[column]) for column in file.facets}
    others = {
        attribute_name(column): reader(table[column])
        for kind, reader in _READERS.items()
        for column in getattr(file, kind)
    }
    for row, (word, title) in enumerate(zip(words, titles, strict=True)):
        known = known_id(word)
        if known is None:
            rejects.add(name, BAD_ID, f"{word},{title}")
            continue
        item_id, good = ids.inside(known), good + 1
        before = items.get(item_id) or Item(item_id, known[:TITLE_LIMIT], outer=known if item_id < 0 else "")
        values = {each: column[row] for each, column in others.items() if column[row] is not None}
        items[item_id] = replace(
            before,
            title=(title or before.title)[:TITLE_LIMIT],
            facets=before.facets | {each: _facet(column[row]) for each, column in facets.items() if column[row]},
            values=before.values | {each: value for each, value in values.items() if each not in BUILT_IN},
            **_built_in(values),
        )
    return good


def _facet(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value[:MAX_FACET_CHARS] for value in values))[:MAX_FACET_VALUES]


def _built_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """What every item has, where a column of the right type is called so."""
    kinds: dict[str, type] = {"image_url": str, "available": bool, "expires": int}
    return {name: values[name] for name, kind in kinds.items() if isinstance(values.get(name), kind)}


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    return [None if word is None else word[:MAX_TEXT] for word in texts(column).to_pylist()]


_READERS: Final[Mapping[str, Reader]] = {
    "numbers": numbers,
    "times": lambda column: times(column, to_come=True).to_pylist(),
    "flags": flags,
    "texts": _texts,
    "vectors": vectors,
    "places": vectors,
}
assert {*_READERS, "facets"} == set(ATTRIBUTE_TYPES)
