"""A schema proposed for one's own data: the text of `schema.toml`, what was seen beside each line, and what is doubtful."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from features.errors import BadInput
from features.schema.declarations import BUILT_IN, MAX_ATTRIBUTES, MAX_CONTEXT, MAX_VECTOR, ContextField
from features.schema.declarations import RESERVED as RESERVED_ATTRIBUTES
from features.schema.declarations import Attribute as Declared
from features.schema.document import Document, preset, preset_names, read_document, write_document
from features.schema.event_kinds import EventKind
from features.types import KINDS, MAX_OWN_KINDS, UNDO
from offline.datasets.own import event_survey, item_survey
from offline.datasets.own.any_file import column_names
from offline.datasets.own.describe import MAX_CONTEXT_VALUES, ContextColumn, circumstances, completed, user_attributes
from offline.datasets.own.description import Description, EventFile
from offline.datasets.own.event_survey import EventSurvey, survey_events
from offline.datasets.own.item_survey import Attribute, ItemSurvey, survey_items, survey_users
from offline.datasets.own.known_names import kind_name
from offline.datasets.own.recogniser import Found
from offline.datasets.rejected_lines import Rejects

FALLBACK: Final = "shop"
"""The preset of data whose kinds no preset knows."""


class Proposal(NamedTuple):
    """
    description  of the files, whole
    preset       that the schema starts from
    schema       the text of `schema.toml`
    kinds        name → events
    attributes   of items
    of_users     their attributes
    of_context   what events say of their circumstances
    doubts       in words, each a line
    events, users, items  how many were seen
    """

    description: Description
    preset: str
    schema: str
    kinds: Counter[str]
    attributes: tuple[Attribute, ...]
    of_users: tuple[Attribute, ...]
    of_context: tuple[ContextColumn, ...]
    doubts: tuple[str, ...]
    events: int
    users: int
    items: int


def propose(found: Found, preset_name: str | None = None) -> Proposal:
    """Read the files and propose what they mean. Raises BadInput for a file that can't be read, or a preset that there is not."""
    rejects = Rejects()
    surveys = [(file, survey_events(file, rejects)) for file in found.description.events]
    kinds: Counter[str] = Counter()
    for _, survey in surveys:
        for raw, count in survey.kinds.items():
            kinds[kind_name(raw) or raw] += count
    chosen = preset_name or _nearest_preset(kinds)
    document = _with_missing(preset(chosen), kinds)
    of_context = circumstances(found.description.events)
    in_context = [each for each in of_context if not each.is_too_much][: MAX_CONTEXT - len(document.context)]
    context = {each.name: ContextField("facet") for each in in_context}
    document = msgspec.structs.replace(document, context={**context, **document.context})
    catalogues = [survey_items(file, rejects, document.items) for file in found.description.items]
    people = survey_users(found.description.users, rejects, user_attributes(document))
    known, left_out = _accepted(kinds, document)
    _refuse_a_log_of_items(found.description, surveys, catalogues)
    attributes = tuple(
        each
        for file, survey in zip(found.description.items, catalogues, strict=True)
        for each in survey.attributes
        if each.column != file.title or each.name == "title"
    )
    declared, refused = _declared(attributes, document)
    items_have = {**document.items, **declared}
    of_users, beyond = _of_users(people.surveys, document)
    users_have = {**user_attributes(document), **{each.name: Declared(each.type, each.many) for each in of_users}}
    recognised = msgspec.structs.replace(found.description, users=people.files)
    description = completed(
        recognised, [survey for _, survey in surveys], catalogues, people.surveys, document, items_have, users_have
    )
    doubts = [] if surveys else [_no_events(None if preset_name else chosen)]
    doubts += [
        *event_survey.doubts(surveys, rejects),
        *event_survey.order_ids(surveys),
        *item_survey.doubts(surveys, catalogues),
        *item_survey.user_doubts(surveys, people.surveys),
        *beyond,
    ]
    found.remark_left_out(rejects, people.left_out)
    doubts += rejects.remarks()
    doubts += [f"the column {column} of items is left out: {why}" for column, why in refused]
    doubts += [
        f"the column {each.column} of events is left out: more than {MAX_CONTEXT_VALUES} different values"
        for each in of_context
        if each.is_too_much
    ]
    doubts += event_survey.value_doubts(description.events, surveys, document)
    doubts += [f"{kinds[name]:,} events are of the kind {name!r}, which is left out: {why}" for name, why in left_out]
    doubts += [
        f"{name!r} is no kind of the preset {chosen}: its weight is 0 until you say what it means"
        for name in known
        if name not in document.events
    ]
    users = set[str]().union(*(survey.users for _, survey in surveys))
    items = set[str]().union(*(survey.items for _, survey in surveys), *(survey.ids for survey in catalogues))
    return Proposal(
        description,
        chosen,
        _schema_text(
            description,
            chosen,
            document,
            {name: kinds[name] for name in known},
            [*_attribute_lines(attributes, declared), *_user_lines(of_users), *_context_lines(in_context)],
            doubts,
            surveys,
        ),
        kinds,
        attributes,
        of_users,
        tuple(in_context),
        tuple(doubts),
        kinds.total(),
        len(users),
        len(items),
    )


