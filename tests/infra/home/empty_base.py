"""A base that holds nothing, as far as a home's record opens it."""

from pathlib import Path

from features.base.mapped_table import table_parts
from features.base.reader import CATALOGUE, ITEMS, PAIRS, USERS
from features.schema.document import FILE
from features.schema.tables import Schema


def empty_base(folder: Path, schema: Schema) -> Path:
    """The new folder, with its tables and its schema; the manifest is the caller's."""
    folder.mkdir()
    for name in (USERS, ITEMS, PAIRS, CATALOGUE):
        (folder / name).write_bytes(b"".join(table_parts([])))
    (folder / FILE).write_text(schema.text(), encoding="utf-8")
    return folder
