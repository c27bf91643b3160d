"""What items of a home have, compiled from the schema's `[items.NAME]`: attributes are checked here, and the names under which an
item counts for tastes are made here, once, when the item is read. The fold sees those names alone.

A value of the first facet is such a name as it stands ("Comedy"), one of another facet stands behind the facet's name
("brand:Nike"); a number counts by decade ("1990s") or by band ("price:20-50").
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

from features.schema.attribute_values import Checked
from features.schema.checked_fields import Fields
from features.schema.declarations import Attribute, Number, band_of
from features.types import Item, ItemId

MAX_TASTE_BYTES: Final = 48
"""Bytes of a taste's name; a longer one is cut, and a hash of the whole follows."""


class Attributes(Fields):
    """The attributes of a home's items.

    declared  name → attribute, in the schema's order
    labels    the facet whose values are labels: the first that counts for tastes; None without one
    era       the number by whose decades items count; None without one
    brief     what an answer carries where nobody names attributes: all but texts and vectors
    """

    def __init__(self, declared: Mapping[str, Attribute]) -> None:
        super().__init__(declared)
        tasted = [(name, each) for name, each in declared.items() if each.enters_tastes]
        self.labels = next((name for name, each in tasted if each.type == "facet"), None)
        self.era = next((name for name, each in tasted if each.tastes == "decade"), None)
        self.brief = tuple(name for name, each in declared.items() if each.type not in ("text", "vector"))
        self._tasted = sorted(
            tasted, key=lambda pair: pair[0] != self.labels
        )  # stable: labels, then the schema's order

    @property
    def facets(self) -> list[str]:
        """The names of the facets, in the schema's order."""
        return [name for name, each in self.declared.items() if each.type == "facet"]

    def taste_rules(self) -> list[tuple[str, str, tuple[Number, ...]]]:
        """What the fold depends on: of each attribute that counts for tastes its name, its type (apart: a facet of one value)
        and its bands (none: by decade)."""
        return [
            (name, "one facet" if each.type == "facet" and not each.many else each.type, each.bands)
            for name, each in self._tasted
        ]

    def item(self, item_id: ItemId, title: str, fields: Mapping[str, Checked], **more: Any) -> Item:
        """An item with these attributes, as `check` gives them; `more`: further fields of `Item`."""
        facets: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for name, value in fields.items():
            if self.declared[name].type == "facet":
                facets[name] = (value,) if isinstance(value, str) else value
            else:
                values[name] = value
        label_count, tastes = 0, list[str]()
        for name, attribute in self._tasted:
            if attribute.type == "facet":
                prefix = "" if name == self.labels else f"{name}:"
                tastes += (_short(prefix + value) for value in facets.get(name, ()))
                label_count = len(tastes) if name == self.labels else label_count
            elif name in values:
                tastes += self._number_tastes(name, attribute, values[name])
        year = int(values.get(self.era, 0)) if self.era is not None else 0
        return Item(
            item_id, title, facets, values, tuple(dict.fromkeys(tastes)), label_count, max(year, 0), **more
        )  # labels are distinct and come first, so that none of them is lost

    def again(self, item: Item) -> Item:
        """The item under this schema, where another one made it: attributes that do not fit are left out, and all values but the
        first of a facet that has one now."""
        more = {name: getattr(item, name) for name in ("image_url", "available", "expires", "deleted", "ts", "outer")}
        return self.item(item.item_id, item.title, self.fitting(self.fields_of(item)), **more)

    def fields_of(self, item: Item) -> dict[str, Any]:
        """All attributes that an item has, as `check` takes them."""
        one = {name for name, each in self.declared.items() if each.type == "facet" and not each.many}
        facets = {name: values[0] if name in one else values for name, values in item.facets.items()}
        return {**facets, **item.values}

    def shown(self, item: Item, names: Iterable[str]) -> dict[str, Any]:
        """These attributes of an item as answers carry them: of a facet with many values a tuple, which may be empty; else the
        value, or None without one."""
        fields = self.fields_of(item)
        return {name: fields.get(name, () if self.declared[name].is_list_of_values else None) for name in names}

    @staticmethod
    def _number_tastes(name: str, attribute: Attribute, number: Number) -> list[str]:
        if attribute.tastes == "decade":
            return [f"{int(number) // 10 * 10}s"] if number > 0 else []
        band = band_of(name, attribute.bands, number)
        return [_short(band)] if band else []


def _short(name: str) -> str:
    whole = name.encode()
    if len(whole) <= MAX_TASTE_BYTES:
        return name
    mark = blake2b(whole, digest_size=6).hexdigest()
    return whole[: MAX_TASTE_BYTES - len(mark) - 1].decode(errors="ignore") + "~" + mark
