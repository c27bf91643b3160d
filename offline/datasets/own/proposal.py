"""A schema proposed for one's own data: the text of `schema.toml`, what was seen beside each line, and what is doubtful."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from features.errors import BadInput
from features.schema.declarations import BUILT_IN, MAX_ATTRIBUTES
from features.schema.declarations import RESERVED as RESERVED_ATTRIBUTES
from features.schema.declarations import Attribute as Declared
from features.schema.document import Document, EventKind, preset, preset_names, read_document, write_document
from features.types import KINDS, MAX_OWN_KINDS, UNDO
from offline.datasets.own.describe import completed
from offline.datasets.own.description import Description, EventFile
from offline.datasets.own.event_survey import EventSurvey, survey_events
from offline.datasets.own.item_survey import SAMPLE_ROWS, Attribute, ItemSurvey, survey_items
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
    doubts       in words, each a line
    events, users, items  how many were seen
    """

    description: Description
    preset: str
    schema: str
    kinds: Counter[str]
    attributes: tuple[Attribute, ...]
    doubts: tuple[str, ...]
    events: int
    users: int
    items: int


def propose(found: Found, preset_name: str | None = None) -> Proposal:
    """Read the files and propose what they mean. Raises BadInput for a file that can't be read, or a preset that there is not."""
    rejects = Rejects()
    surveys = [(file, survey_events(file, rejects)) for file in found.description.events]
    catalogues = [survey_items(file, rejects) for file in found.description.items]
    kinds: Counter[str] = Counter()
    for _, survey in surveys:
        for raw, count in survey.kinds.items():
            kinds[kind_name(raw) or raw] += count
    chosen = preset_name or _nearest_preset(kinds)
    document = preset(chosen)
    description = completed(found.description, [survey for _, survey in surveys], catalogues, document)
    known, left_out = _accepted(kinds, document)
    doubts = [*_event_doubts(surveys, rejects), *_item_doubts(surveys, catalogues), *_file_doubts(found)]
    doubts += [f"{kinds[name]:,} events are of the kind {name!r}, which is left out: {why}" for name, why in left_out]
    doubts += [
        f"{name!r} is no kind of the preset {chosen}: its weight is 0 until you say what it means"
        for name in known
        if name not in document.events
    ]
    users = set[str]().union(*(survey.users for _, survey in surveys))
    items = set[str]().union(*(survey.items for _, survey in surveys), *(survey.ids for survey in catalogues))
    attributes = tuple(each for survey in catalogues for each in survey.attributes)
    return Proposal(
        description,
        chosen,
        _schema_text(description, chosen, document, {name: kinds[name] for name in known}, attributes, doubts, surveys),
        kinds,
        attributes,
        tuple(doubts),
        kinds.total(),
        len(users),
        len(items),
    )


def _nearest_preset(kinds: Counter[str]) -> str:
    """The preset that knows most of the kinds; of those alike the one that gives them a meaning of its own."""
    if set(kinds) == {"rating"}:
        return "movies"

    def score(name: str) -> tuple[int, int, int]:
        known = [kind for kind in kinds if kind in preset(name).events]
        own = [kind for kind in known if kind not in KINDS]
        return len(own), len(known), name == FALLBACK

    return max(preset_names(), key=score)


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
    attributes: Sequence[Attribute],
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
    lines += _attribute_lines(attributes[:MAX_ATTRIBUTES], document)
    return "\n".join(lines).rstrip() + "\n"


def _fields(name: str, kind: EventKind, document: Document) -> list[str]:
    """The lines of a kind's table, as `write_document` has them."""
    if name not in document.events:
        return ["weight = 0.0        # from -1 (against the item) to 1 (for it)"]
    return write_document(Document({name: kind})).partition(f"[events.{name}]\n")[2].rstrip().splitlines()


def _attribute_lines(attributes: Sequence[Attribute], document: Document) -> list[str]:
    """The tables of items' attributes, the preset's own where it has one of the name and type."""
    lines: list[str] = []
    named: dict[str, Attribute] = {}
    for each in attributes:
        named.setdefault(each.name, each)  # of two files' columns with one name the first
    for each in named.values():
        several = ", several an item" if each.many else ""
        examples = f", such as {', '.join(repr(text[:40]) for text in each.examples)}" if each.examples else ""
        lines.append(
            f"# {each.name}: {each.type}{several}; {each.distinct:,} different in {each.filled:,} of {each.rows:,}{examples}"
        )
        if each.name in RESERVED_ATTRIBUTES or not each.filled:
            lines.append("")
            continue
        known = document.items.get(each.name)
        if known is None or (known.type, known.many) != (each.type, each.many):
            known = Declared(each.type, each.many, size=each.size)
        text = write_document(Document(items={each.name: known}))
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


def _event_doubts(surveys: Sequence[tuple[EventFile, EventSurvey]], rejects: Rejects) -> list[str]:
    doubts = [f"{rejects.count:,} lines could not be read"] if rejects.count else []
    for file, survey in surveys:
        name = Path(file.file).name
        for count, what in (
            (survey.no_user, "no user"),
            (survey.no_item, "no item"),
            (survey.no_time, "no time that can be read, from 1970 to now"),
            (survey.no_kind, "no kind"),
        ):
            if count:
                doubts.append(f"{100 * count / survey.rows:.2g} % of the rows of {name} have {what} ({count:,} rows)")
        if not file.kind:
            doubts.append(f"{name} has no column of a kind of event: all of its rows are taken for {file.every!r}")
        if not survey.rows:
            doubts.append(f"{name} has no rows")
    return doubts


def _item_doubts(surveys: Sequence[tuple[EventFile, EventSurvey]], catalogues: Sequence[ItemSurvey]) -> list[str]:
    known = set[str]().union(*(survey.ids for survey in catalogues))
    named = set[str]().union(*(survey.items for _, survey in surveys))
    if not catalogues:
        return ["there is no file of items: they have no attributes until they are put"]
    without = len(named - known)
    sampled = any(survey.rows >= SAMPLE_ROWS for survey in catalogues)
    doubts = [f"{survey.no_id:,} rows of items have no id" for survey in catalogues if survey.no_id]
    names = [each.name for survey in catalogues for each in survey.attributes]
    doubts += [
        f"the column {name} of items is left out: the name has another meaning"
        for name in names
        if name in RESERVED_ATTRIBUTES and name not in BUILT_IN
    ]
    doubts += [
        f"the column {name} of items is left out: a schema has {MAX_ATTRIBUTES} attributes"
        for name in names[MAX_ATTRIBUTES:]
    ]
    if without and not sampled:
        doubts.append(f"{without:,} of {len(named):,} items in events are in no file of items")
    return doubts


def _file_doubts(found: Found) -> list[str]:
    doubts = [f"{path.name} holds users: their attributes are not read yet" for path in found.users]
    return doubts + [f"{path.name} is left out: {why}" for path, why in found.ignored]
