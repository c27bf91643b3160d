"""What the shop's users do: with which probability they click and buy, which changes with the day, the visit's goal and what they
have bought."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from benchmarks.simulator.shop import DRAW_ACTS, DRAW_ENCOUNTERS, DRAW_GOAL, Shop, Visit
from features.arrays import BoolArray, DoubleArray

GOAL, TASTE, BRAND, QUALITY, AGAIN, OFFSET = 2.0, 2.0, 0.8, 0.8, 1.5, -4.5
"""Of a click, in logits: the goal's category; liking of category and of brand; quality; bought before and used up; none of it."""
BUY, BUY_BRAND, BUY_AGAIN = -2.5, 0.5, 2.0
"""Of a purchase after a click, in logits: any; liking of the brand; bought before and used up."""
NO_NEED: Final = 0.02
"""What remains of a click's probability after the item was bought."""
CLICKED: Final = 0.3
"""What remains of it, within a visit, after the item was clicked."""
DUE: Final = 0.8
"""A need from which on something used up may be the goal of a visit, with the probability FOR_NEED."""
FOR_NEED: Final = 0.4
MET: Final = 10
"""Items that a user meets at once without a recommender …"""
MET_GOAL: Final = 10.0
"""… so many times as often if they are of the goal's category."""
PATIENCE: Final = 0.9
"""The probability that a user who has looked at one item of a list looks at the next."""
CLICK_WORTH, PURCHASE_WORTH = 0.25, 1.0
"""What an act is worth: the weights of the preset `shop`."""
CLICK, PURCHASE = "click", "purchase"


class Act(NamedTuple):
    """A click or a purchase. visit: its number, which is that of the session."""

    day: float
    user: int
    visit: int
    item: int
    kind: str


@dataclass
class Now:
    """A visit as it goes on. goal: the category that the user came for; clicked: items clicked in it."""

    visit: Visit
    goal: int
    clicked: set[int] = field(default_factory=set)


