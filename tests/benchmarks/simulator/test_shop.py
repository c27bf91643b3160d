"""The drawn shop is the same for a seed, and has what it should: drift, repeat purchases, cold items."""

from dataclasses import fields, replace

import numpy as np
import pytest

from benchmarks.simulator.shop import DRIFT_DAYS, Plan, Shop, Visit, draw_shop, draw_visits
from benchmarks.simulator.shoppers import CLICK, PURCHASE, Now, Shoppers, best, expected

SMALL = Plan(users=40, items=200, categories=8, brands=10, past=20, days=10, visits=0.5)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return draw_shop(SMALL)


def test_a_seed_draws_one_shop(shop: Shop) -> None:
    again, other = draw_shop(SMALL), draw_shop(replace(SMALL, seed=8))
    for each in fields(Shop):
        if each.name != "plan":
            assert np.array_equal(getattr(shop, each.name), getattr(again, each.name)), each.name
            assert not np.array_equal(getattr(shop, each.name), getattr(other, each.name)), each.name
    assert draw_visits(shop) == draw_visits(again)


def test_half_of_the_users_drift_to_other_tastes(shop: Shop) -> None:
    drifting = [user for user in range(SMALL.users) if not np.array_equal(shop.before[user], shop.after[user])]
    assert SMALL.users / 4 < len(drifting) < SMALL.users * 3 / 4
    user = drifting[0]
    day = float(shop.drift_day[user])
    assert np.array_equal(shop.tastes(user, day), shop.before[user])
    assert np.allclose(shop.tastes(user, day + DRIFT_DAYS / 2), (shop.before[user] + shop.after[user]) / 2)
    assert np.array_equal(shop.tastes(user, day + 1.01 * DRIFT_DAYS), shop.after[user])


def test_cold_items_appear_from_the_first_list_on(shop: Shop) -> None:
    before, after = shop.available(-1e-9), shop.available(SMALL.days)
    assert after.all()
    assert 0 < (~before).sum() < SMALL.items / 3
    assert np.array_equal(shop.available(-SMALL.past), before)
    cold = int(np.flatnonzero(~before)[0])
    shoppers = Shoppers(shop)
    assert shoppers.worth(now_at(shop, float(shop.born[cold]) - 0.001))[cold] == 0
    assert shoppers.worth(now_at(shop, float(shop.born[cold])))[cold] > 0


def now_at(shop: Shop, day: float, user: int = 0, goal: int = 0) -> Now:
    return Now(Visit(0, user, day), goal)


def test_what_is_bought_is_not_needed_until_it_is_used_up(shop: Shop) -> None:
    shoppers = Shoppers(shop)
    consumable = int(np.flatnonzero(np.isfinite(shop.period) & shop.available(-1))[0])
    durable = int(np.flatnonzero(np.isinf(shop.period) & shop.available(-1))[0])
    period = float(shop.period[consumable])
    first = shoppers.click_probabilities(now_at(shop, 0.0))
    shoppers.bought[0] = {consumable: 0.0, durable: 0.0}
    just, later = (shoppers.click_probabilities(now_at(shop, day)) for day in (0.0, period))
    assert just[consumable] < first[consumable] / 5
    assert just[durable] < first[durable] / 5
    unmoved = Shoppers(shop).click_probabilities(now_at(shop, period))
    assert later[consumable] > unmoved[consumable]  # bought before: rather this one than another
    assert later[durable] < unmoved[durable] / 5


def test_something_used_up_becomes_the_goal(shop: Shop) -> None:
    shoppers = Shoppers(shop)
    consumable = int(np.flatnonzero(np.isfinite(shop.period))[0])
    shoppers.bought[0] = {consumable: -1000.0}
    with_need = [shoppers.arrive(Visit(number, 0, 0.0)).goal for number in range(200)]
    without = [Shoppers(shop).arrive(Visit(number, 0, 0.0)).goal for number in range(200)]
    goal = int(shop.category[consumable])
    assert with_need.count(goal) > without.count(goal) + 200 * 0.2


def test_the_goal_and_the_tastes_decide_what_is_clicked(shop: Shop) -> None:
    shoppers = Shoppers(shop)
    goal = int(shop.category[0])
    there = shoppers.click_probabilities(now_at(shop, -1.0, goal=goal))
    elsewhere = shoppers.click_probabilities(now_at(shop, -1.0, goal=(goal + 1) % SMALL.categories))
    assert there[0] > elsewhere[0] * 2


def test_the_luck_of_an_item_is_the_same_in_any_list(shop: Shop) -> None:
    items = np.flatnonzero(shop.available(-1.0)).tolist()[:10]
    clicked: list[set[int]] = []
    for first in (0, 1):
        kinds: set[int] = set()
        for number in range(300):
            shoppers = Shoppers(shop)
            acts = shoppers.act(Now(Visit(number, 0, -1.0), 0), items[first : first + 1], 0)
            assert all(act.kind in (CLICK, PURCHASE) for act in acts)
            kinds |= {number} if acts else set()
        clicked.append(kinds)
    together: set[int] = set()
    for number in range(300):
        acts = Shoppers(shop).act(Now(Visit(number, 0, -1.0), 0), items[:1] + items[5:6], 0)
        together |= {number} if any(act.item == items[0] for act in acts) else set()
    assert together == clicked[0] != clicked[1]


def test_the_best_list_is_worth_at_least_any_other(shop: Shop) -> None:
    worth = Shoppers(shop).worth(now_at(shop, 1.0))
    rng = np.random.default_rng(0)
    best_value = expected(worth, best(worth, 5))
    for _ in range(50):
        assert expected(worth, rng.permutation(SMALL.items)[:5].tolist()) <= best_value
    assert expected(worth, [-1, best(worth, 1)[0]]) == pytest.approx(0.9 * worth.max())
