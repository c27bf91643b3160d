"""The rows of one's own files, by their description: events as a history takes them, items, and users."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import BoolArray, IntArray
from features.contracts.events import MAX_PROFILE, id_hash
from features.durable import write_whole
from features.errors import BadInput
from features.ids import Ids
from features.schema.declarations import Attribute
from features.schema.tables import Schema
from offline.datasets.event_history import Happened, write_history
from offline.datasets.own.any_file import tables
from offline.datasets.own.attribute_columns import Misfit, read_column, refuse_misfits
from offline.datasets.own.description import Description, EventFile
from offline.datasets.own.item_rows import BAD_ID, Column, columns_of, known_id, read_items
from offline.datasets.own.typed_columns import centis, texts, times, trimmed, value_at
from offline.datasets.rejected_lines import Rejects, refuse_if_too_many

_BAD_USER: Final = "a user id is a number or a string of 1 to 128 printable characters"
_WHY: Final = (
    _BAD_USER,
    BAD_ID,
    "no time that can be read, from 1970 to now",
    "no kind of event",
)


_encoder: Final = msgspec.json.Encoder()
_WORD: Final = Attribute("facet")


class _Part(NamedTuple):
    """Good rows of one table, as words."""

    users: pa.DictionaryArray
    items: pa.DictionaryArray
    kinds: pa.DictionaryArray
    centis: pa.Array
    times: pa.Array
    events: IntArray | None
    context: pa.DictionaryArray


def normalise_own(
    description: Description, schema: Schema, history: Path, items: Path, rejects: Rejects, data_dir: Path
) -> tuple[dict[str, int], list[Misfit]]:
    """Write `history` and `items`; rows, first_ts, last_ts (ms) and duplicates of what was written, and rows of items that had
    come before; and the columns with values that don't fit.

    Raises BadInput for a file that can't be read, has more than 10 % bad rows or values that don't fit, or where no event is a
    good one.
    """
    catalogue = read_items(description, schema, rejects, data_dir)
    rows, misfits = read_events(description, schema, rejects, data_dir)
    if description.events and not len(rows.times):
        raise BadInput(", ".join(each.file for each in description.events), "at least one event", "none")
    shape = write_history(rows, history)
    write_whole(items, msgspec.msgpack.encode(catalogue.items))
    return {**shape, "repeated_items": catalogue.repeated}, [*catalogue.misfits, *misfits]


def read_events(
    description: Description, schema: Schema, rejects: Rejects, data_dir: Path
) -> tuple[Happened, list[Misfit]]:
    """All good rows of the files of events, in their order; and the columns of the context with values that don't fit. What the
    schema's context does not name is text.

    Raises BadInput for a file that can't be read, or that has more than 10 % bad rows or values that don't fit.
    """
    parts: list[_Part] = []
    misfits: list[Misfit] = []
    for file in description.events:
        path, before, good = Path(file.file), rejects.count, 0
        of_context = [
            Column(column, name, schema.context.declared.get(name, _WORD), Misfit(column, name, of_items=False))
            for name, column in file.context.items()
        ]
        columns = [
            file.user,
            file.item,
            file.time,
            file.kind,
            file.event,
            *file.values.values(),
            *file.context.values(),
        ]
        for table in tables(path, list(dict.fromkeys(filter(None, columns))), rejects, file.ids(), file.quotes):
            part = _part(file, table, of_context, rejects)
            good += len(part.times)
            parts.append(part)
        refuse_if_too_many(path, rejects.count - before, good, rejects, data_dir)
        found = [each.misfit for each in of_context if each.misfit]
        refuse_misfits(file.file, found)
        misfits += found
    return _joined(parts, schema.ids), misfits


def read_users(
    description: Description, schema: Schema, rejects: Rejects, data_dir: Path
) -> tuple[dict[str, str], list[Misfit]]:
    """User (id outside, as text) → attributes as JSON, of all files of users; and the columns with values that don't fit. What
    the schema declares is read as it says, and nothing else, as it may name people; of a user that several rows have, what the
    last one says counts, attribute by attribute.

    Raises BadInput for a file that can't be read, or has more than 10 % bad rows or values that don't fit.
    """
    users: dict[str, dict[str, Any]] = {}
    misfits: list[Misfit] = []
    for file in description.users:
        path, before, good = Path(file.file), rejects.count, 0
        read = [each for each in columns_of(file, schema.users.declared) if each.name in schema.users.declared]
        if not read:
            continue
        wanted = list(dict.fromkeys([file.id, *(each.column for each in read)]))
        for table in tables(path, wanted, rejects, (file.id,), file.quotes):
            words = texts(table[file.id]).to_pylist()
            values = [(each, read_column(table[each.column], each.attribute, each.misfit)) for each in read]
            for row, word in enumerate(words):
                known = known_id(word)
                has = users.get(known or "", {}) | {
                    each.name: _as_json(each.attribute, found[row]) for each, found in values if found[row] is not None
                }
                if known is None or len(_encoder.encode(has)) > MAX_PROFILE:
                    why = (
                        _BAD_USER
                        if known is None
                        else f"a user has at most {MAX_PROFILE:,} bytes of attributes as JSON"
                    )
                    rejects.add(path.name, why, str(word))
                    continue
                users[known] = has
                good += 1
        refuse_if_too_many(path, rejects.count - before, good, rejects, data_dir)
        found_misfits = [each.misfit for each in read if each.misfit]
        refuse_misfits(file.file, found_misfits)
        misfits += found_misfits
    return {user: _encoder.encode(has).decode() for user, has in users.items() if has}, misfits


def _as_json(attribute: Attribute, value: Any) -> Any:
    """A value as events carry it: of a facet of one value that one alone."""
    return value[0] if attribute.type == "facet" and not attribute.many else value


def _part(file: EventFile, table: pa.Table, of_context: Sequence[Column], rejects: Rejects) -> _Part:
    users, items = (_ids(texts(table[column])) for column in (file.user, file.item))
    at = times(table[file.time])
    kinds = _kinds(file, table)
    needed = (users, items, at, kinds)
    good = np.ones(len(table), bool)
    for column in needed:
        good &= column.is_valid().to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(~good)[: rejects.room].tolist():
        why = next(why for why, column in zip(_WHY, needed, strict=True) if not column[row].is_valid)
        line = ",".join(str(value_at(column, row)) for column in table.columns)
        rejects.keep(Path(file.file).name, why, line)
    rejects.count += int((~good).sum())
    mask = pa.array(good)
    values = _values(file, table, kinds)
    of_users, of_items, of_kinds = (column.filter(mask).dictionary_encode() for column in (users, items, kinds))
    events = _event_hashes(texts(table[file.event]).filter(mask)) if file.event else None
    context = _context(of_context, table.filter(mask))
    return _Part(of_users, of_items, of_kinds, values.filter(mask), at.filter(mask), events, context)


def _context(of_context: Sequence[Column], table: pa.Table) -> pa.DictionaryArray:
    """What each row says of its circumstances, as JSON; "" for nothing. Misfits count the different values of a table."""
    if not of_context:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(table), np.int32)), pa.array([""]))
    codes, known = np.zeros((len(of_context), len(table)), np.int64), []
    for at, each in enumerate(of_context):
        column = _array(table[each.column].dictionary_encode())
        values = read_column(pa.chunked_array([column.dictionary]), each.attribute, each.misfit)
        codes[at] = column.indices.fill_null(len(values)).to_numpy()
        known.append([*(None if value is None else _as_json(each.attribute, value) for value in values), None])
    combinations, numbers = np.unique(codes, axis=1, return_inverse=True)
    texts_of = []
    for combination in combinations.T.tolist():
        found = zip(of_context, known, combination, strict=True)
        has = {each.name: values[code] for each, values, code in found if values[code] is not None}
        texts_of.append(_encoder.encode(has).decode() if has else "")
    words = pa.array(texts_of, pa.string()).dictionary_encode()
    indices = words.indices.to_numpy()[numbers.reshape(-1)]
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), words.dictionary)


def _event_hashes(words: pa.Array) -> IntArray:
    """int64 [n] hashes of the events' ids; 0 for one without."""
    ids = words.to_pylist()
    return np.fromiter((0 if word is None else id_hash(word) for word in ids), np.int64, len(ids))


