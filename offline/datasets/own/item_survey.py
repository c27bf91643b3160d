"""What files of items, and of users, hold: for each column the type of attribute that it seems to be, examples, and how many
values differ."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from features.schema.declarations import USER_ID, AttributeType
from features.schema.declarations import Attribute as Declared
from offline.datasets.own import known_names
from offline.datasets.own.any_file import column_names, tables
from offline.datasets.own.attribute_columns import BUILT_IN_TYPES, SEVERAL, Misfit, has_several, read_column
from offline.datasets.own.description import EventFile, ItemFile, UserFile, columns_by_type
from offline.datasets.own.event_survey import EventSurvey
from offline.datasets.own.typed_columns import FIRST_DAY, FLAGS, as_numbers, texts, times, trimmed, without_nan
from offline.datasets.rejected_lines import REFUSED_SHARE, Rejects

SAMPLE_ROWS: Final = 200_000
"""Rows that types are judged by, from the first."""
FACET_LENGTH: Final = 40
"""Characters that the values of a facet have on average at most; of a longer text each says something of its own."""
FEW_VALUES: Final = 5
"""A facet of so many values may be one of users however few there are."""
NOTHING_DECLARED: Final[Mapping[str, Declared]] = {}
F = TypeVar("F", ItemFile, UserFile)
_TIME_ENDS: Final = ("at", "date", "time", "timestamp", "on")


class Attribute(NamedTuple):
    """One column of items or users. many: several values each; distinct: values that differ; filled: of `rows` those that have
    one; size: of vectors."""

    name: str
    column: str
    type: AttributeType
    many: bool
    examples: tuple[str, ...]
    distinct: int
    filled: int
    rows: int
    size: int = 0


class ItemSurvey(NamedTuple):
    """attributes of the columns that are no id, in the file's order; ids: of the sampled rows; no_id: rows without one; misfits:
    columns of what every item has or is declared, with values that don't fit; others: in words, what is not as declared."""

    attributes: tuple[Attribute, ...]
    ids: frozenset[str]
    rows: int
    no_id: int
    misfits: tuple[Misfit, ...] = ()
    others: tuple[str, ...] = ()


class UserSurveys(NamedTuple):
    """Files of users, what each holds, and (file, why) of those that hold none."""

    files: tuple[UserFile, ...]
    surveys: tuple[ItemSurvey, ...]
    left_out: tuple[tuple[Path, str], ...]


def survey_items(
    file: ItemFile | UserFile, rejects: Rejects, declared: Mapping[str, Declared] = NOTHING_DECLARED
) -> ItemSurvey:
    """Read the first rows of the file. A column that `declared` has by name is of the type there, unless more than a tenth of its
    values are none. Raises BadInput for a file that can't be read."""
    path = Path(file.file)
    columns = list(column_names(path, file.quotes))
    parts = list(_first_tables(file, columns, rejects))
    if not parts:
        return ItemSurvey((), frozenset(), 0, 0)
    sample = pa.concat_tables(parts, promote_options="permissive")
    ids = texts(sample[file.id])
    built_in = BUILT_IN_TYPES if isinstance(file, ItemFile) else NOTHING_DECLARED
    seen = [_attribute(name, sample[name], name == file.title, built_in) for name in columns if name != file.id]
    compared = [_as_declared(each, sample[each.column], declared.get(each.name), built_in) for each in seen]
    attributes = tuple(each.attribute for each in compared)
    misfits = [each.misfit for each in compared if each.misfit is not None]
    found = frozenset(word for word in pc.unique(ids).to_pylist() if word is not None)
    others = tuple(each.other for each in compared if each.other)
    return ItemSurvey(
        attributes, found, len(sample), ids.null_count, (*misfits, *_misfits(attributes, sample, built_in)), others
    )


