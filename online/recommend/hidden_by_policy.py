"""Items that the home's policy shows in no list."""

from features.arrays import BoolArray
from features.errors import BadInput
from features.schema.attributes import Attributes
from online.ranking.policy import Hide, Serving
from online.stores.item_store import ItemStore


def doubt_hidden(serving: Serving, items: Attributes) -> BadInput | None:
    """What of `hide` can hide nothing, since items have no such attribute; None: nothing."""
    for where, policy in serving.policies.items():
        hide = policy.hide
        if strange := sorted(set(hide.facets).difference(items.facets)):
            known = ", ".join(items.facets) or "none: the schema declares no facet"
            return BadInput(f"{where}, hide, facets", f"facets out of {known}", ", ".join(strange))
        if hide.genres and items.labels is None:
            return BadInput(f"{where}, hide", "no genres: no facet of the schema has labels", ", ".join(hide.genres))
        if items.era is None and (hide.before is not None or hide.after is not None):
            years = f"before {hide.before}, after {hide.after}"
            return BadInput(f"{where}, hide", "no years: no number of the schema counts by decade", years)
    return None


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
