"""What a schema takes of a history: rows with inside ids, the kind's code and the value, in the history's order; and of the
items beside it.

A row whose kind the schema does not know, or that lacks a value which its kind needs, is left out, counted, and explained in a
file. The history keeps it: another schema may take it. Items are kept as they were read under the schema of then; under another
one a value may not fit, and is left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrays import BoolArray, IntArray
from features.durable import atomic_file
from features.errors import BadInput
from features.ids import Ids
from features.schema.attribute_values import check_value
from features.schema.attributes import Attributes
from features.schema.checked_fields import Fields
from features.schema.document import FILE
from features.schema.event_kinds import MAX_VALUE, MIN_VALUE
from features.schema.tables import Schema
from features.types import FORGET_USER, PROFILE, UNDO, Item
from offline.datasets.event_history import GROUP_ROWS
from offline.datasets.own.attribute_columns import Misfit
from offline.datasets.own.known_names import kind_name
from offline.datasets.rejected_lines import LEFT_OUT, REFUSED_SHARE, Rejects

ROWS_VERSION: Final = 2
"""Rises when the same history and schema would give other rows."""
ROWS: Final = pa.schema(
    [
        pa.field("user_id", pa.int64(), False),
        pa.field("item_id", pa.int64(), False),
        pa.field("kind", pa.int8(), False),
        pa.field("centi", pa.int64(), False),
        pa.field("ts", pa.int64(), False),
        pa.field("user", pa.string(), False),
        pa.field("item", pa.string(), False),
        pa.field("context", pa.string(), False),
    ]
)
"""user_id and item_id are the ids inside; user and item the ids outside where they are no numbers, else ""; context is what the
schema takes of the event's circumstances, as canonical JSON."""
_PLAIN: Final = r"^(0|[1-9][0-9]{0,17})$"
"""Ids that are numbers, as text, and need no check against the largest one."""
UNKNOWN_KIND: Final = "a kind that the schema does not have"


