"""Items under a schema: the names by which they count for tastes, and what a change of schema makes of them."""

import pytest

from features.schema.attributes import MAX_TASTE_BYTES, Attributes
from features.schema.document import read_document
from features.schema.tables import preset_schema, read_schema
from tests.schemas import MOVIES, SHOP, film

CLICK = "[events.click]\nweight = 1\n"
FACETS = CLICK + '[items.{first}]\ntype = "facet"\n[items.{second}]\ntype = "facet"\n'


def attributes(text: str) -> Attributes:
    return Attributes(read_document(CLICK + text).items)


def tastes(text: str, **fields: object) -> tuple[str, ...]:
    made = attributes(text)
    return made.item(1, "x", made.check(fields)).tastes


def test_films_count_by_genre_as_given_and_by_decade() -> None:
    heat = film(7, "Heat", ("Crime", "Action"), 1995)
    assert heat.tastes == ("Crime", "Action", "1990s")
    assert (heat.labels, heat.year) == (("Crime", "Action"), 1995)
    assert film(8, "x", ("War",)).tastes == ("War",)
    assert [film(8, "x", (), year).tastes for year in (2000, 1999, 9)] == [("2000s",), ("1990s",), ("0s",)]


def test_what_is_no_first_facet_stands_behind_its_name() -> None:
    shop = SHOP.items
    shoe = shop.item(
        1, "Shoe", shop.check({"price": 59.9, "brand": "Nike", "category": ["Shoes", "Sport"], "description": "x"})
    )
    assert shoe.tastes == ("Shoes", "Sport", "brand:Nike", "price:50-100")
    assert shoe.labels == ("Shoes", "Sport")
    cheap = shop.item(2, "Lace", shop.check({"brand": "Nike", "price": 2_000}))
    assert (cheap.tastes, cheap.labels) == (("brand:Nike", "price:1000+"), ())


def test_labels_come_first_wherever_the_schema_has_them() -> None:
    text = '[items.price]\ntype = "number"\nbands = [0, 0.5]\n[items.old]\ntype = "facet"\ntastes = false\n'
    text += '[items.kind]\ntype = "facet"\n'
    assert tastes(text, price=0.2, old="o", kind="k") == ("k", "price:0-0.5")
    assert tastes(text, price=0.5) == ("price:0.5+",)
    assert tastes(text, price=-1) == ()
    assert attributes(text).labels == "kind"


def test_a_long_name_is_cut_and_stays_distinct() -> None:
    text = '[items.topics]\ntype = "facet"\nmany = true\n'
    one, other, short = tastes(text, topics=["é" * 100 + "1", "é" * 100 + "2", "e" * MAX_TASTE_BYTES])
    assert one != other
    assert all(len(name.encode()) <= MAX_TASTE_BYTES for name in (one, other))
    assert short == "e" * MAX_TASTE_BYTES


def test_what_the_fold_reads_of_items_is_in_the_digest_and_nothing_else_is() -> None:
    plain = read_schema(FACETS.format(first="brand", second="colour"), "x")
    renamed = read_schema(FACETS.format(first="colour", second="brand"), "x")
    assert plain.digest != renamed.digest
    more = plain.text() + '[items.story]\ntype = "text"\n[items.weight_g]\ntype = "number"\n'
    assert read_schema(more, "x").digest == plain.digest
    assert read_schema(more + "bands = [0, 5]\n", "x").digest != plain.digest
    assert read_schema(plain.text() + "many = true\n", "x").digest != plain.digest
    assert len({preset_schema(name).digest for name in ("movies", "shop", "news", "video")}) == 4


def test_an_item_is_taken_over_by_another_schema_as_far_as_it_fits() -> None:
    heat = film(7, "Heat", ("Crime", "Action"), 1995, ts=5, available=False)
    assert MOVIES.items.again(heat) == heat
    single = attributes('[items.genres]\ntype = "facet"\n[items.year]\ntype = "text"\n').again(heat)
    assert (single.facets, single.values, single.tastes) == ({"genres": ("Crime",)}, {}, ("Crime",))
    assert (single.title, single.ts, single.available) == ("Heat", 5, False)
    shoe = SHOP.items.again(heat)
    assert (shoe.facets, shoe.values, shoe.year) == ({}, {}, 0)


@pytest.mark.parametrize("name", ["movies", "shop", "news", "video"])
def test_answers_carry_what_is_named_and_all_but_texts_by_themselves(name: str) -> None:
    made = preset_schema(name).items
    item = made.item(1, "x", {})
    assert made.shown(item, made.brief) == {
        each: () if made.declared[each].is_list_of_values else None
        for each in made.declared
        if made.declared[each].type != "text"
    }
    assert made.labels == made.facets[0]


def test_one_value_of_a_facet_is_shown_as_it_is_and_many_as_a_list() -> None:
    shop = SHOP.items
    item = shop.item(1, "x", shop.check({"brand": "Acme", "category": "Shoes", "price": 3}))
    assert shop.shown(item, ["brand", "category", "price"]) == {"brand": "Acme", "category": ("Shoes",), "price": 3}