def survey_users(files: Sequence[UserFile], rejects: Rejects, declared: Mapping[str, Declared]) -> UserSurveys:
    """Read the first rows of files of users, as `survey_items`. A file that has each user again and again, or none in many rows,
    is a log, and left out; so are columns that are not declared and name people."""
    known: list[tuple[UserFile, ItemSurvey]] = []
    left_out: list[tuple[Path, str]] = []
    for file in files:
        survey = survey_items(file, rejects, declared)
        repeated = survey.rows - survey.no_id - len(survey.ids)
        if survey.no_id > REFUSED_SHARE * survey.rows or 2 * repeated > survey.rows:
            why = f"{survey.no_id:,} of {survey.rows:,} rows have no user, and {repeated:,} one that came before: it is a log"
            left_out.append((Path(file.file), why))
            continue
        why_not = {each: _why_not_of_users(each, len(survey.ids), declared) for each in survey.attributes}
        others = [f"the column {each.column} of users is left out: {why}" for each, why in why_not.items() if why]
        usable = tuple(each for each, why in why_not.items() if not why)
        known.append((file, survey._replace(attributes=usable, others=(*survey.others, *others))))
    return UserSurveys(tuple(file for file, _ in known), tuple(survey for _, survey in known), tuple(left_out))


def _why_not_of_users(each: Attribute, users: int, declared: Mapping[str, Declared]) -> str:
    """Why a column is no attribute of users; "" where it is one."""
    if each.type in ("vector", "place"):
        return f"users have no {each.type}"
    if each.name in declared:
        return ""
    if each.name == USER_ID:
        return "an attribute can't be called as the id is"
    if each.type == "text":
        return "it holds texts, which name people"
    if known_names.plain(each.column).endswith(known_names.PERSONAL):
        return "it names people"
    is_own = each.type == "facet" and not each.many and each.distinct > max(FEW_VALUES, users // 2)
    return "nearly each user has a value of their own" if is_own else ""


def columns_of_several(file: ItemFile | UserFile, columns: Sequence[str]) -> frozenset[str]:
    """Of columns of facets those whose texts hold several values each, by the first rows. Raises BadInput for a file that can't
    be read."""
    parts = list(_first_tables(file, columns, Rejects())) if columns else []
    if not parts:
        return frozenset()
    sample = pa.concat_tables(parts, promote_options="permissive")
    return frozenset(name for name in columns if has_several(texts(sample[name]).drop_null()))


class _Compared(NamedTuple):
    """A column beside what is declared by its name. misfit: values that are none of it; other: why it is of another type."""

    attribute: Attribute
    misfit: Misfit | None = None
    other: str = ""


def _as_declared(
    seen: Attribute, values: pa.ChunkedArray, known: Declared | None, built_in: Mapping[str, Declared]
) -> _Compared:
    """A column by the type that is declared for its name, where its values can be read as that: a single one that can't be makes
    numbers look like texts, and what kind of number it is only the name says."""
    if known is None or known.type == seen.type or not seen.filled or seen.name in built_in:
        return _Compared(seen)
    misfit = Misfit(seen.column, seen.name, of_items=bool(built_in))
    read_column(values, known, misfit)
    if misfit.is_too_much:
        return _Compared(
            seen, None, f"{seen.name} is a {known.type} in the preset and a {seen.type} here: {misfit.text}"
        )
    return _Compared(seen._replace(type=known.type, many=known.many), misfit if misfit else None)


def completed(file: F, survey: ItemSurvey, declared: Mapping[str, Declared]) -> F:
    """The file's description with the columns of attributes, by the types that are declared for their names, else by those that
    they seem to be."""
    types = {
        each.column: declared[each.name].type if each.name in declared else each.type
        for each in survey.attributes
        if each.column != file.title
    }
    return replace(file, **columns_by_type(types))


def _first_tables(file: ItemFile | UserFile, columns: Sequence[str], rejects: Rejects) -> Iterator[pa.Table]:
    """The first SAMPLE_ROWS rows, and those that are read with them."""
    count = 0
    for table in tables(Path(file.file), columns, rejects, (file.id,), file.quotes):
        yield table
        count += len(table)
        if count >= SAMPLE_ROWS:
            return


def _misfits(attributes: Sequence[Attribute], sample: pa.Table, built_in: Mapping[str, Declared]) -> Iterator[Misfit]:
    for each in attributes:
        if each.name in built_in:
            misfit = Misfit(each.column, each.name)
            read_column(sample[each.column], built_in[each.name], misfit)
            if misfit:
                yield misfit


def _attribute(column: str, values: pa.ChunkedArray, is_title: bool, built_in: Mapping[str, Declared]) -> Attribute:
    name, values = known_names.attribute_name(column), without_nan(values)
    if pa.types.is_list(values.type) and not pa.types.is_string(values.type.value_type):
        lengths = pc.unique(pc.list_value_length(values).drop_null()).to_pylist()
        kind: AttributeType = "vector" if len(lengths) == 1 and lengths[0] > 1 else "facet"
        if lengths == [2] and known_names.plain(column).endswith(known_names.COORDINATES):
            kind = "place"
        filled, size = len(values) - values.null_count, lengths[0] if kind == "vector" else 0
        return Attribute(name, column, kind, kind == "facet", (), 0, filled, len(values), size)
    fractions = pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    words = trimmed(values.combine_chunks().cast(pa.string()) if fractions else texts(values)).drop_null()
    unique = pc.unique(words)
    sample = unique.to_pylist()
    kind, many = ("text", False) if is_title else _type(known_names.plain(column), values, words, sample)
    if name in built_in:
        kind, many = built_in[name].type, False
    if many:
        sample = list(dict.fromkeys(part.strip() for word in sample for part in word.split(SEVERAL)))
    return Attribute(name, column, kind, many, tuple(sample[:3]), len(sample), len(words), len(values))


def _type(name: str, values: pa.ChunkedArray, words: pa.Array, sample: Sequence[str]) -> tuple[AttributeType, bool]:
    """(type, whether an item has several): by the column's type, its name and its values."""
    if pa.types.is_boolean(values.type):
        return "flag", False
    if pa.types.is_temporal(values.type):
        return "time", False
    if pa.types.is_list(values.type):
        return "facet", True
    if not sample:
        return "text", False
    if {word.lower() for word in sample} <= FLAGS.keys() and (
        name.startswith(("is", "has")) or not sample[0].isdigit()
    ):
        return "flag", False
    numbers = as_numbers(words)
    is_dated = times(pa.chunked_array([words]), to_come=True).null_count == 0
    if is_dated and (numbers is None or (name.endswith(_TIME_ENDS) and pc.min(numbers).as_py() >= FIRST_DAY)):
        return "time", False
    if numbers is not None:
        return ("facet" if name.endswith("id") else "number"), False
    if has_several(words):
        return "facet", True
    if sample[0].startswith(("http://", "https://")):
        return "text", False
    length = (pc.sum(pc.utf8_length(words)).as_py() or 0) / len(words)
    repeats = len(sample) <= max(20, len(words) // 2)
    lines = (pc.sum(pc.match_substring_regex(words, "[[:cntrl:]]")).as_py() or 0) * 10 > len(words)  # no facet's value
    return ("facet" if length <= FACET_LENGTH and repeats and not lines else "text"), False


def user_doubts(surveys: Sequence[tuple[EventFile, EventSurvey]], people: Sequence[ItemSurvey]) -> list[str]:
    """What is doubtful of files of users, beside those of events, in words."""
    found = [f"{survey.no_id:,} rows of users have no id" for survey in people if survey.no_id]
    repeated = sum(survey.rows - survey.no_id - len(survey.ids) for survey in people)
    if repeated:
        found.append(f"{repeated:,} rows of users are of one that came before: what the last says counts")
    known = set[str]().union(*(survey.ids for survey in people))
    named = set[str]().union(*(survey.users for _, survey in surveys))
    if people and (without := len(named - known)):
        found.append(f"{without:,} of {len(named):,} users in events are in no file of users")
    found += [each.doubt for survey in people for each in survey.misfits]
    return [*found, *(each for survey in people for each in survey.others)]


def doubts(surveys: Sequence[tuple[EventFile, EventSurvey]], catalogues: Sequence[ItemSurvey]) -> list[str]:
    """What is doubtful of files of items, beside those of events, in words."""
    known = set[str]().union(*(survey.ids for survey in catalogues))
    named = set[str]().union(*(survey.items for _, survey in surveys))
    if not catalogues:
        return ["there is no file of items: they have no attributes until they are put"]
    without = len(named - known)
    sampled = any(survey.rows >= SAMPLE_ROWS for survey in catalogues)
    found = [f"{survey.no_id:,} rows of items have no id" for survey in catalogues if survey.no_id]
    repeated = sum(survey.rows - survey.no_id - len(survey.ids) for survey in catalogues)
    if repeated:
        found.append(f"{repeated:,} rows of items are of one that came before: what the last says counts")
    found += [each.doubt for survey in catalogues for each in survey.misfits]
    found += [each for survey in catalogues for each in survey.others]
    if without and not sampled:
        found.append(f"{without:,} of {len(named):,} items in events are in no file of items")
    return found