def write_rows(
    history: Path, out: Path, schema: Schema, rejects: Rejects, values: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write the rows of a history that a schema takes; rows, first_ts, last_ts (ms), and `left_out`: how many for what reason.

    values: kind → what its values in the history are, where that is known. Raises BadInput for a schema that takes them for
    something else, or by which more than a tenth of a kind's values are out of range.
    """
    known = values or {}
    _check_meanings(schema, known)
    left: Counter[str] = Counter()
    seen: Counter[int] = Counter()
    unfit: Counter[int] = Counter()
    rows, first, last = 0, 0, 0
    with atomic_file(out) as temporary, pq.ParquetWriter(temporary, ROWS, compression="zstd") as writer:
        for batch in _batches(history):
            taken = _taken(batch, schema, left, rejects, seen, unfit)
            if taken.num_rows:
                first = first if rows else taken["ts"][0].as_py()
                last = taken["ts"][-1].as_py()
                rows += taken.num_rows
                writer.write_batch(taken, row_group_size=GROUP_ROWS)
        _check_values(schema, known, seen, unfit, rejects, history)
    return {"rows": rows, "first_ts": first, "last_ts": last, "left_out": dict(left)}


def _batches(history: Path) -> Iterator[pa.RecordBatch]:
    words = [name for name in ("user", "item", "kind", "context") if name in pq.read_schema(history).names]
    with pq.ParquetFile(history, read_dictionary=words) as file:
        yield from file.iter_batches(batch_size=GROUP_ROWS)


def _inside(column: pa.DictionaryArray, ids: Ids) -> tuple[IntArray, pa.Array]:
    """Outer ids as numbers inside, and the text of those that are no numbers."""
    indices = column.indices.to_numpy()
    if pc.all(pc.match_substring_regex(column.dictionary, _PLAIN)).as_py():
        nothing = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(column), np.int32)), [""])
        return column.dictionary.cast(pa.int64()).to_numpy()[indices], nothing.cast(pa.string())
    words = column.dictionary.to_pylist()
    numbers = np.fromiter((ids.inside(word) for word in words), np.int64, len(words))
    texts = ["" if number >= 0 else word for number, word in zip(numbers.tolist(), words, strict=True)]
    return numbers[indices], pa.array(texts, pa.string()).take(column.indices)


def _code(name: str, schema: Schema) -> int:
    """The code of a kind that a row may have; -1 for any other name. A name that an earlier schema had of its own is here what
    any schema would call it."""
    code = schema.code_of.get(name, schema.code_of.get(kind_name(name), -1))
    return -1 if code in (UNDO, FORGET_USER, PROFILE) else code


def _check_meanings(schema: Schema, values: Mapping[str, str]) -> None:
    for name, meaning in values.items():
        code = _code(name, schema)
        wanted = None if code < 0 else schema.kind(code).value
        if wanted is not None and wanted != meaning:
            expected = f"`{meaning}`, which the values of this data set's {name} are, or none"
            raise BadInput(
                f"{FILE}, events.{name}.value", f"{expected} (a new home takes the files anew)", f"`{wanted}`"
            )


def _check_values(
    schema: Schema,
    values: Mapping[str, str],
    seen: Counter[int],
    unfit: Counter[int],
    rejects: Rejects,
    history: Path,
) -> None:
    """Raise BadInput where too much of what a column was named for is no value of its kind."""
    for code, bad in unfit.items():
        kind = schema.kind(code)
        if kind.name in values and bad > REFUSED_SHARE * seen[code]:
            raise BadInput(
                f"the values of {kind.name}",
                f"{_needed(schema, code)}, at least {1 - REFUSED_SHARE:.0%} of them (see `values` of dataset.toml)",
                f"{bad:,} of {seen[code]:,} that are none; the first are in {rejects.write(history.parent / LEFT_OUT)}",
            )


def _needed(schema: Schema, code: int) -> str:
    kind = schema.kind(code)
    assert kind.value is not None
    return f"a number of {kind.value} from {MIN_VALUE[kind.value]:g} to {MAX_VALUE[kind.value]:g}"


def _taken(
    batch: pa.RecordBatch,
    schema: Schema,
    left: Counter[str],
    rejects: Rejects,
    seen: Counter[int],
    unfit: Counter[int],
) -> pa.RecordBatch:
    names = batch["kind"].dictionary.to_pylist()
    codes = np.array([_code(name, schema) for name in names], np.int64)[batch["kind"].indices.to_numpy()]
    valued = batch["centi"].is_valid().to_numpy(zero_copy_only=False)
    centis = batch["centi"].fill_null(0).to_numpy().copy()
    good = np.ones(len(codes), bool)
    for code in np.unique(codes).tolist():
        mine = codes == code
        if code < 0:
            bad, why = mine, UNKNOWN_KIND
        else:
            bad, why = _value_faults(mine, centis, valued, schema, code)
            seen[code] += int((mine & valued).sum())
            unfit[code] += int((bad & valued).sum())
        if bad.any():
            good &= ~bad
            _leave_out(batch, np.flatnonzero(bad), why, left, rejects)
    users, user = _inside(batch["user"], schema.ids)
    items, item = _inside(batch["item"], schema.ids)
    arrays = [pa.array(users), pa.array(items), pa.array(np.maximum(codes, 0), pa.int8()), pa.array(centis)]
    arrays += [batch["ts"], user, item, _context(batch, schema.context)]
    whole = pa.RecordBatch.from_arrays(arrays, schema=ROWS)
    return whole if good.all() else whole.filter(pa.array(good))


def _context(batch: pa.RecordBatch, context: Fields) -> pa.Array:
    """What the schema takes of the context of each row, as canonical JSON: of the rest it has no name, or it does not fit."""
    if not context or "context" not in batch.schema.names:
        return pa.array([""] * len(batch), pa.string())
    words = batch["context"].dictionary.to_pylist()
    taken = [context.canonical(context.fitting(context.read(word)), "context") for word in words]
    return pa.array(taken, pa.string()).take(batch["context"].indices)


def _value_faults(
    mine: BoolArray, centis: IntArray, valued: BoolArray, schema: Schema, code: int
) -> tuple[BoolArray, str]:
    """Which rows of a kind have not the value that it needs, and why; a value that the kind does not carry becomes 0."""
    kind = schema.kind(code)
    if kind.value is None:
        centis[mine] = 0
        return np.zeros(len(mine), bool), ""
    low, high = MIN_VALUE[kind.value], MAX_VALUE[kind.value]
    outside = valued & ((centis < low * 100) | (centis > high * 100))
    missing = ~valued if kind.needs_value else np.zeros(len(mine), bool)
    return mine & (outside | missing), f"a {kind.name} needs {_needed(schema, code)}"


def _leave_out(batch: pa.RecordBatch, rows: IntArray, why: str, left: Counter[str], rejects: Rejects) -> None:
    for row in rows[: rejects.room].tolist():
        line = ",".join(str(column[row].as_py()) for column in batch.columns)
        rejects.keep("history", why, line)
    rejects.count += len(rows)
    left[why] += len(rows)


def take_items(items: Iterable[Item], attributes: Attributes) -> tuple[list[Item], list[Misfit]]:
    """The items under these attributes, and the attributes with values that don't fit."""
    misfits = {name: Misfit(name, name) for name in attributes.declared}
    taken = [_under(item, attributes, misfits) for item in items]
    return taken, [misfit for misfit in misfits.values() if misfit.unfit]


def _under(item: Item, attributes: Attributes, misfits: dict[str, Misfit]) -> Item:
    taken = attributes.again(item)
    had = attributes.declared.keys() & (item.facets.keys() | item.values.keys())
    if len(had) > len(taken.facets) + len(taken.values):
        fields = attributes.fields_of(item)
        for name in had - taken.facets.keys() - taken.values.keys():
            try:
                check_value(name, attributes.declared[name], fields[name])
            except BadInput as error:
                misfits[name].add(error.expected, error.received)
    return taken
