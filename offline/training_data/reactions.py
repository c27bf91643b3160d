"""The reactions of a user to the items of a shown list, by what the home's schema says of the acts."""

import math
from typing import NamedTuple

from msgspec import UNSET

from features.contracts.samples import Action, Sample
from features.schema.tables import Kind, Schema
from features.types import IMPRESSION, ItemId


class Reaction(NamedTuple):
    """liked: whether the user did something for the item; strength: the size of the weight of what decided it, in units of the
    schema, 0 where that was nothing, or weighs nothing."""

    liked: bool
    strength: int


def reactions_of(sample: Sample, schema: Schema) -> dict[ItemId, Reaction]:
    """Reactions to the items of the list that were probably seen.

    The newest judgement decides: an act that is no look (`click` in the schema) and has a weight, or a value that decides its
    weight. Without one the strongest look does, if there is any: it is a like. Items that came up by themselves
    (impressions), and where there are none all items of the list, are seen. An action that was undone is none, nor is one of
    a kind that the schema does not know.
    """
    undone = {action.target for action in sample.actions if action.type == "undo"}
    slate = {item.item_id for item in sample.served.items}
    acted = [each for each in sample.actions if each.event_id not in undone and each.item_id in slate]
    seen = {each.item_id for each in acted if isinstance(each.item_id, int)}
    if not any(each.type == "impression" for each in acted):
        seen = slate
    clicked: dict[ItemId, Reaction] = {}
    judgements: dict[ItemId, Reaction] = {}
    for each in acted:
        code = schema.code_of.get(each.type)
        if code is None or code == IMPRESSION or not isinstance(each.item_id, int):
            continue
        kind, weight = schema.kind(code), schema.weight(code, centi_of(each))
        if kind.click and weight >= 0:
            before = clicked.get(each.item_id, Reaction(True, 0))
            clicked[each.item_id] = Reaction(True, max(before.strength, weight))
        elif weight or _is_graded(kind):
            judgements[each.item_id] = Reaction(weight > 0, abs(weight))
    return dict.fromkeys(seen, Reaction(False, 0)) | clicked | judgements


def labels_of(sample: Sample, schema: Schema) -> dict[ItemId, float]:
    """Labels of the items of the list that were probably seen: 1 liked, 0 not."""
    return {item_id: float(reaction.liked) for item_id, reaction in reactions_of(sample, schema).items()}


def centi_of(action: Action) -> int:
    """The value of an action in hundredths, 0 without."""
    value = action.value if action.rating is UNSET else action.rating
    return 0 if value is UNSET else math.floor(value * 100 + 0.5)


def _is_graded(kind: Kind) -> bool:
    return len(kind.steps) > 1
