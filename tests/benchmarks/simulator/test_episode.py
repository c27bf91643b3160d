"""Episodes in a small shop: the oracle has no regret, most-popular lists have less than random ones, all alike for a seed."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.sessions.click_log import read_click_log
from benchmarks.simulator.episode import LISTS, Curve, Past, draw_past, drive, introduce
from benchmarks.simulator.policies import Insider, Oracle, Policy, Popular, Uniform
from benchmarks.simulator.shop import Plan, draw_shop
from benchmarks.simulator.shop_files import EVENTS, FIRST_ITEM, ITEMS, describe, item_id, ts_of, write_shop
from benchmarks.simulator.shoppers import CLICK, PURCHASE, Act, Now, Shoppers
from benchmarks.simulator.simulator_run import figures_of, start_of_prepared
from features.contracts.items import compile_item
from features.errors import Unavailable
from features.units import DAY_MS
from tests.schemas import SHOP

SMALL = Plan(users=40, items=200, categories=8, brands=10, past=20, days=10, visits=0.5)


@pytest.fixture(scope="module")
def past() -> Past:
    return draw_past(draw_shop(SMALL))


def episode(past: Past, name: str, lists: int | None = 200, clicks: int | None = None) -> Curve:
    shoppers = past.shoppers.copy()
    policies: dict[str, Policy] = {
        "oracle": Oracle(shoppers),
        "insider": Insider(shoppers),
        "popular": Popular(past.shop),
        "random": Uniform(past.shop),
    }
    introduce(policies[name], past)
    return drive(past, policies[name], shoppers, clicks, lists)


def test_a_seed_draws_one_past_and_one_episode(past: Past) -> None:
    again = draw_past(draw_shop(SMALL))
    assert past.acts == again.acts
    assert episode(past, "popular") == episode(past, "popular") == episode(again, "popular")


def test_the_past_has_clicks_and_some_are_bought_and_bought_again(past: Past) -> None:
    clicks = [act for act in past.acts if act.kind == CLICK]
    bought = [(act.user, act.item) for act in past.acts if act.kind == PURCHASE]
    assert 0.03 < len(bought) / len(clicks) < 0.5
    assert len(set(bought)) < len(bought)
    assert all(act.day < 0.1 for act in past.acts)


def test_the_oracle_has_no_regret(past: Past) -> None:
    curve = episode(past, "oracle")
    assert len(curve) == 200
    assert curve.regret[-1] == pytest.approx(0)
    assert curve.worth[-1] > 0


def test_who_knows_tastes_but_not_brands_and_goals_is_between_the_popular_and_the_best(past: Past) -> None:
    insider, popular = episode(past, "insider"), episode(past, "popular")
    assert 0 < insider.regret[-1] < popular.regret[-1]


def test_goals_are_as_probable_as_they_are_drawn(past: Past) -> None:
    shoppers, visits = past.shoppers.copy(), past.coming[:400]
    expected = np.sum([shoppers.goal_probabilities(visit) for visit in visits], axis=0)
    drawn = np.bincount([shoppers.arrive(visit).goal for visit in visits], minlength=len(expected))
    assert expected.sum() == pytest.approx(len(visits))
    assert np.abs(expected - drawn).max() < 4 * np.sqrt(expected.max())


def test_most_popular_lists_are_better_than_random_ones_and_worse_than_the_best(past: Past) -> None:
    popular, uniform = episode(past, "popular"), episode(past, "random")
    assert 0 < popular.regret[-1] < uniform.regret[-1]
    assert popular.clicks[-1] > uniform.clicks[-1]
    assert np.all(np.diff(popular.regret) >= -1e-12)


def test_an_episode_ends_with_its_clicks(past: Past) -> None:
    curve = episode(past, "popular", lists=None, clicks=30)
    assert curve.clicks[-1] >= 30 > curve.clicks[-2]


def test_policies_hear_of_new_items_and_of_every_act(past: Past) -> None:
    class Listener(Popular):
        def __init__(self) -> None:
            super().__init__(past.shop)
            self.appeared: list[tuple[int, float]] = []
            self.acts: list[Act] = []

        def appear(self, items: Sequence[int], day: float) -> None:
            super().appear(items, day)
            self.appeared += [(item, day) for item in items]

        def observe(self, acts: Sequence[Act]) -> None:
            super().observe(acts)
            self.acts += acts

    listener = Listener()
    introduce(listener, past)
    known = len(listener.appeared)
    curve = drive(past, listener, past.shoppers.copy())
    assert known == int(past.shop.available(-1).sum())
    for item, day in listener.appeared[known:]:
        assert past.shop.born[item] <= day
    assert len({item for item, _ in listener.appeared}) == len(listener.appeared) > SMALL.items * 0.95
    clicks = [act for act in listener.acts[len(past.acts) :] if act.kind == CLICK]
    assert len(clicks) > curve.clicks[-1] > 0  # those without a recommender are among them
    assert len(curve) == LISTS * len(past.coming)


def test_unknown_items_in_a_list_take_up_room_and_earn_nothing(past: Past) -> None:
    class Stranger(Popular):
        def recommend(self, now: Now, count: int) -> list[int]:
            return [-1] * count

    curve = drive(past, Stranger(past.shop), past.shoppers.copy(), lists=20)
    assert (curve.clicks[-1], curve.worth[-1]) == (0, 0.0)


def test_figures_set_regret_beside_that_of_popular_lists(past: Past) -> None:
    popular = episode(past, "popular")
    assert figures_of(popular, popular)["regret / most-popular's"] == 1
    assert figures_of(episode(past, "oracle"), popular)["regret / most-popular's"] == 0


def test_a_shop_is_written_as_files_that_the_walk_reads(past: Past, tmp_path: Path) -> None:
    start = 1_700_000_000_000 // DAY_MS * DAY_MS
    count = write_shop(past.shop, tmp_path, start)
    log = read_click_log([tmp_path / EVENTS])
    assert len(log) == count > len(past.acts)
    assert set(log.kinds) == {CLICK, PURCHASE}
    assert start - SMALL.past * DAY_MS <= log.times[0] < log.times[-1] < start + (SMALL.days + 1) * DAY_MS
    with (tmp_path / ITEMS).open() as file:
        items = list(csv.DictReader(file))
    assert [int(item["item_id"]) - FIRST_ITEM for item in items] == list(range(SMALL.items))
    assert {item["item_id"] for item in items} >= set(log.item_ids)
    assert [name for name in items[0] if name in SHOP.items.declared] == ["category", "brand", "price"]
    before = (tmp_path / EVENTS).read_bytes()
    write_shop(past.shop, tmp_path, start)
    assert (tmp_path / EVENTS).read_bytes() == before


def test_an_item_is_described_as_the_preset_has_it(past: Past) -> None:
    item = compile_item(1, describe(past.shop, 3), 0, SHOP.items)
    shown = SHOP.items.shown(item, ["category", "brand", "price"])
    assert shown == {key: value for key, value in describe(past.shop, 3).items() if key != "title"} | {
        "category": tuple(describe(past.shop, 3)["category"])
    }


class Prepared:
    """A home whose clock is days beyond what it was when it was prepared, and which tells an item's first event."""

    def __init__(self, past: Past, start: int) -> None:
        self._past, self._start = past, start

    def first_event(self, item: int) -> int | None:
        days = [act.day for act in self._past.acts if item_id(act.item) == item]
        return ts_of(min(days), self._start) if days else None


def test_a_home_that_was_prepared_days_ago_tells_day_0(past: Past) -> None:
    start = 20_000 * DAY_MS
    client: Any = Prepared(past, start)
    assert start_of_prepared(client, past) == start
    nothing: Any = Prepared(replace(past, acts=()), start)
    with pytest.raises(Unavailable, match="expected a home that was prepared"):
        start_of_prepared(nothing, past)


def test_shoppers_who_are_copied_forget_each_other(past: Past) -> None:
    one, other = past.shoppers.copy(), past.shoppers.copy()
    one.bought.setdefault(0, {})[1] = 0.0
    one.bought[0][2] = 0.0
    assert other.bought.get(0, {}) == past.shoppers.bought.get(0, {})
    assert isinstance(one, Shoppers)
