"""What files of events hold: kinds and how many of each, their values, users, items, the span of time, and what is doubtful."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from features.schema.document import Document
from features.schema.event_kinds import MAX_VALUE, MIN_VALUE, ValueKind
from offline.datasets.own import known_names
from offline.datasets.own.any_file import column_names, tables
from offline.datasets.own.description import FILE, EventFile
from offline.datasets.own.typed_columns import NO_VALUE, centis, texts, times, trimmed
from offline.datasets.own.value_meanings import meaning_of
from offline.datasets.rejected_lines import REFUSED_SHARE, Rejects

SCALES_OF_STARS: Final = (1.0, 0.5, 0.05)
"""Ratings of up to 5, to 10, or to 100."""
_VALUE_COLUMNS = frozenset(name for names in known_names.VALUE.values() for name in names)


@dataclass
class EventSurvey:
    """
    rows     all rows that are rows at all; no_user, no_item, no_time, no_kind: those without one that can be read
    kinds    rows by the kind's name in the file
    valued   kind's name in the file → column → rows that have a number in it
    filled   kind's name in the file → column → rows that have something in it
    outside  (kind's name in the file, column, what values are, scale) → rows that have something in it that is no such value
    users    ids; items: ids
    first, last  the span of time, ms
    """

    rows: int = 0
    no_user: int = 0
    no_item: int = 0
    no_time: int = 0
    no_kind: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    valued: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    filled: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    outside: Counter[tuple[str, str, ValueKind, float]] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    first: int = 0
    last: int = 0


def survey_events(file: EventFile, rejects: Rejects) -> EventSurvey:
    """Read the file once. Raises BadInput for one that can't be read."""
    path = Path(file.file)
    value_columns = [name for name in column_names(path, file.quotes) if known_names.plain(name) in _VALUE_COLUMNS]
    columns = [file.user, file.item, file.time, *([file.kind] if file.kind else ())]
    survey = EventSurvey()
    for table in tables(path, list(dict.fromkeys([*columns, *value_columns])), rejects, file.ids(), file.quotes):
        _add(survey, file, table, value_columns)
    return survey


def _add(survey: EventSurvey, file: EventFile, table: pa.Table, value_columns: Sequence[str]) -> None:
    users, items = texts(table[file.user]), texts(table[file.item])
    at = times(table[file.time])
    kinds = trimmed(texts(table[file.kind])) if file.kind else pa.array([file.every] * len(table), pa.string())
    survey.rows += len(table)
    survey.no_user += users.null_count
    survey.no_item += items.null_count
    survey.no_time += at.null_count
    survey.no_kind += kinds.null_count
    survey.users.update(word for word in pc.unique(users).to_pylist() if word is not None)
    survey.items.update(word for word in pc.unique(items).to_pylist() if word is not None)
    if at.null_count < len(at):
        low, high = pc.min(at).as_py(), pc.max(at).as_py()
        survey.first = min(survey.first or low, low)
        survey.last = max(survey.last, high)
    words = kinds.dictionary_encode()
    names = words.dictionary.to_pylist()
    indices = words.indices.fill_null(len(names)).to_numpy()
    survey.kinds.update(_counts(indices, names))
    for column in value_columns:
        found = centis(table[column])
        filled, values = found.is_valid().to_numpy(zero_copy_only=False), found.fill_null(NO_VALUE).to_numpy()
        for name, count in _counts(indices[values != NO_VALUE], names).items():
            survey.valued[name][column] += count
        for name, count in _counts(indices[filled], names).items():
            survey.filled[name][column] += count
        for meaning in known_names.VALUE:
            low, high = MIN_VALUE[meaning] * 100, MAX_VALUE[meaning] * 100
            for scale in _scales(meaning):
                bad = filled & ((values * scale < low) | (values * scale > high))
                for name, count in _counts(indices[bad], names).items():
                    survey.outside[name, column, meaning, scale] += count


def _scales(meaning: ValueKind) -> tuple[float, ...]:
    """What numbers in a file may be multiplied by to be such values, the likeliest first."""
    return SCALES_OF_STARS if meaning == "stars" else (1.0,)


def _counts(indices: "np.ndarray[tuple[int], np.dtype[np.int32]]", names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(indices, minlength=len(names) + 1)[: len(names)].tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def completed(files: Sequence[EventFile], surveys: Sequence[EventSurvey], document: Document) -> tuple[EventFile, ...]:
    """The files' descriptions with what their kinds are called in the schema, and where their values stand, whether or not the
    schema gives them a value. A kind's values are taken alike in all files that have them in a column of one name: the files of a
    log are parts of it, and a few rows don't tell how one rates."""
    meanings = meanings_in(surveys, document)
    named = [_named(file, survey, document, meanings) for file, survey in zip(files, surveys, strict=True)]
    scales = _scales_in(named, surveys, document, meanings)
    return tuple(
        replace(
            file,
            scales={name: scales[name, column] for name, column in file.values.items() if scales[name, column] != 1.0},
        )
        for file in named
    )


def _named(file: EventFile, survey: EventSurvey, document: Document, meanings: Mapping[str, ValueKind]) -> EventFile:
    """The file's description with its kinds and the columns of their values. meanings: see `meanings_in`."""
    kinds: dict[str, str] = {}
    values: dict[str, str] = {}
    for raw in survey.kinds:
        name = name_of(raw, document)
        if name != raw and name and file.kind:
            kinds[raw] = name
        if name in meanings and (column := _value_column(survey.valued.get(raw, Counter()), meanings[name])):
            values[name] = column
    return replace(file, kinds=kinds, values=values)


def _scales_in(
    files: Sequence[EventFile],
    surveys: Sequence[EventSurvey],
    document: Document,
    meanings: Mapping[str, ValueKind],
) -> dict[tuple[str, str], float]:
    """(kind, column of its values) → what the numbers there are multiplied by, by all the files that have them there."""
    filled: Counter[tuple[str, str]] = Counter()
    outside: dict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    for file, survey in zip(files, surveys, strict=True):
        for raw in survey.kinds:
            name = name_of(raw, document)
            if column := file.values.get(name):
                filled[name, column] += survey.filled[raw][column]
                for scale in _scales(meanings[name]):
                    outside[name, column][scale] += survey.outside[raw, column, meanings[name], scale]
    return {which: _scale(counts, filled[which]) for which, counts in outside.items()}


def _scale(outside: Mapping[float, int], filled: int) -> float:
    """The first scale by which no more of the values are out of range than may be, else that by which fewest are."""
    room = REFUSED_SHARE * filled
    return next((each for each, count in outside.items() if count <= room), min(outside, key=outside.__getitem__))


def scaled(files: Sequence[EventFile]) -> list[str]:
    """A sentence for each kind whose values are not taken as they stand in the files."""
    names: dict[tuple[str, str, float], list[str]] = defaultdict(list)
    for file in files:
        for name, scale in file.scales.items():
            names[name, file.values[name], scale].append(Path(file.file).name)
    return [
        f"{name} in {', '.join(of_files)}, column {column}, is multiplied by {scale:g}, so that "
        f"{MAX_VALUE['stars'] / scale:g} there are five stars (scales in {FILE})"
        for (name, column, scale), of_files in names.items()
    ]


def name_of(raw: str, document: Document) -> str:
    """What the schema calls a kind in a file."""
    return raw if raw in document.events else known_names.kind_name(raw)


def meanings_in(surveys: Sequence[EventSurvey], document: Document) -> dict[str, ValueKind]:
    """Kind → what its values are, for the kinds that have numbers in a column for values."""
    columns: dict[str, list[Counter[str]]] = defaultdict(list)
    for survey in surveys:
        for raw in survey.kinds:
            columns[name_of(raw, document)].append(survey.valued.get(raw, Counter()))
    found = {name: meaning_of(name, document, each) for name, each in columns.items()}
    return {name: meaning for name, meaning in found.items() if meaning}


def _value_column(valued: Counter[str], meaning: ValueKind) -> str:
    """The column with numbers of a meaning; "" where there is none."""
    return known_names.column_of([column for column, count in valued.items() if count], known_names.VALUE[meaning])
