"""Draws a small shop by a seed: events.csv (view, click, add_to_cart, purchase, and on which device), items.csv (title, category,
brand, price) and users.csv (plan, country).

    python -m examples.shop FOLDER [--users 2000] [--items 600] [--days 60] [--seed 1] [--end 2026-11-01T00:00:00Z]

Every customer has a favourite category or two, a brand and a purse; every item a popularity. A visit stays in one category, and
its end is more or less likely a purchase by how well the items suit the customer. Each country drinks something else, members
have the larger purse, and on a phone people look for small things. So there is something to learn, and it is known what. The same
seed gives the same shop; its last visit is at --end, by default the full hour that has just passed.
"""

import argparse
import csv
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

CATEGORIES = {
    "tea": ("Green tea", "Black tea", "Herbal tea", "Oolong"),
    "coffee": ("Espresso beans", "Filter coffee", "Decaf beans", "Cold brew"),
    "cups": ("Mug", "Glass cup", "Travel cup", "Tea bowl"),
    "kettles": ("Kettle", "Gooseneck kettle", "Teapot", "Samovar"),
    "grinders": ("Hand grinder", "Burr grinder", "Spice mill", "Mortar"),
    "sweets": ("Dark chocolate", "Shortbread", "Nougat", "Candied ginger"),
    "books": ("Tea atlas", "Barista's handbook", "Baking book", "Ceramics book"),
    "gifts": ("Gift box", "Sampler", "Calendar", "Voucher"),
}
BRANDS = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Iris", "Juniper", "Kelp", "Larch")
WORDS = ("classic", "small", "large", "organic", "fine", "bold", "mild", "rare", "daily", "winter", "summer", "old")
TAGS = ("new", "sale", "vegan", "handmade", "limited")
COUNTRIES = {"GB": "tea", "IN": "tea", "IT": "coffee", "SE": "coffee", "JP": "cups"}
"""Country → the category that half of its customers like most."""
DEVICES = {"phone": ("sweets", "gifts"), "desktop": ("kettles", "grinders", "books")}
"""Device → the categories in which a visit by it ends up three times as often."""
BUY = 0.35
"""Of what lies in a cart, this share is bought."""


class Product(NamedTuple):
    """An item of the shop. popularity: its weight among those of its category."""

    item_id: str
    title: str
    category: str
    brand: str
    price: float
    tags: tuple[str, ...]
    popularity: float


class Customer(NamedTuple):
    """Who visits. tastes: category → weight; purse: the price that suits best; visits: how often, against others."""

    user_id: str
    country: str
    plan: str
    tastes: dict[str, float]
    brand: str
    purse: float
    visits: float


Event = tuple[str, str, str, str, str, str, str]
"""(user_id, item_id, time, type, quantity, price, device), as text."""


def draw_items(count: int, rng: random.Random) -> list[Product]:
    """The shop's items, about as many in each category."""
    products = []
    names = list(CATEGORIES)
    for number in range(1, count + 1):
        category = names[number % len(names)]
        brand = rng.choice(BRANDS)
        title = f"{brand} {rng.choice(CATEGORIES[category])}, {rng.choice(WORDS)}"
        tags = tuple(sorted(rng.sample(TAGS, rng.choice((0, 1, 1, 2)))))
        price = round(rng.lognormvariate(2.8, 0.7), 2)
        products.append(Product(f"SKU-{number:04d}", title, category, brand, price, tags, rng.paretovariate(1.2)))
    return products


def draw_customers(count: int, rng: random.Random) -> list[Customer]:
    """The shop's customers."""
    customers = []
    for number in range(1, count + 1):
        tastes = dict.fromkeys(CATEGORIES, 0.03)
        country, plan = rng.choice(list(COUNTRIES)), rng.choice(("member", "free", "free"))
        most, second = rng.sample(list(CATEGORIES), 2)
        if rng.random() < 0.5:
            most = COUNTRIES[country]
        tastes[second] = 0.4
        tastes[most] = 1.0
        purse = rng.lognormvariate(3.3 if plan == "member" else 2.6, 0.4)
        visits = rng.paretovariate(1.5)
        customers.append(Customer(f"c{number:05d}", country, plan, tastes, rng.choice(BRANDS), purse, visits))
    return customers