def _refuse_a_log_of_items(
    description: Description, surveys: Sequence[object], catalogues: Sequence[ItemSurvey]
) -> None:
    """Raises BadInput where there are no events, and a file taken for items has each item again and again: it is a log whose
    columns were not recognised, and what its users did would become attributes of items."""
    for file, survey in zip(description.items, catalogues, strict=True):
        repeated = survey.rows - survey.no_id - len(survey.ids)
        if not surveys and 2 * repeated > survey.rows:
            columns = ", ".join(column_names(Path(file.file)))
            raise BadInput(
                file.file,
                "events with columns of user, item and time by names that are known, or a dataset.toml that names them "
                "(docs/own-data.md)",
                f"{repeated:,} of {survey.rows:,} rows of an item that came before, in columns {columns}",
            )


def _no_events(chosen: str | None) -> str:
    """The doubt of files without events. chosen: the preset, where nobody named one."""
    by_default = (
        f"; the preset {chosen} was taken, as no kind of event tells which: name another with --preset"
        if chosen
        else ""
    )
    return f"there are no events: no file has columns of user, item and time by names that are known{by_default}"


def _nearest_preset(kinds: Counter[str]) -> str:
    """The preset that knows most of the kinds; of those alike the one that gives them a meaning of its own."""
    if set(kinds) == {"rating"}:
        return "movies"

    def score(name: str) -> tuple[int, int, int]:
        known = [kind for kind in kinds if kind in preset(name).events]
        own = [kind for kind in known if kind not in KINDS]
        return len(own), len(known), name == FALLBACK

    return max(preset_names(), key=score)


def _with_missing(document: Document, kinds: Iterable[str]) -> Document:
    """A preset, with those of the kinds that every schema may have and it lacks as films mean them: a rating has stars."""
    films = preset("movies").events
    missing = {name: films[name] for name in kinds if name in films and name not in document.events}
    return msgspec.structs.replace(document, events={**document.events, **missing})


def _accepted(kinds: Counter[str], document: Document) -> tuple[list[str], list[tuple[str, str]]]:
    """The kinds that the schema lists, the commonest first, and those left out with the reason."""
    room = MAX_OWN_KINDS - len([name for name in document.events if name not in KINDS])
    known: list[str] = []
    left_out: list[tuple[str, str]] = []
    for name in by_count(kinds):
        if name in document.events or name in KINDS[:UNDO]:
            known.append(name)
        elif why := _refusal(name):
            left_out.append((name, why))
        elif room:
            room -= 1
            known.append(name)
        else:
            left_out.append((name, f"a schema has at most {MAX_OWN_KINDS} kinds of its own"))
    return known, left_out


def _refusal(name: str) -> str:
    """Why a schema can't have a kind of this name; "" where it can."""
    try:
        read_document(f"[events.{json.dumps(name)}]\nweight = 1.0")
    except BadInput as error:
        return "the name has another meaning" if error.received == name else f"a kind has {error.expected}"
    return ""


def by_count(kinds: Counter[str]) -> list[str]:
    """The names of kinds, the commonest first."""
    return sorted(kinds, key=lambda name: (-kinds[name], name))


def _schema_text(
    description: Description,
    chosen: str,
    document: Document,
    kinds: dict[str, int],
    attributes: Sequence[str],
    doubts: Sequence[str],
    surveys: Sequence[tuple[EventFile, EventSurvey]],
) -> str:
    files = ", ".join(path.name for path in description.files())
    lines = [f"# Proposed by ./martlet init of {files}. Change what is not as you mean it, then: ./martlet up"]
    lines += [f"# {_span(surveys)}"] if kinds else []
    lines += ["#", "# Doubts:", *(f"# - {doubt}" for doubt in doubts)] if doubts else []
    lines += ["", f'preset = "{chosen}"', ""]
    raw_names: dict[str, list[str]] = {}
    for file in description.events:
        for raw, name in file.kinds.items():
            raw_names.setdefault(name, []).append(raw)
    for name, count in kinds.items():
        raws = raw_names.get(name)
        lines.append(f"# {count:,} events" + (f", {', '.join(map(repr, raws))} in the files" if raws else ""))
        columns = sorted({file.values[name] for file in description.events if name in file.values})
        kind = document.events.get(name, EventKind())
        if columns:
            use = "its value stands in" if kind.value else "it has no value here, but numbers in"
            lines.append(f"# {use} the column {', '.join(columns)}")
        lines += [f"[events.{name}]", *_fields(name, kind, document), ""]
    lines += attributes
    return "\n".join(lines).rstrip() + "\n"


