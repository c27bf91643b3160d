"""What files of events hold: kinds and how many of each, their values, users, items, the span of time, and what is doubtful."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
from offline.datasets.own.typed_columns import NO_VALUE, centis, texts, times, trimmed, value_at
from offline.datasets.own.value_meanings import meaning_of
from offline.datasets.rejected_lines import REFUSED_SHARE, Rejects

SCALES_OF_STARS: Final = (1.0, 0.5, 0.05)
"""Ratings of up to 5, to 10, or to 100."""
_FRACTION: Final = re.compile(r"\d+\.0")
_VALUE_COLUMNS = frozenset(name for names in known_names.VALUE.values() for name in names)


@dataclass
class EventSurvey:
    """
    rows     all rows that are rows at all; no_user, no_item, no_time, no_kind: those without one that can be read
    kinds    rows by the kind's name in the file
    valued   kind's name in the file → column → rows that have a number in it
    filled   kind's name in the file → column → rows that have something in it
    outside  (kind's name in the file, column, what values are, scale) → rows that have something in it that is no such value
    event_ids, shared_ids  ids of events, and those of them that several items have, counted in each part of the file
    unread   column → something in it that is no number
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
    event_ids: int = 0
    shared_ids: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    first: int = 0
    last: int = 0

    @property
    def has_order_ids(self) -> bool:
        """Whether ids of events are those of orders or the like: more than one in a hundred, and not one alone, is of several
        items."""
        return self.shared_ids > 1 and 100 * self.shared_ids > self.event_ids


def survey_events(file: EventFile, rejects: Rejects) -> EventSurvey:
    """Read the file once. Raises BadInput for one that can't be read."""
    path = Path(file.file)
    value_columns = [name for name in column_names(path, file.quotes) if known_names.plain(name) in _VALUE_COLUMNS]
    columns = [file.user, file.item, file.time, *filter(None, (file.kind, file.event))]
    survey = EventSurvey()
    for table in tables(path, list(dict.fromkeys([*columns, *value_columns])), rejects, file.ids(), file.quotes):
        _add(survey, file, table, value_columns)
    return survey


def _add(survey: EventSurvey, file: EventFile, table: pa.Table, value_columns: Sequence[str]) -> None:
    users, items = texts(table[file.user]), texts(table[file.item])
    at = times(table[file.time])
    kinds = trimmed(texts(table[file.kind])) if file.kind else pa.array([file.every] * len(table), pa.string())
    if file.event:
        named = pa.table({"event": texts(table[file.event]), "item": items}).filter(pc.field("event").is_valid())
        several = named.group_by("event").aggregate([("item", "count_distinct")])["item_count_distinct"]
        survey.event_ids += len(several)
        survey.shared_ids += pc.sum(pc.greater(several, 1)).as_py() or 0
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
        if column not in survey.unread and (bad := np.flatnonzero(filled & (values == NO_VALUE))).size:
            survey.unread[column] = str(value_at(table[column], int(bad[0])))
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
    return replace(file, kinds=kinds, values=values, event="" if survey.has_order_ids else file.event)


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


def doubts(surveys: Sequence[tuple[EventFile, EventSurvey]], rejects: Rejects) -> list[str]:
    """What is doubtful of files of events, but for their values, in words."""
    found = [f"{rejects.count:,} lines could not be read"] if rejects.count else []
    for file, survey in surveys:
        name = Path(file.file).name
        for count, what in (
            (survey.no_user, "no user"),
            (survey.no_item, "no item"),
            (survey.no_time, "no time that can be read, from 1970 to now"),
            (survey.no_kind, "no kind"),
        ):
            if count:
                found.append(f"{_percent(count / survey.rows)} % of the rows of {name} have {what} ({count:,} rows)")
        for what, ids in (("users", survey.users), ("items", survey.items)):
            fractions = sorted(word for word in ids if _FRACTION.fullmatch(word))
            if 2 * len(fractions) > len(ids):
                found.append(
                    f"{len(fractions):,} {what} of {name} have ids such as {fractions[0]!r}, which are others than "
                    f"{fractions[0].removesuffix('.0')}: a program that met gaps has made whole numbers fractions"
                )
            quoted = sorted(word for word in ids if len(word) > 1 and word[0] == word[-1] == '"')
            if quoted:
                found.append(
                    f"{len(quoted):,} {what} of {name} have ids in quotes that are part of them, such as {quoted[0]!r}: in CSV "
                    "no blank stands before a quote"
                )
        if not file.kind:
            found.append(f"{name} has no column of a kind of event: all of its rows are taken for {file.every!r}")
        if not survey.rows:
            found.append(f"{name} has no rows")
    return found


def order_ids(surveys: Sequence[tuple[EventFile, EventSurvey]]) -> list[str]:
    """A sentence for each file whose ids of events are those of orders, and are not used. surveys: by the files as recognised."""
    return [
        f"{survey.shared_ids:,} of {survey.event_ids:,} ids in the column {file.event} of {Path(file.file).name} are of several "
        "items, as of an order: the column is not used, since of rows of one id only the first would count"
        for file, survey in surveys
        if survey.has_order_ids
    ]


def _percent(share: float) -> str:
    """A share of 100 with two digits, or all of those before the point.

    >>> _percent(0.0123), _percent(0.997), _percent(1)
    ('1.2', '99', '100')
    """
    return f"{100 * share:.2g}" if share < 0.99 else f"{math.floor(100 * share)}"


def value_doubts(
    files: Sequence[EventFile], surveys: Sequence[tuple[EventFile, EventSurvey]], document: Document
) -> Iterator[str]:
    """What is doubtful of the values of events, in words. files: their descriptions, completed."""
    yield from scaled(files)
    for file, (_, survey) in zip(files, surveys, strict=True):
        for raw in survey.kinds:
            name = name_of(raw, document)
            column, kind, scale = file.values.get(name, ""), document.events.get(name), file.scales.get(name, 1.0)
            if kind is None or kind.value is None:
                continue
            if not column:
                yield from _no_value(name, kind.value, raw, survey)
                continue
            low, high = MIN_VALUE[kind.value] / scale, MAX_VALUE[kind.value] / scale
            if not (bad := survey.outside[raw, column, kind.value, scale]):
                continue
            yield (
                f"{bad:,} values of {name} in the column {column} are no number of {kind.value} from {low:g} to {high:g}: "
                "such rows are left out, and more than a tenth of them are refused"
            )


def _no_value(name: str, meaning: ValueKind, raw: str, survey: EventSurvey) -> Iterator[str]:
    """A doubt where a kind's values stand in a column, and none of them is a number."""
    filled = survey.filled.get(raw, Counter())
    column = known_names.column_of([each for each, count in filled.items() if count], known_names.VALUE[meaning])
    if column and column in survey.unread:
        yield (
            f"no value of {name} is taken from the column {column}: {filled[column]:,} rows have one, none of them a number "
            f"(such as {survey.unread[column][:40]!r})"
        )
