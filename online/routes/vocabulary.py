"""GET /v1/schema: what this home's items are called and have, and what can be done with them; made from the home's schema."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends

from features.schema.checked_fields import Fields
from features.schema.declarations import AttributeType
from features.schema.event_kinds import ValueKind
from features.schema.tables import is_act
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.server import Server, server_of

router = APIRouter()


class ActKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of event that a user does to an item.

    value        what its `value` is (`rating`, of stars); null: it carries none
    needs_value  whether an event without a value is refused: its weight goes by it
    positive     whether it can be for its item
    negative     whether it can be against its item
    hides        for how long it keeps its item out of the user's lists: "forever", a span such as "7d", or "" for not at all
    click        whether it counts in click rates
    """

    name: str
    value: ValueKind | None
    needs_value: bool
    positive: bool
    negative: bool
    hides: str
    click: bool


class AttributeOutline(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of items or users, or a field of the context; `many`: its value is an array."""

    name: str
    type: AttributeType
    many: bool


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """What the home's events and items are.

    noun, nouns   what one item is called, and several
    ids           whether answers give every id as a string, or numbers where they are numbers
    acts          the kinds of event that a user does to an item, in the order of the schema
    items         the attributes of items, in the order of the schema
    users         those of users
    context       what events and requests may say of their circumstances
    labels        the first facet that counts for tastes, which `genre=` names; null without one
    era           the number by whose decades items count; null without one
    image_hosts   whose images the pages show
    """

    noun: str
    nouns: str
    ids: Literal["numbers", "strings"]
    acts: list[ActKind]
    items: list[AttributeOutline]
    users: list[AttributeOutline]
    context: list[AttributeOutline]
    labels: str | None
    era: str | None
    image_hosts: list[str]


def _outlines(fields: Fields) -> list[AttributeOutline]:
    return [AttributeOutline(name=name, type=each.type, many=each.many) for name, each in fields.declared.items()]


@router.get("/v1/schema")
@contract(Vocabulary)
async def get_schema(server: Annotated[Server, Depends(server_of)]) -> JsonResponse:
    """What the home's items are called and have, and what can be done with them."""
    schema = server.schema
    acts = []
    for name, declared in schema.document.events.items():
        kind = schema.kind(schema.code_of[name])
        if not is_act(kind.code):
            continue
        weights = [weight for _, weight in kind.steps]
        acts.append(
            ActKind(
                name=name,
                value=kind.value,
                needs_value=kind.needs_value,
                positive=max(weights) > 0,
                negative=min(weights) < 0,
                hides=declared.hide,
                click=kind.click,
            )
        )
    return JsonResponse(
        Vocabulary(
            noun=schema.document.noun,
            nouns=schema.document.nouns,
            ids=schema.document.ids,
            acts=acts,
            items=_outlines(schema.items),
            users=_outlines(schema.users),
            context=_outlines(schema.context),
            labels=schema.items.labels,
            era=schema.items.era,
            image_hosts=list(server.access.value.image_hosts),
        )
    )
