"""Which items of one list a user liked, kept up act by act, by what the home's schema says of the acts."""

from typing import Final

import msgspec

from features.schema.tables import Schema
from features.types import ItemId

MAX_ACTS: Final = 1_000
"""Acts on one list that count, the first ones."""


class Likes(msgspec.Struct):
    """Acts of one user on the items of one list, in the order in which they came. acts: event id → the item, and whether that is
    liked (None: it was looked at); None once the act was taken back.

    A judgement is an act that has a weight, or a value that decides it; a look (`click` in the schema) is a like where there is
    no judgement. Of judgements the newest holds.
    """

    acts: dict[str, tuple[ItemId, bool | None] | None] = {}

    def add(self, schema: Schema, event_id: str, code: int, centi: int, item_id: ItemId) -> None:
        """Take in an act of a kind and value (hundredths; 0 without), unless it has come before."""
        if event_id in self.acts or len(self.acts) >= MAX_ACTS:
            return
        kind, weight = schema.kind(code), schema.weight(code, centi)
        if kind.click and weight >= 0:
            self.acts[event_id] = item_id, None
        elif weight or kind.goes_by_value:
            self.acts[event_id] = item_id, weight > 0

    def take_back(self, event_id: str) -> None:
        """Take an act out that was undone; one that is not among these is another list's."""
        if event_id in self.acts:
            self.acts[event_id] = None

    @property
    def liked(self) -> set[ItemId]:
        """The items that are liked."""
        acts = [act for act in self.acts.values() if act is not None]
        judged = {item_id: liked for item_id, liked in acts if liked is not None}
        return {item_id for item_id, _ in acts if judged.get(item_id, True)}
