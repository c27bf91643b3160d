"""Items that the home's policy shows in no list."""

from features.arrays import BoolArray
from online.ranking.policy import Hide
from online.stores.item_store import ItemStore


def drop_hidden(allowed: BoolArray, items: ItemStore, hide: Hide) -> None:
    """Set `allowed`, [N] for the first N items, to False for those that are hidden: by the value of a facet, or by their year."""
    size = len(allowed)
    for facet, values in hide.by_facet(items.attributes.labels).items():
        if facet in items.facets.by_name:
            allowed &= ~items.facets.mask([(facet, value) for value in values], size)
    years = items.columns.years[:size]
    if hide.before is not None:
        allowed &= (years == 0) | (years >= hide.before)
    if hide.after is not None:
        allowed &= years <= hide.after