def _fields(name: str, kind: EventKind, document: Document) -> list[str]:
    """The lines of a kind's table, as `write_document` has them."""
    if name not in document.events:
        return ["weight = 0.0        # from -1 (against the item) to 1 (for it)"]
    return write_document(Document({name: kind})).partition(f"[events.{name}]\n")[2].rstrip().splitlines()


def _declared(attributes: Sequence[Attribute], document: Document) -> tuple[dict[str, Declared], list[tuple[str, str]]]:
    """What the schema declares, by name, the preset's own where it has one of the name and type; and columns that it can't
    have, with the reason."""
    declared: dict[str, Declared] = {}
    refused: list[tuple[str, str]] = []
    for each in attributes:
        if each.name in RESERVED_ATTRIBUTES:
            refused += [] if each.name in BUILT_IN else [(each.column, "the name has another meaning")]
        elif not each.filled or each.name in declared:  # of two files' columns with one name the first
            continue
        elif each.size > MAX_VECTOR:
            refused.append((each.column, f"a vector has at most {MAX_VECTOR} numbers"))
        elif len(document.items.keys() | declared.keys() | {each.name}) > MAX_ATTRIBUTES:
            refused.append((each.column, f"a schema has {MAX_ATTRIBUTES} attributes, those of the preset among them"))
        else:
            known = document.items.get(each.name)
            is_known = known is not None and (known.type, known.many) == (each.type, each.many)
            declared[each.name] = known if known and is_known else Declared(each.type, each.many, size=each.size)
    return declared, refused


def _of_users(people: Sequence[ItemSurvey], document: Document) -> tuple[tuple[Attribute, ...], list[str]]:
    """The attributes that users have in files, each name once, and in words those that are too many."""
    found: dict[str, Attribute] = {}
    left_out: list[str] = []
    for each in (each for survey in people for each in survey.attributes if each.filled):
        if len(document.users.keys() | found.keys() | {each.name}) <= MAX_ATTRIBUTES:
            found.setdefault(each.name, each)
        else:
            left_out.append(f"the column {each.column} of users is left out: a schema has {MAX_ATTRIBUTES} attributes")
    return tuple(found.values()), left_out


def _user_lines(attributes: Sequence[Attribute]) -> list[str]:
    """The tables of users' attributes, each below what was seen of its column."""
    lines: list[str] = []
    for each in attributes:
        lines += [_seen(each, "user"), f"[users.{each.name}]", f'type = "{each.type}"']
        lines += ["many = true", ""] if each.many else [""]
    return lines


def _context_lines(of_context: Sequence[ContextColumn]) -> list[str]:
    """The tables of what events say of their circumstances, each below what was seen of its column."""
    lines: list[str] = []
    for each in of_context:
        examples = ", ".join(repr(text[:40]) for text in each.values[:3])
        seen = f"{len(each.values):,} different in {each.filled:,} of {each.rows:,}, such as {examples}"
        lines += [f"# {each.name} of events: {seen}", f"[context.{each.name}]", 'type = "facet"', ""]
    return lines


def _seen(each: Attribute, whose: str) -> str:
    """The comment on a column. whose: item or user."""
    several = f", several {'an' if whose == 'item' else 'a'} {whose}" if each.many else ""
    examples = f", such as {', '.join(repr(text[:40]) for text in each.examples)}" if each.examples else ""
    return f"# {each.name}: {each.type}{several}; {each.distinct:,} different in {each.filled:,} of {each.rows:,}{examples}"


def _attribute_lines(attributes: Sequence[Attribute], declared: Mapping[str, Declared]) -> list[str]:
    """The tables of items' attributes, each below what was seen of its column."""
    lines: list[str] = []
    named: dict[str, Attribute] = {}
    for each in attributes:
        named.setdefault(each.name, each)
    for each in named.values():
        lines.append(_seen(each, "item"))
        if each.name not in declared:
            lines.append("")
            continue
        text = write_document(Document(items={each.name: declared[each.name]}))
        lines += [f"[items.{each.name}]", *text.partition(f"[items.{each.name}]\n")[2].rstrip().splitlines(), ""]
    return lines


def _span(surveys: Sequence[tuple[EventFile, EventSurvey]]) -> str:
    first = min(survey.first for _, survey in surveys)
    last = max(survey.last for _, survey in surveys)
    users = len(set[str]().union(*(survey.users for _, survey in surveys)))
    items = len(set[str]().union(*(survey.items for _, survey in surveys)))
    total = sum(survey.rows for _, survey in surveys)
    return f"{total:,} events of {users:,} users and {items:,} items, from {_day(first)} to {_day(last)} (UTC)."


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