def _ids(words: pa.Array) -> pa.Array:
    """The words that are ids; null for the others."""
    encoded = words.dictionary_encode()
    return pa.array([known_id(word) for word in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _kinds(file: EventFile, table: pa.Table) -> pa.Array:
    """What the schema would call each row's kind."""
    if not file.kind:
        return pa.array([file.every] * len(table), pa.string())
    encoded = trimmed(texts(table[file.kind])).dictionary_encode()
    names = [None if raw is None else file.kinds.get(raw, raw) for raw in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _values(file: EventFile, table: pa.Table, kinds: pa.Array) -> pa.Array:
    """Each row's value in hundredths, from the column of its kind; null where there is none."""
    values = pa.nulls(len(table), pa.int64())
    for name, column in file.values.items():
        mine = pc.fill_null(pc.equal(kinds, name), False)
        values = pc.if_else(mine, centis(table[column], file.scales.get(name, 1.0)), values)
    return values


def _joined(parts: Sequence[_Part], ids: Ids) -> Happened:
    if not parts:
        none = np.zeros(0, np.int64)
        return Happened(none, none, none, none, none.astype(bool), none, ())
    users, items, kinds, context = (
        pa.chunked_array(list(column), pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()
        for column in zip(*((part.users, part.items, part.kinds, part.context) for part in parts), strict=True)
    )
    kind_words, kind_indices = _words(kinds)
    counts = np.bincount(kind_indices, minlength=len(kind_words))
    order = sorted(range(len(kind_words)), key=lambda at: (-counts[at], kind_words[at]))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    values = pa.chunked_array([part.centis for part in parts], pa.int64())
    at = pa.chunked_array([part.times for part in parts], pa.int64())
    valued: BoolArray = values.is_valid().to_numpy()
    return Happened(
        _inside(users, ids),
        _inside(items, ids),
        ranks[kind_indices],
        values.fill_null(0).to_numpy(),
        valued,
        at.to_numpy(),
        tuple(kind_words[at] for at in order),
        _array(users),
        _array(items),
        _joined_hashes(parts),
        _array(context),
    )


def _joined_hashes(parts: Sequence[_Part]) -> IntArray | None:
    """The hashes of all parts, 0 for the events of files without ids; None where no file has any."""
    if all(part.events is None for part in parts):
        return None
    return np.concatenate(
        [np.zeros(len(part.times), np.int64) if part.events is None else part.events for part in parts]
    )


def _array(column: pa.ChunkedArray) -> pa.DictionaryArray:
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _words(column: pa.ChunkedArray) -> tuple[list[str], IntArray]:
    array = _array(column)
    return array.dictionary.to_pylist(), array.indices.to_numpy().astype(np.int64)


def _inside(column: pa.ChunkedArray, ids: Ids) -> IntArray:
    words, indices = _words(column)
    return np.fromiter((ids.inside(word) for word in words), np.int64, len(words))[indices]