class Shoppers:
    """The users' memory of what they bought, and their behaviour by it. bought: user → item → the day of the newest purchase."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.bought: dict[int, dict[int, float]] = {}

    def copy(self) -> "Shoppers":
        """Returns shoppers who remember the same and forget each other from now on."""
        other = Shoppers(self.shop)
        other.bought = {user: dict(items) for user, items in self.bought.items()}
        return other

    def arrive(self, visit: Visit) -> Now:
        """Begin a visit: its goal is something used up, or a category by the user's tastes."""
        shop, rng = self.shop, self.shop.random(DRAW_GOAL, visit.number)
        for_need, which, taste = rng.random(3)
        due = self._due(visit)
        if due and for_need < FOR_NEED:
            return Now(visit, int(shop.category[due[int(which * len(due))]]))
        tastes = shop.tastes(visit.user, visit.day)
        shares = np.cumsum(tastes / tastes.sum())
        return Now(visit, min(int(np.searchsorted(shares, taste, side="right")), len(shares) - 1))

    def goal_probabilities(self, visit: Visit) -> DoubleArray:
        """[C] that a category is the goal of a visit."""
        tastes = self.shop.tastes(visit.user, visit.day)
        by_taste: DoubleArray = tastes / tastes.sum()
        due = self.shop.category[self._due(visit)]
        if not len(due):
            return by_taste
        return np.asarray((1 - FOR_NEED) * by_taste + FOR_NEED * np.bincount(due, minlength=len(tastes)) / len(due))

    def click_probabilities(self, now: Now, brand_liking: DoubleArray | None = None) -> DoubleArray:
        """[I] that the user clicks an item they look at. brand_liking: [B], without it the user's own."""
        shop, liking = self.shop, self._brand_liking(now, brand_liking)
        logits = (
            OFFSET
            + GOAL * (shop.category == now.goal)
            + TASTE * shop.tastes(now.visit.user, now.visit.day)[shop.category]
            + BRAND * liking[shop.brand]
            + QUALITY * shop.quality
        )
        needs = self._needs(now.visit)
        for item in needs:
            logits[item] += AGAIN
        chances = _sigmoid(logits)
        for item, need in needs.items():
            chances[item] *= max(need, NO_NEED)
        chances[list(now.clicked)] *= CLICKED
        return chances

    def purchase_probabilities(self, now: Now, brand_liking: DoubleArray | None = None) -> DoubleArray:
        """[I] that the user buys an item they clicked. brand_liking: [B], without it the user's own."""
        logits = BUY + BUY_BRAND * self._brand_liking(now, brand_liking)[self.shop.brand]
        needs = self._needs(now.visit)
        for item in needs:
            logits[item] += BUY_AGAIN
        chances = _sigmoid(logits)
        for item, need in needs.items():
            chances[item] *= need
        return chances

    def worth(self, now: Now, brand_liking: DoubleArray | None = None) -> DoubleArray:
        """[I] the expected worth of an item that the user looks at; 0 for one that is not there. brand_liking: [B], without it
        the user's own."""
        worth = CLICK_WORTH + PURCHASE_WORTH * self.purchase_probabilities(now, brand_liking)
        return np.where(self.shop.available(now.visit.day), self.click_probabilities(now, brand_liking) * worth, 0.0)

    def encounters(self, now: Now, step: int) -> list[int]:
        """Returns the items that the user meets by themselves: famous ones, and of the goal's category rather than of others."""
        shop, day = self.shop, now.visit.day
        weights = shop.fame * np.where(shop.category == now.goal, MET_GOAL, 1.0) * shop.available(day)
        rng = shop.random(DRAW_ENCOUNTERS, now.visit.number, step)
        count = min(MET, int(np.count_nonzero(weights)))
        found: list[int] = rng.choice(len(weights), count, replace=False, p=weights / weights.sum()).tolist()
        return found

    def act(self, now: Now, items: Sequence[int], step: int) -> list[Act]:
        """The user goes through a list. The luck of an item is the same at the same step of a visit, in whatever list it is.
        What is bought is remembered."""
        visit = now.visit
        goes_on, clicks, buys = self.shop.random(DRAW_ACTS, visit.number, step).random((3, len(self.shop.category)))
        chances, buying = self.click_probabilities(now), self.purchase_probabilities(now)
        examined = _examined(goes_on[: len(items)])
        acts = []
        for position, item in enumerate(items):
            day = visit.day + (60 * step + 2 * position) / 86_400
            if item < 0 or not examined[position] or clicks[item] >= chances[item]:
                continue
            now.clicked.add(item)
            acts.append(Act(day, visit.user, visit.number, item, CLICK))
            if buys[item] < buying[item]:
                self.bought.setdefault(visit.user, {})[item] = day
                acts.append(Act(day + 1 / 86_400, visit.user, visit.number, item, PURCHASE))
        return acts

    def _brand_liking(self, now: Now, given: DoubleArray | None) -> DoubleArray:
        return self.shop.brand_liking[now.visit.user] if given is None else given

    def _due(self, visit: Visit) -> list[int]:
        return [item for item, need in self._needs(visit).items() if need >= DUE]

    def _needs(self, visit: Visit) -> dict[int, float]:
        """Item bought before → the need for another one: from 0 up to 1 after its period, 0 for good where it is not used up."""
        return {
            item: float(np.clip((visit.day - day) / self.shop.period[item], 0, 1) ** 2)
            for item, day in self.bought.get(visit.user, {}).items()
        }


def expected(worth: DoubleArray, items: Sequence[int]) -> float:
    """Returns the expected worth of a list; −1 stands for an item that the shop does not have."""
    each = np.asarray([worth[item] if item >= 0 else 0.0 for item in items])
    return float(each @ PATIENCE ** np.arange(len(items)))


def best(worth: DoubleArray, count: int) -> list[int]:
    """Returns the list of the highest expected worth: users look at earlier items rather than at later ones."""
    found: list[int] = np.argsort(-worth, kind="stable")[:count].tolist()
    return found


def _examined(draws: DoubleArray) -> BoolArray:
    """[n] whether the user looks at each position: they go on from the one before with the probability PATIENCE."""
    return np.concatenate([[True], np.cumprod(draws[1:] < PATIENCE) > 0])[: len(draws)]


def _sigmoid(logits: DoubleArray) -> DoubleArray:
    chances: DoubleArray = 1 / (1 + np.exp(-logits))
    return chances
