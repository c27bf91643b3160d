"""The shop at work: the past, drawn without a recommender, and an episode, in which one recommends and its regret is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.simulator.policies import Policy
from benchmarks.simulator.shop import Shop, Visit, draw_visits
from benchmarks.simulator.shoppers import CLICK, Act, Shoppers, best, expected
from features.arrays import BoolArray

SIZE: Final = 10
"""Items of a list."""
LISTS: Final = 2
"""Lists that a user gets in a visit, after what they met by themselves."""


@dataclass(frozen=True)
class Past:
    """What was done before the first list, and the users' memory of it; the visits that come."""

    shop: Shop
    acts: tuple[Act, ...]
    shoppers: Shoppers
    coming: tuple[Visit, ...]


@dataclass
class Curve:
    """One entry for each list, summed up to it: clicks on lists, expected worth, and regret: how much less that is than of the
    best list at each time."""

    clicks: list[int] = field(default_factory=list)
    worth: list[float] = field(default_factory=list)
    regret: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.clicks)

    def add(self, clicks: int, worth: float, lost: float) -> None:
        before = (self.clicks[-1], self.worth[-1], self.regret[-1]) if self.clicks else (0, 0.0, 0.0)
        self.clicks.append(before[0] + clicks)
        self.worth.append(before[1] + worth)
        self.regret.append(before[2] + lost)


def draw_past(shop: Shop) -> Past:
    """Draw all visits, and what users do in those before the first list: clicks and purchases of what they meet by themselves."""
    shoppers = Shoppers(shop)
    acts: list[Act] = []
    coming: list[Visit] = []
    for visit in draw_visits(shop):
        if visit.day >= 0:
            coming.append(visit)
            continue
        now = shoppers.arrive(visit)
        for step in range(1 + LISTS):
            acts += shoppers.act(now, shoppers.encounters(now, step), step)
    return Past(shop, tuple(acts), shoppers, tuple(coming))


def introduce(policy: Policy, past: Past) -> None:
    """Show a policy the first items, and what was done in the past."""
    policy.appear(np.flatnonzero(_first_items(past.shop)).tolist(), 0.0)
    policy.observe(past.acts)


def drive(
    past: Past,
    policy: Policy,
    shoppers: Shoppers,
    clicks: int | None = None,
    lists: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Curve:
    """Let a policy recommend until its lists have had so many clicks, or there were so many lists, or the plan's days are over.
    shoppers: a copy of the past's, changed by what they do. progress: called with the clicks so far."""
    shop, curve = past.shop, Curve()
    known = _first_items(shop)
    for visit in past.coming:
        present = shop.available(visit.day)
        if (present & ~known).any():
            policy.appear(np.flatnonzero(present & ~known).tolist(), visit.day)
            known = present
        now = shoppers.arrive(visit)
        policy.observe(shoppers.act(now, shoppers.encounters(now, 0), 0))
        for step in range(1, 1 + LISTS):
            worth = shoppers.worth(now)
            items = policy.recommend(now, SIZE)
            value = expected(worth, items)
            lost = expected(worth, best(worth, SIZE)) - value
            acts = shoppers.act(now, items, step)
            policy.observe(acts)
            curve.add(_clicks(acts), value, lost)
            progress(curve.clicks[-1])
            if (clicks is not None and curve.clicks[-1] >= clicks) or (lists is not None and len(curve) >= lists):
                return curve
    return curve


def _first_items(shop: Shop) -> BoolArray:
    return shop.available(-1e-9)


def _clicks(acts: Sequence[Act]) -> int:
    return sum(act.kind == CLICK for act in acts)
