"""Files → their description, for a schema that is given: what `init` writes down, and `up --dataset FOLDER` goes by."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from features.schema.declarations import Attribute
from features.schema.document import Document
from features.units import DAY_MS
from offline.datasets.own import event_survey, item_survey, known_names
from offline.datasets.own.any_file import column_names, tables
from offline.datasets.own.description import CONTEXT, FILE, Description, EventFile, read_description
from offline.datasets.own.event_survey import EventSurvey, survey_events
from offline.datasets.own.item_survey import ItemSurvey, survey_items, survey_users
from offline.datasets.own.known_names import attribute_name, plain
from offline.datasets.own.recogniser import LEFT_OUT, files_of, recognise
from offline.datasets.own.typed_columns import texts
from offline.datasets.rejected_lines import Rejects

RECENT_MS: Final = 30 * DAY_MS
"""Data whose last event is no older than this goes on now; older data is a recording, with a time of its own."""


MAX_CONTEXT_VALUES: Final = 100
"""A column of more different values is none of what circumstances there are."""


class ContextColumn(NamedTuple):
    """A column of events that says something of their circumstances: its name in a schema, `filled` of `rows` rows that have
    something in it, and what different values they have, MAX_CONTEXT_VALUES + 1 at most."""

    column: str
    name: str
    rows: int
    filled: int
    values: tuple[str, ...]

    @property
    def is_too_much(self) -> bool:
        """Whether there are too many values."""
        return len(self.values) > MAX_CONTEXT_VALUES


def circumstances(files: Sequence[EventFile]) -> list[ContextColumn]:
    """What files of events say in columns of names that are known for it, each name once. Raises BadInput for a file that can't
    be read."""
    found: dict[str, ContextColumn] = {}
    for file in files:
        known = {
            name: column
            for name, column in reversed([*_by_name(file)])
            if plain(column.removeprefix(CONTEXT)) in known_names.CONTEXT
        }
        columns = list(known.values())
        for table in tables(Path(file.file), columns, Rejects(), (), file.quotes) if known else ():
            for name, column in known.items():
                had = found.get(name, ContextColumn(column, name, 0, 0, ()))
                found[name] = _with(had, texts(table[column]))
    return [found[name] for name in sorted(found) if len(found[name].values) > 1]


def context_columns(file: EventFile, document: Document) -> dict[str, str]:
    """Name in the schema's context → the column of a file that is called so, of those that hold nothing else."""
    return {name: column for name, column in reversed([*_by_name(file)]) if name in document.context}


def _by_name(file: EventFile) -> Iterator[tuple[str, str]]:
    used = {file.user, file.item, file.time, file.kind, file.event, *file.values.values()}
    for column in column_names(Path(file.file), file.quotes):
        if column not in used:
            yield attribute_name(column.removeprefix(CONTEXT)), column


def _with(had: ContextColumn, words: pa.Array) -> ContextColumn:
    values = dict.fromkeys([*had.values, *(word for word in words.unique().to_pylist() if word is not None)])
    rows, filled = had.rows + len(words), had.filled + len(words) - words.null_count
    return ContextColumn(had.column, had.name, rows, filled, tuple(values)[: MAX_CONTEXT_VALUES + 1])


def describe(folder: Path, document: Document, rejects: Rejects) -> Description:
    """The description of a folder's files: its own, else of what is recognised as events, items and users of this schema. Which
    files are not read is remarked. Raises BadInput as `recognise` and `read_description` do."""
    if (folder / FILE).is_file():
        return _by_its_own(folder, rejects)
    found = recognise([folder])
    again = Rejects()  # of rows that are read once more
    surveys = [survey_events(file, again) for file in found.description.events]
    catalogues = [survey_items(file, again) for file in found.description.items]
    of_users = user_attributes(document)
    people = survey_users(found.description.users, again, of_users)
    found.remark_left_out(rejects, people.left_out)
    recognised = replace(found.description, users=people.files)
    description = completed(recognised, surveys, catalogues, people.surveys, document, document.items, of_users)
    not_used = event_survey.order_ids(list(zip(found.description.events, surveys, strict=True)))
    for sentence in [*event_survey.scaled(description.events), *not_used]:
        rejects.remark("{file}", sentence, "")
    return description


def user_attributes(document: Document) -> dict[str, Attribute]:
    """What a schema lets users have."""
    return {name: Attribute(each.type, each.many) for name, each in document.users.items()}


def _by_its_own(folder: Path, rejects: Rejects) -> Description:
    description = read_description(folder / FILE)
    known = {path.resolve() for path in description.files()}
    for path in files_of(folder):
        if path.resolve() not in known:
            rejects.remark(LEFT_OUT, path.name, f"{FILE} does not name it")
    return description


def completed(
    found: Description,
    surveys: Sequence[EventSurvey],
    catalogues: Sequence[ItemSurvey],
    people: Sequence[ItemSurvey],
    document: Document,
    declared: Mapping[str, Attribute],
    of_users: Mapping[str, Attribute],
) -> Description:
    """A description with what reading the files has shown. declared, of_users: the attributes that items and users will have."""
    last = max((survey.last for survey in surveys), default=0)
    return Description(
        found.name,
        "wall" if last >= time.time_ns() // 1_000_000 - RECENT_MS else "data",
        tuple(
            replace(each, context=context_columns(each, document))
            for each in event_survey.completed(found.events, surveys, document)
        ),
        tuple(
            item_survey.completed(file, survey, declared) for file, survey in zip(found.items, catalogues, strict=True)
        ),
        tuple(item_survey.completed(file, survey, of_users) for file, survey in zip(found.users, people, strict=True)),
    )
