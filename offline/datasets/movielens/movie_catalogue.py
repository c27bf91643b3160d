"""The catalogue of a data set: raw rows of movies → Items."""

import re
from pathlib import Path
from typing import Final

import pyarrow as pa

from features.errors import BadInput
from features.schema.tables import preset_schema
from features.types import MAX_ID, Item
from offline.datasets.raw_files import MOVIES, Layout, read_columns, text
from offline.datasets.rejected_lines import Rejects, refuse_if_too_many

# A series may have two years, with an en dash between, and one that still runs a dash alone.
_YEAR_AT_END: Final = re.compile("\\s*\\((\\d{4})(?:\\s*[-\u2013]\\s*(?:\\d{4})?)?\\)\\s*$")
_NO_GENRE: Final = frozenset({"", "(no genres listed)", "unknown"})


def read_items(path: Path, rejects: Rejects, data_dir: Path) -> list[Item]:
    """The items of a file of movies, ascending by id; of an id that comes again, the first counts.

    Raises BadInput for a file that is not one, has no movies, or more than 10 % bad lines.
    """
    layout = MOVIES.get(path.suffix)
    if layout is None:
        raise BadInput(str(path), "a suffix of " + ", ".join(MOVIES), path.suffix or "none")
    rows, torn = _rows(path, layout, rejects)
    items: dict[int, Item] = {}
    bad = torn
    for row in rows:
        item = _item(path.suffix, row)
        if isinstance(item, str) or item.item_id in items:
            bad += 1
            why = item if isinstance(item, str) else "this movie id came before"
            rejects.add(path.name, why, (layout.delimiter or ",").join(row))
        else:
            items[item.item_id] = item
    refuse_if_too_many(path, bad, len(items), rejects, data_dir)
    if not items:
        raise BadInput(str(path), "at least one movie", "none")
    return [items[item_id] for item_id in sorted(items)]


def _rows(path: Path, layout: Layout, rejects: Rejects) -> tuple[list[list[str]], int]:
    """Rows of text, and how many lines had not the right number of fields."""
    if path.suffix != ".dat":
        table, torn = read_columns(path, layout, [pa.binary()] * len(layout.names), rejects)
        raw = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return [[text(value) for value in row] for row in raw], torn
    rows, torn = [], 0
    for line in path.read_text(encoding=layout.encoding).splitlines():
        fields = line.split(layout.delimiter)
        if len(fields) == len(layout.names):
            rows.append(fields)
        elif line.strip():
            torn += 1
            rejects.add(path.name, "wrong number of fields", line)
    return rows, torn


def _item(suffix: str, row: list[str]) -> Item | str:
    """The item of a row by the schema of films, or why it is none."""
    digits = row[0].strip()
    if not (digits.isascii() and digits.isdigit()) or int(digits) > MAX_ID:
        return "a bad movie id"
    title = row[1].strip()
    year = 0
    if match := _YEAR_AT_END.search(title):
        year = int(match[1])
        title = title[: match.start()] or title
    if suffix == ".item":
        if re.fullmatch(r"\d{4}", row[2].strip()):
            year = int(row[2])
        genres = row[3].split()
    else:
        genres = [name.strip() for name in row[2].split("|")]
    films = preset_schema().items
    fields = {"genres": [name for name in genres if name not in _NO_GENRE], "year": year or None}
    try:
        return films.item(int(digits), title, films.check(fields))
    except BadInput as error:
        return f"bad {error.where}"
