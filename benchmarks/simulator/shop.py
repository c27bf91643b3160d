"""The drawn shop: items, users and what they like, the same for the same plan. No state: what users do is in `shoppers`.

Times are days from the moment at which lists are first asked for; before it lies the past.
I items, U users, C categories, B brands.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.arrays import BoolArray, DoubleArray, IntArray

DRAW_SHOP, DRAW_VISITS, DRAW_GOAL, DRAW_ENCOUNTERS, DRAW_ACTS = range(5)
"""What random numbers are for: each purpose has a stream of its own, by the seed and the number of a visit."""
FLAT: Final = 10
"""The fame of an item is 1 / (FLAT + its rank), the rank being that of its quality and as much chance: the first ten are about
equally famous, and what is famous is rather good."""
CONSUMABLE: Final = 0.4
"""The share of categories whose items are used up and bought again, after PERIODS days."""
PERIODS: Final = (8.0, 20.0)
DRIFTING: Final = 0.5
"""The share of users whose tastes become others, over DRIFT_DAYS."""
DRIFT_DAYS: Final = 3.0
LIKED: Final = 4.0
"""Concentration of a Dirichlet distribution: a user likes a few of the categories, large ones rather than small ones."""


@dataclass(frozen=True)
class Plan:
    """The sizes of a shop.

    past, days  days before and from the first list on
    visits      of a user, a day
    cold        the share of items that appear from the first list on
    """

    users: int = 400
    items: int = 2000
    categories: int = 20
    brands: int = 40
    past: float = 30.0
    days: float = 10.0
    visits: float = 0.3
    cold: float = 0.15
    seed: int = 7


@dataclass(frozen=True)
class Visit:
    """A user comes. day: when; number: of all visits, in the order of time."""

    number: int
    user: int
    day: float


@dataclass(frozen=True)
class Shop:
    """All that is known of the shop and nobody tells a recommender.

    category, brand      [I] numbers
    price, quality, fame [I] money; about 0; the weight with which an item is met without a recommender
    period               [I] days after which a bought one is used up; inf: never
    born                 [I] the day on which the item appears
    before, after        [U, C] liking of categories from 0 to 1, before and after a drift
    drift_day            [U] the day on which the drift begins
    brand_liking         [U, B] about 0
    """

    plan: Plan
    category: IntArray
    brand: IntArray
    price: DoubleArray
    quality: DoubleArray
    fame: DoubleArray
    period: DoubleArray
    born: DoubleArray
    before: DoubleArray
    after: DoubleArray
    drift_day: DoubleArray
    brand_liking: DoubleArray

    def tastes(self, user: int, day: float) -> DoubleArray:
        """[C] how much a user likes each category on a day."""
        moved = float(np.clip((day - self.drift_day[user]) / DRIFT_DAYS, 0, 1))
        tastes: DoubleArray = (1 - moved) * self.before[user] + moved * self.after[user]
        return tastes

    def available(self, day: float) -> BoolArray:
        """[I] which items there are on a day."""
        return np.asarray(self.born <= day, bool)

    def random(self, purpose: int, *numbers: int) -> np.random.Generator:
        """Returns the random numbers of one purpose, the same for the same numbers."""
        return np.random.default_rng([self.plan.seed, purpose, *numbers])


def draw_shop(plan: Plan) -> Shop:
    """Draw the shop of a plan."""
    rng = np.random.default_rng([plan.seed, DRAW_SHOP])
    category = rng.choice(plan.categories, plan.items, p=_skewed(plan.categories))
    brand = rng.choice(plan.brands, plan.items, p=_skewed(plan.brands))
    prices = rng.lognormal(3.0, 0.7, plan.categories)
    periods = np.where(rng.random(plan.categories) < CONSUMABLE, rng.uniform(*PERIODS, plan.categories), np.inf)
    periods[0] = PERIODS[0]  # in the smallest shop, too, something is bought again
    quality = rng.standard_normal(plan.items)
    fame = 1.0 / (FLAT + np.argsort(np.argsort(-quality - rng.standard_normal(plan.items))))
    cold = rng.random(plan.items) < plan.cold
    before = _tastes(rng, plan)
    drifts = rng.random(plan.users) < DRIFTING
    return Shop(
        plan=plan,
        category=category.astype(np.int64),
        brand=brand.astype(np.int64),
        price=np.round(prices[category] * rng.lognormal(0.0, 0.3, plan.items), 2),
        quality=quality,
        fame=fame,
        period=periods[category],
        born=np.where(cold, rng.uniform(0.0, plan.days, plan.items), -plan.past),
        before=before,
        after=np.where(drifts[:, None], _tastes(rng, plan), before),
        drift_day=rng.uniform(-plan.past / 3, plan.days, plan.users),
        brand_liking=rng.standard_normal((plan.users, plan.brands)),
    )


def draw_visits(shop: Shop) -> list[Visit]:
    """Returns all visits in the order of time, from the past to the end of the plan. Some users come more often than others."""
    plan, rng = shop.plan, shop.random(DRAW_VISITS)
    eager = rng.lognormal(0.0, 0.5, plan.users)
    count = rng.poisson(plan.users * plan.visits * (plan.past + plan.days))
    days = np.sort(rng.uniform(-plan.past, plan.days, count))
    users = rng.choice(plan.users, count, p=eager / eager.sum())
    return [Visit(number, int(user), float(day)) for number, (user, day) in enumerate(zip(users, days, strict=True))]


def _skewed(count: int) -> DoubleArray:
    weights = 1.0 / np.sqrt(1.0 + np.arange(count))
    shares: DoubleArray = weights / weights.sum()
    return shares


def _tastes(rng: np.random.Generator, plan: Plan) -> DoubleArray:
    shares = rng.dirichlet(LIKED * _skewed(plan.categories), plan.users)
    tastes: DoubleArray = shares / shares.max(axis=1, keepdims=True)
    return tastes
