"""Which items of lists users liked, kept up act by act, by what the home's schema says of the acts."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from features.contracts.served import MAX_SLATE
from features.ids import OuterId
from features.schema.tables import Schema
from features.types import ItemId

ACTS_OF_ITEM: Final = 4
"""Acts of a user on one item of a list that are remembered, the newest; judgements stay before looks and what was taken back."""

ListName = tuple[OuterId, str]
"""A user and a request id: acts name a list by both, as another user's acts say nothing of it."""


class Opinion(IntEnum):
    """What an act says of its item. A judgement, DISLIKED or above, is an act that has a weight, or a value that decides it."""

    TAKEN_BACK = 0
    CLICKED = 1
    DISLIKED = 2
    LIKED = 3


_CLICKED, _DISLIKED, _LIKED = Opinion.CLICKED, Opinion.DISLIKED, Opinion.LIKED
ItemActs = dict[ItemId, dict[str, Opinion]]
"""Acts on one list: item → event id → what the act says, in the order in which they came."""


@dataclass
class ListActs:
    """What users did with the items of lists: of MAX_SLATE items a list, ACTS_OF_ITEM each. Its length is the number of acts.

    Of judgements the newest holds; a look (`click` in the schema) is a like where there is no judgement. An act that was taken
    back stays known, so that it does not count where it comes again.
    """

    lists: dict[ListName, ItemActs] = field(default_factory=dict)
    known: dict[tuple[OuterId, str], dict[str, Opinion]] = field(default_factory=dict)
    """User and event id → the acts on that item of that list: an undo names an act alone."""

    def __len__(self) -> int:
        return len(self.known)

    def hold(self, name: ListName, acts: ItemActs) -> None:
        """Have these acts on a list, of which there are none."""
        self.lists[name] = acts
        for each in acts.values():
            self.known.update(((name[0], event_id), each) for event_id in each)

    def add(self, name: ListName, schema: Schema, event_id: str, code: int, centi: int, item_id: ItemId) -> None:
        """Take in an act of a kind and value (hundredths; 0 without), unless it has come before or says nothing."""
        user, opinion = name[0], _opinion(schema, code, centi)
        if opinion is None or (user, event_id) in self.known:
            return
        items = self.lists.setdefault(name, {})
        if item_id not in items and len(items) == MAX_SLATE:
            return
        acts = items.setdefault(item_id, {})
        acts[event_id] = opinion
        self.known[user, event_id] = acts
        if len(acts) > ACTS_OF_ITEM:
            first = min(acts, key=lambda each: acts[each] >= Opinion.DISLIKED)
            del acts[first], self.known[user, first]

    def take_back(self, user: OuterId, event_id: str) -> None:
        """Note that a user's act was undone, if it is one of these."""
        acts = self.known.get((user, event_id))
        if acts is not None:
            acts[event_id] = Opinion.TAKEN_BACK

    def liked(self, name: ListName) -> set[ItemId]:
        """The items of a list that are liked."""
        return {item_id for item_id, acts in self.lists.get(name, {}).items() if _is_liked(acts)}

    def forget(self, name: ListName) -> None:
        """Drop what was done with a list."""
        for acts in self.lists.pop(name, {}).values():
            for event_id in acts:
                del self.known[name[0], event_id]


def is_like(schema: Schema, code: int, centi: int) -> bool:
    """Whether an act on a shown item, taken alone, likes it."""
    return _opinion(schema, code, centi) in (Opinion.CLICKED, Opinion.LIKED)


def _opinion(schema: Schema, code: int, centi: int) -> Opinion | None:
    kind, weight = schema.kind(code), schema.weight(code, centi)
    if kind.click and weight >= 0:
        return Opinion.CLICKED
    if weight or kind.goes_by_value:
        return Opinion.LIKED if weight > 0 else Opinion.DISLIKED
    return None


def _is_liked(acts: dict[str, Opinion]) -> bool:
    """Whether acts on one item like it. A page of figures decides it of 200,000 items at once."""
    clicked = False
    for opinion in reversed(acts.values()):
        if opinion >= _DISLIKED:
            return opinion == _LIKED
        clicked = clicked or opinion == _CLICKED
    return clicked
