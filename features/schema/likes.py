"""Which items of one list a user liked, kept up act by act, by what the home's schema says of the acts."""

import msgspec

from features.schema.tables import Schema
from features.types import ItemId


class Likes(msgspec.Struct):
    """Acts on the items of one list. judged: item → whether the newest judgement is a like; clicked: items that were looked at.

    A judgement is an act that has a weight, or a value that decides it; a look (`click` in the schema) is a like where there is
    no judgement.
    """

    judged: dict[ItemId, bool] = {}
    clicked: set[ItemId] = set()

    def add(self, schema: Schema, code: int, centi: int, item_id: ItemId) -> None:
        """Take in an act of a kind and value (hundredths; 0 without)."""
        kind, weight = schema.kind(code), schema.weight(code, centi)
        if kind.click and weight >= 0:
            self.clicked.add(item_id)
        elif weight or kind.goes_by_value:
            self.judged[item_id] = weight > 0

    @property
    def liked(self) -> set[ItemId]:
        """The items that are liked."""
        return {item_id for item_id, liked in self.judged.items() if liked} | (self.clicked - self.judged.keys())
