"""`schema.toml`: what it may say, and where a clear error says that it may not."""

import pytest

from features.errors import BadInput
from features.schema.document import preset, preset_names, read_document, span_ms, write_document

CLICK = "[events.click]\nweight = 1\n"
BAD = [
    ("a =", "schema.toml: expected TOML"),
    ("[events.click]\nweight = 1\nweight = 2", "schema.toml: expected TOML"),
    ("", "schema.toml, events: expected a kind with a weight above 0"),
    ("events = 3", "schema.toml, line 1, events: expected `object`, got `int`"),
    (
        'colour = "red"\n[events.click]\nweight = 1',
        "line 1, colour: expected one of events, items, users, context, preset, ids, together, salt, noun, nouns, got colour",
    ),
    ('preset = "cinema"', "line 1, preset: expected one of movies, news, shop, video, got 'cinema'"),
    ('ids = "words"', "line 1, ids: expected one of numbers, strings, got 'words'"),
    ("[events.click]\n\nweigt = 1", "line 3, events.click.weigt: expected one of weight, value"),
    ('[events.view]\n[events.click]\nweight = "much"', "line 3, events.click.weight: expected `float`, got `str`"),
    ("[events.click]\nweight = 2", "line 2, events.click.weight: expected a number from -1 to 1, got 2.0"),
    ("[events.click]\nweight = nan", "line 2, events.click.weight: expected a number from -1 to 1, got nan"),
    (
        "[events.click]\nclick = true",
        "schema.toml, events: expected a kind with a weight above 0, such as `weight = 1.0` below [events.click]",
    ),
    ("[events.undo]\nweight = 1", "line 1, events.undo: expected another name"),
    ("[events.catalogue]\nweight = 1", "line 1, events.catalogue: expected another name"),
    ('[events."Add to cart"]\nweight = 1', "events.Add to cart: expected a name of small letters"),
    ('[events.click]\nweight = 1\nhide = "soon"', 'line 3, events.click.hide: expected "forever", or a span'),
    (
        '[events.like]\nvalue = "stars"\nweights = [[4, 1.0]]',
        'line 2, events.like.value: expected stars with the kind "rating"',
    ),
    ('together = "soon"\n[events.click]\nweight = 1', 'line 1, together: expected a span such as "30m"'),
    ("[events.rating]\nweight = 1", 'line 1, events.rating.value: expected stars with the kind "rating"'),
    ("[events.buy]\nweights = [[1, 1.0]]", "line 2, events.buy.weights: expected a `value` that they go by"),
    (
        '[events.buy]\nvalue = "money"\nweight = 0.5\nweights = [[1, 1.0]]',
        "line 3, events.buy.weight: expected either `weight` or `weights`, got both",
    ),
    (
        '[events.buy]\nvalue = "money"\nweights = [[2, 1.0], [1, 0.5]]',
        "line 3, events.buy.weights: expected at most 16 pairs",
    ),
    *(
        (
            f'{CLICK}[events.buy]\nvalue = "money"\nweights = [[{start}, 1.0]]',
            "line 5, events.buy.weights: expected at most 16 pairs [value, weight], ascending by value from 0 to 1e+09, got [",
        )
        for start in ("inf", "nan", "-1", "1e300", "1000000001")
    ),
    (
        "[events.click]\nweight = 0.001",
        "schema.toml, events: expected a kind with a weight above 0, such as `weight = 1.0` below [events.click], got none",
    ),
    (
        '[events.buy]\nvalue = "money"\nweights = [[0, -1.0], [5, 0.0019]]',
        "schema.toml, events: expected a kind with a weight above 0",
    ),
    ("[events.impression]\nweight = 0.5\n[events.click]\nweight = 1", "events.impression: expected no field"),
    (
        "\n".join(f"[events.k{at}]\nweight = 1" for at in range(17)),
        "events: expected at most 16 kinds of one's own, got 17",
    ),
    (CLICK + "[items.brand]\nmany = true", "line 3, items.brand.type: expected a value, got nothing"),
    (CLICK + '[items.brand]\ntype = "colour"', "line 4, items.brand.type: expected one of facet, number"),
    (
        '[events.buy]\nvalue = "euros"',
        "line 2, events.buy.value: expected one of stars, money, quantity, seconds, got 'euros'",
    ),
    (
        CLICK + '[items.year]\ntype = "number"\ntastes = "century"',
        'items.year.tastes: expected one of true, false, "decade", got',
    ),
    (
        CLICK + '[items.brand]\ntype = "facet"\nmanny = true',
        "line 5, items.brand.manny: expected one of type, many, tastes",
    ),
    (CLICK + '[items.brand]\ntype = "facet"\n[items.brand]\ntype = "facet"', "schema.toml: expected TOML"),
    (CLICK + '[items.title]\ntype = "text"', "line 3, items.title: expected another name"),
    (CLICK + '[items.score]\ntype = "number"', "line 3, items.score: expected another name"),
    (CLICK + '[items."Brand name"]\ntype = "facet"', "items.Brand name: expected a name of small letters"),
    (CLICK + '[items.price]\ntype = "number"\nmany = true', "line 5, items.price.many: expected no `many`"),
    (
        CLICK + '[items.price]\ntype = "number"\ntastes = true',
        'line 5, items.price.tastes: expected `tastes = "decade"`',
    ),
    (
        CLICK + '[items.price]\ntype = "number"\nbands = [5, 1]',
        "line 5, items.price.bands: expected at most 16 numbers",
    ),
    (CLICK + '[items.price]\ntype = "number"\nbands = [nan]', "line 5, items.price.bands: expected at most 16 numbers"),
    (CLICK + '[items.story]\ntype = "text"\nbands = [1]', "line 5, items.story.bands: expected no `bands`"),
    (
        CLICK + '[items.story]\ntype = "text"\ntastes = true',
        "line 5, items.story.tastes: expected true or false with a facet",
    ),
    (CLICK + '[items.brand]\ntype = "facet"\ntastes = "decade"', "line 5, items.brand.tastes: expected true or false"),
    (
        CLICK + '[items.face]\ntype = "vector"',
        "line 3, items.face.size: expected the vector's width, 1 to 1024, got nothing",
    ),
    (CLICK + '[items.face]\ntype = "text"\nsize = 3', "line 5, items.face.size: expected no `size`"),
    ('noun = ""\n' + CLICK, "line 1, noun: expected a word of at most 32 letters, digits, spaces and -, got ''"),
    ('noun = "<b>"\n' + CLICK, "line 1, noun: expected a word"),
    ('noun = "lamp"\nnouns = "x\\ny"\n' + CLICK, "line 2, nouns: expected a word"),
    (
        CLICK + "\n".join(f'[items.a{at}]\ntype = "flag"' for at in range(33)),
        "items: expected at most 32 attributes, got 33",
    ),
    ("[events.profile]\nweight = 1", "line 1, events.profile: expected another name"),
    (
        CLICK + '[users.plan]\ntype = "vector"',
        "line 4, users.plan.type: expected one of facet, number, time, flag, text,",
    ),
    (
        CLICK + '[users.home]\ntype = "place"',
        "line 4, users.home.type: expected one of facet, number, time, flag, text,",
    ),
    (
        CLICK + '[users.age]\ntype = "number"\nsize = 1',
        "line 5, users.age.size: expected one of type, many, bands, got",
    ),
    (CLICK + '[users.age]\ntype = "number"\nbands = [2, 1]', "line 5, users.age.bands: expected at most 16 numbers"),
    (CLICK + '[users.plan]\ntype = "facet"\nbands = [1]', "line 5, users.plan.bands: expected no `bands`"),
    (
        CLICK + '[context.hour]\ntype = "number"\nbands = [1, 1]',
        "line 5, context.hour.bands: expected at most 16 numbers",
    ),
    (CLICK + '[context.beta]\ntype = "flag"\nbands = [1]', "line 5, context.beta.bands: expected no `bands`"),
    (CLICK + '[users.plan]\ntype = "facet"\ntastes = true', "line 5, users.plan.tastes: expected one of type, many,"),
    (CLICK + '[users.age]\ntype = "number"\nmany = true', "line 5, users.age.many: expected no `many`"),
    (CLICK + '[users.plan]\ntype = "facet"\n[users.plan]\ntype = "flag"', "schema.toml: expected TOML"),
    (CLICK + '[users."The plan"]\ntype = "facet"', "line 3, users.The plan: expected a name of small letters"),
    (
        CLICK + "\n".join(f'[users.a{at}]\ntype = "flag"' for at in range(33)),
        "users: expected at most 32 attributes, got 33",
    ),
    (
        CLICK + '[context.device]\ntype = "text"',
        "line 4, context.device.type: expected one of facet, number, flag, got",
    ),
    (
        CLICK + '[context.device]\ntype = "facet"\nmany = true',
        "line 5, context.device.many: expected one of type, bands, got",
    ),
    (
        CLICK + "\n".join(f'[context.a{at}]\ntype = "flag"' for at in range(9)),
        "context: expected at most 8 attributes, got 9",
    ),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[told for _, told in BAD])