def suits(customer: Customer, product: Product) -> float:
    """How well an item suits a customer, from 0.1 to 1."""
    price = min(customer.purse, product.price) / max(customer.purse, product.price)
    return min(1.0, 0.1 + 0.5 * price + (0.4 if product.brand == customer.brand else 0.0))


def draw_visit(
    customer: Customer, shelves: dict[str, list[Product]], began: datetime, rng: random.Random
) -> Iterator[Event]:
    """The events of one visit, seconds apart."""
    device = rng.choice(list(DEVICES))
    tastes = {category: (3 if category in DEVICES[device] else 1) * each for category, each in customer.tastes.items()}
    category = rng.choices(list(tastes), list(tastes.values()))[0]
    shelf = shelves[category]
    weights = [product.popularity * suits(customer, product) ** 2 for product in shelf]
    at = began
    for product in rng.choices(shelf, weights, k=rng.randint(2, 9)):
        at += timedelta(seconds=rng.randint(4, 60))
        liking = suits(customer, product)
        yield _event(customer, product, at, "view", device)
        if rng.random() > 0.3 + 0.5 * liking:
            continue
        at += timedelta(seconds=rng.randint(2, 20))
        yield _event(customer, product, at, "click", device)
        if rng.random() > 0.4 * liking:
            continue
        at += timedelta(seconds=rng.randint(5, 40))
        quantity = rng.choice((1, 1, 1, 2))
        yield _event(customer, product, at, "add_to_cart", device, str(quantity))
        if rng.random() < BUY:
            at += timedelta(seconds=rng.randint(20, 90))
            yield _event(customer, product, at, "purchase", device, str(quantity), f"{quantity * product.price:.2f}")


def _event(
    customer: Customer, product: Product, at: datetime, kind: str, device: str, quantity: str = "", price: str = ""
) -> Event:
    return customer.user_id, product.item_id, at.isoformat(timespec="seconds"), kind, quantity, price, device


def draw_shop(
    folder: Path, users: int = 2000, items: int = 600, days: int = 60, seed: int = 1, end: datetime | None = None
) -> int:
    """Write events.csv, items.csv and users.csv into a folder; how many events there are."""
    rng = random.Random(seed)
    last = end or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    products, customers = draw_items(items, rng), draw_customers(users, rng)
    shelves: dict[str, list[Product]] = {}
    for product in products:
        shelves.setdefault(product.category, []).append(product)
    visitors = rng.choices(customers, [customer.visits for customer in customers], k=4 * users)
    starts = sorted(rng.uniform(0, days * 86_400) for _ in visitors)
    events: list[Event] = []
    for customer, back in zip(visitors, reversed(starts), strict=True):
        events += draw_visit(customer, shelves, last - timedelta(seconds=round(back) + 1_000), rng)
    events.sort(key=lambda event: event[2])
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / "events.csv", ("user_id", "item_id", "timestamp", "event_type", "quantity", "price", "device"), events
    )
    rows = [(each.item_id, each.title, each.category, each.brand, each.price, "|".join(each.tags)) for each in products]
    _write(folder / "items.csv", ("item_id", "title", "category", "brand", "price", "tags"), rows)
    people = [(each.user_id, each.plan, each.country) for each in customers]
    _write(folder / "users.csv", ("user_id", "plan", "country"), people)
    return len(events)


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw a shop by the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description="Draw a small shop's data.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--items", type=int, default=600)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end", type=datetime.fromisoformat, default=None, help="time of the last visit, with a zone")
    given = parser.parse_args(argv)
    count = draw_shop(given.folder, given.users, given.items, given.days, given.seed, given.end)
    print(
        f"{count} events, {given.items} items, {given.users} users in {given.folder}; now: ./martlet init --from {given.folder}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
