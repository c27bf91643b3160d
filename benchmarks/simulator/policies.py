"""What may recommend in the shop: one small interface, and the policies that need no service."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from benchmarks.simulator.shop import Shop
from benchmarks.simulator.shoppers import CLICK, CLICK_WORTH, PURCHASE_WORTH, Act, Now, Shoppers, best
from features.arrays import BoolArray


class Policy(Protocol):
    """Gives lists in the shop, and learns from what is done there. name: as it stands in tables."""

    name: str

    def appear(self, items: Sequence[int], day: float) -> None:
        """Items that are new in the shop."""

    def observe(self, acts: Sequence[Act]) -> None:
        """What users did since, in the order of time: on lists and without them."""

    def recommend(self, now: Now, count: int) -> list[int]:
        """A list of at most `count` items, best first, each once; −1 for one that the shop does not have. Of `now` a policy may
        read the visit alone, its goal is for the oracle."""


class _Knowing:
    """A policy that is told what others learn."""

    def __init__(self, shoppers: Shoppers) -> None:
        self._shoppers = shoppers

    def appear(self, items: Sequence[int], day: float) -> None:
        pass

    def observe(self, acts: Sequence[Act]) -> None:
        pass


class Oracle(_Knowing):
    """Knows the probabilities: the list of the highest expected worth."""

    name = "oracle"

    def recommend(self, now: Now, count: int) -> list[int]:
        return best(self._shoppers.worth(now), count)


class Insider(_Knowing):
    """Knows everybody's liking of categories, what they need, and every item's quality; not which brands a user likes, and of a
    visit's goal only what the clicks in it let one infer. Nobody who learns from clicks alone can know so much."""

    name = "insider"

    def recommend(self, now: Now, count: int) -> list[int]:
        shoppers, shop = self._shoppers, self._shoppers.shop
        indifferent = np.zeros(shop.plan.brands)
        chances, clicked = shoppers.goal_probabilities(now.visit), list(now.clicked)
        worth = np.zeros(len(shop.category))
        for goal, probability in enumerate(chances):
            of_goal = replace(now, goal=goal)
            likely = probability * np.prod(shoppers.click_probabilities(of_goal, indifferent)[clicked])
            worth += likely * shoppers.worth(of_goal, indifferent)
        return best(worth, count)


class _Catalogue:
    """A policy that knows which items there are."""

    def __init__(self, shop: Shop) -> None:
        self._present: BoolArray = np.zeros(len(shop.category), bool)

    def appear(self, items: Sequence[int], day: float) -> None:
        self._present[list(items)] = True


class Uniform(_Catalogue):
    """Any items, with equal probability."""

    name = "random"

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self._rng = np.random.default_rng(shop.plan.seed)

    def observe(self, acts: Sequence[Act]) -> None:
        pass

    def recommend(self, now: Now, count: int) -> list[int]:
        items: list[int] = self._rng.permutation(np.flatnonzero(self._present))[:count].tolist()
        return items


class Popular(_Catalogue):
    """The items with the highest worth of clicks and purchases so far, the same for everybody; ties by number."""

    name = "popular"

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self._worth = np.zeros(len(shop.category))

    def observe(self, acts: Sequence[Act]) -> None:
        for act in acts:
            self._worth[act.item] += CLICK_WORTH if act.kind == CLICK else PURCHASE_WORTH

    def recommend(self, now: Now, count: int) -> list[int]:
        items = np.flatnonzero(self._present)
        found: list[int] = items[np.argsort(-self._worth[items], kind="stable")[:count]].tolist()
        return found