def test_what_is_wrong_is_named_with_its_line(text: str, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_document(text)
    assert told in str(refused.value)


def test_every_preset_is_a_schema_and_its_text_says_the_same() -> None:
    assert preset_names() == ["movies", "news", "shop", "video"]
    for name in preset_names():
        document = preset(name)
        again = read_document(write_document(document))
        assert (again.events, again.items) == (document.events, document.items)
        assert (again.noun, again.nouns) == (document.noun, document.nouns)


def test_what_stands_in_the_file_replaces_or_adds_to_its_preset() -> None:
    text = 'preset = "shop"\n[events.click]\nweight = 0.5\n[events.wish]\nweight = 0.25\nhide = "12h"\n'
    text += '[items.brand]\ntype = "text"\n[items.colour]\ntype = "facet"\n'
    document, shop = read_document(text), preset("shop")
    assert list(document.events) == [*shop.events, "wish"]
    assert (document.events["click"].weight, document.events["click"].click) == (0.5, False)
    assert document.events["purchase"] == shop.events["purchase"]
    assert list(document.items) == [*shop.items, "colour"]
    assert (document.items["brand"].type, document.items["price"]) == ("text", shop.items["price"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CLICK, ("item", "items")),
        ('noun = "lamp"\n' + CLICK, ("lamp", "lamps")),
        ('noun = "story"\nnouns = "stories"\n' + CLICK, ("story", "stories")),
        ('preset = "movies"', ("film", "films")),
        ('preset = "shop"\nnoun = "toy"', ("toy", "toys")),
    ],
)
def test_a_schema_says_what_items_are_called(text: str, words: tuple[str, str]) -> None:
    document = read_document(text)
    assert (document.noun, document.nouns) == words


@pytest.mark.parametrize(
    ("text", "ms"),
    [("30d", 2_592_000_000), ("1h", 3_600_000), ("45m", 2_700_000), ("0d", None), ("1w", None), ("", None)],
)
def test_spans(text: str, ms: int | None) -> None:
    assert span_ms(text) == ms
