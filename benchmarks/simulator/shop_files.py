"""What a shop draws, as rows and as files: items, and events of the past and of a time without a recommender."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.simulator.episode import LISTS, Past, draw_past
from benchmarks.simulator.shop import Shop
from benchmarks.simulator.shoppers import PURCHASE, Act
from features.units import DAY_MS

FIRST_ITEM: Final = 700_000_000
FIRST_USER: Final = 600_000_000
"""Ids from here on are the drawn shop's; a data set of MovieLens has none of them."""
EVENTS, ITEMS = "events.csv", "items.csv"


def item_id(item: int) -> int:
    return FIRST_ITEM + item


def user_id(user: int) -> int:
    return FIRST_USER + user


def ts_of(day: float, start: int) -> int:
    """Returns a day as ms, where `start` (ms) is day 0."""
    return start + round(day * DAY_MS)


def describe(shop: Shop, item: int) -> dict[str, Any]:
    """Returns what a recommender may know of an item, as the preset `shop` has it."""
    return {
        "title": f"Item {item}",
        "category": [f"category {shop.category[item]}"],
        "brand": f"brand {shop.brand[item]}",
        "price": float(shop.price[item]),
    }


def event_of(shop: Shop, act: Act, start: int) -> dict[str, Any]:
    """Returns an act as an event of the preset `shop`."""
    event = {
        "type": act.kind,
        "user_id": user_id(act.user),
        "item_id": item_id(act.item),
        "ts": ts_of(act.day, start),
    }
    return event | ({"value": float(shop.price[act.item])} if act.kind == PURCHASE else {})


def all_acts(past: Past) -> Iterator[Act]:
    """Yields the acts of the past, and of the visits that come, as if there were no recommender."""
    yield from past.acts
    shoppers = past.shoppers.copy()
    for visit in past.coming:
        now = shoppers.arrive(visit)
        for step in range(1 + LISTS):
            yield from shoppers.act(now, shoppers.encounters(now, step), step)


def write_shop(shop: Shop, folder: Path, start: int) -> int:
    """Write a folder with the shop's items and events; returns the number of events. Sessions are visits. Raises OSError if it
    can't be written."""
    folder.mkdir(parents=True, exist_ok=True)
    events = [{**event_of(shop, act, start), "session_id": act.visit} for act in all_acts(draw_past(shop))]
    _write(folder / EVENTS, ("user_id", "session_id", "item_id", "type", "value", "ts"), events)
    items = (_item_row(shop, item, start) for item in range(len(shop.category)))
    _write(folder / ITEMS, ("item_id", "title", "category", "brand", "price", "ts"), items)
    return len(events)


def _item_row(shop: Shop, item: int, start: int) -> dict[str, Any]:
    known = describe(shop, item)
    more = {"item_id": item_id(item), "category": "|".join(known["category"])}
    return known | more | {"ts": ts_of(float(shop.born[item]), start)}


def _write(path: Path, names: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
