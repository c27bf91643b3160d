"""What init proposes: a schema that can be read, with what was seen, and doubts where something is not as it should be."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.shop import draw_shop
from features.errors import BadInput
from features.schema.document import preset, read_document
from offline.datasets.own.describe import describe
from offline.datasets.own.item_survey import Attribute
from offline.datasets.own.proposal import Proposal, propose
from offline.datasets.own.recogniser import recognise
from offline.datasets.rejected_lines import Rejects

HEADER = "user_id,item_id,timestamp,type,value\n"


def proposed(folder: Path, text: str, preset_name: str | None = None) -> Proposal:
    folder.mkdir(exist_ok=True)
    (folder / "events.csv").write_text(text)
    return propose(recognise([folder]), preset_name)


def rows(*kinds: tuple[str, int], value: str = "") -> str:
    named = [kind for kind, count in kinds for _ in range(count)]
    return HEADER + "".join(
        f"u{at % 7},i{at % 5},{1_700_000_000 + at},{kind},{value}\n" for at, kind in enumerate(named)
    )


def test_a_drawn_shop(tmp_path: Path) -> None:
    count = draw_shop(tmp_path / "shop", users=60, items=40, seed=3, end=datetime(2026, 1, 1, tzinfo=UTC))
    proposal = propose(recognise([tmp_path / "shop"]))
    assert (proposal.preset, proposal.events, proposal.items) == ("shop", count, 40)
    assert list(proposal.kinds) == ["view", "click", "add_to_cart", "purchase"]
    document = read_document(proposal.schema, "schema.toml")
    assert document.events == preset("shop").events
    assert {name: each.type for name, each in document.users.items()} == {"plan": "facet", "country": "facet"}
    assert {name: each.type for name, each in document.context.items()} == {"device": "facet"}
    assert (
        f"# {proposal.kinds['purchase']:,} events\n# its value stands in the column price\n[events.purchase]"
        in proposal.schema
    )
    (events,) = proposal.description.events
    assert (events.kinds, events.values) == ({}, {"add_to_cart": "quantity", "purchase": "price"})
    assert proposal.description.clock == "data"
    assert proposal.doubts == ()
    types = {each.name: (each.type, each.many) for each in proposal.attributes}
    assert types == {
        "title": ("text", False),
        "category": ("facet", False),
        "brand": ("facet", False),
        "price": ("number", False),
        "tags": ("facet", True),
    }


def test_a_log_whose_columns_are_not_known_is_no_file_of_items(tmp_path: Path) -> None:
    """Else what its users did would be attributes that everybody sees."""
    lines = [f"p{at % 7},v{at % 5},{1_700_000_000 + at},watch\n" for at in range(30)]
    (tmp_path / "log.csv").write_text("patron_number,video_id,moment,event\n" + "".join(lines))
    expected = r"log\.csv.*columns of user, item and time.*25 of 30 rows.*patron_number, video_id, moment, event"
    with pytest.raises(BadInput, match=expected):
        propose(recognise([tmp_path]))


def test_without_events_the_first_doubt_says_so(tmp_path: Path) -> None:
    (tmp_path / "articles.csv").write_text("article_id,headline,topics\n1,One,a|b\n2,Two,b\n")
    proposal = propose(recognise([tmp_path]))
    assert proposal.doubts[0].startswith("there are no events:")
    assert "the preset shop was taken" in proposal.doubts[0]
    assert "[items.headline]" not in proposal.schema, "it is the title"
    assert "was taken" not in propose(recognise([tmp_path]), "news").doubts[0]


def test_who_watched_what_and_when(tmp_path: Path) -> None:
    lines = [f"u{at % 7},v{at % 5},{1_700_000_000 + at},watch,{at}\n" for at in range(30)]
    (tmp_path / "log.csv").write_text("viewer_id,video_id,watched_at,event,watch_time\n" + "".join(lines))
    proposal = propose(recognise([tmp_path]))
    assert (proposal.preset, proposal.events, proposal.users) == ("video", 30, 7)


def test_names_of_the_world_become_the_presets(tmp_path: Path) -> None:
    text = rows(("view", 30), ("addtocart", 6), ("transaction", 3), value="9.5")
    proposal = proposed(tmp_path, text)
    (events,) = proposal.description.events
    assert events.kinds == {"addtocart": "add_to_cart", "transaction": "purchase"}
    assert dict(proposal.kinds) == {"view": 30, "add_to_cart": 6, "purchase": 3}
    assert "# 3 events, 'transaction' in the files" in proposal.schema
    assert events.values == {"view": "value", "add_to_cart": "value", "purchase": "value"}
    assert "# 30 events\n# it has no value here, but numbers in the column value\n[events.view]" in proposal.schema


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        (["rating"], "movies"),
        (["read", "click"], "news"),
        (["watch", "click", "follow"], "video"),
        (["add_to_cart", "view"], "shop"),
        (["view", "click"], "shop"),
        (["lend", "return"], "shop"),
    ],
)
def test_the_preset_that_knows_most(tmp_path: Path, kinds: list[str], name: str) -> None:
    proposal = proposed(tmp_path, rows(*((kind, 3) for kind in kinds), value="4"))
    assert proposal.preset == name
    assert set(kinds) <= set(read_document(proposal.schema, "it").events)


@pytest.mark.parametrize("name", [None, "news", "video"])
def test_ratings_have_stars_where_the_preset_has_none(tmp_path: Path, name: str | None) -> None:
    kinds = rows(("read", 3), ("share", 3), ("rating", 3), value="4")
    document = read_document(proposed(tmp_path, kinds, name).schema, "it")
    assert document.events["rating"] == preset("movies").events["rating"]


def test_a_kind_that_no_preset_knows_says_nothing_until_it_is_told(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, rows(("view", 5), ("Price Alert", 2)))
    document = read_document(proposal.schema, "it")
    assert document.events["price_alert"].weight == 0
    assert "'price_alert' is no kind of the preset shop: its weight is 0 until you say what it means" in proposal.doubts


def test_kinds_in_other_scripts_have_a_name_each(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, rows(("просмотр", 5), ("покупка", 2), ("点击", 1), ("Köp", 1)))
    document = read_document(proposal.schema, "it")
    assert set(proposal.kinds) <= set(document.events)
    (events,) = proposal.description.events
    assert set(events.kinds) == {"просмотр", "покупка", "点击", "Köp"}
    assert len(set(events.kinds.values())) == 4
    assert "# 2 events, 'покупка' in the files\n[events.kind_" in proposal.schema
    assert events.kinds["Köp"] == "kop"


@pytest.mark.parametrize(
    ("ratings", "scale", "outside"),
    [
        ([0.5, 3, 4, 5], 1.0, 0),
        ([4, 5, 3, 2] * 5 + [10], 1.0, 1),  # a slip is no scale
        ([1, 7, 8, 10], 0.5, 0),
        ([0, 0, 0, 7, 10], 0.5, 3),  # Book-Crossing's 0 is no rating
        ([10, 65, 80, 100], 0.05, 0),
        ([1_500, 2_000], 1.0, 2),
    ],
)
def test_ratings_of_ten_or_of_a_hundred_become_stars(
    tmp_path: Path, ratings: list[float], scale: float, outside: int
) -> None:
    lines = "".join(f"u{at},i{at},{1_700_000_000 + at},{rating}\n" for at, rating in enumerate(ratings))
    proposal = proposed(tmp_path, "user_id,item_id,timestamp,rating\n" + lines)
    (file,) = proposal.description.events
    assert (file.values, file.scales) == ({"rating": "rating"}, {} if scale == 1.0 else {"rating": scale})
    told = f"is multiplied by {scale:g}, so that {5 / scale:g} there are five stars (scales in dataset.toml)"
    assert any(told in doubt for doubt in proposal.doubts) == (scale != 1.0)
    range_told = (
        f"{outside} values of rating in the column rating are no number of stars from {0.5 / scale:g} to {5 / scale:g}"
    )
    assert any(range_told in doubt for doubt in proposal.doubts) == (outside > 0)


def test_the_files_of_a_log_have_one_scale(tmp_path: Path) -> None:
    """A month that has just begun has a few ratings, and low ones: they are no stars where those before are out of ten."""

    def write(name: str, column: str, ratings: list[int]) -> None:
        lines = "".join(f"u{at},i{at},{1_700_000_000 + at},{rating}\n" for at, rating in enumerate(ratings))
        (tmp_path / name).write_text(f"user_id,item_id,timestamp,{column}\n" + lines)

    write("ratings-1.csv", "rating", [3, 5, 7, 8, 10] * 40)
    write("ratings-2.csv", "rating", [2, 3, 4, 5])
    write("ratings-3.csv", "stars", [2, 3, 4, 5])
    proposal = propose(recognise([tmp_path]))
    rejects = Rejects()
    described = describe(tmp_path, preset("movies"), rejects)
    for description in (proposal.description, described):
        scales = {Path(file.file).name: file.scales for file in description.events}
        assert scales == {"ratings-1.csv": {"rating": 0.5}, "ratings-2.csv": {"rating": 0.5}, "ratings-3.csv": {}}
    told = (
        "rating in ratings-1.csv, ratings-2.csv, column rating, is multiplied by 0.5, so that 10 there are five stars "
        "(scales in dataset.toml)"
    )
    assert told in rejects.remarks()
    assert told in proposal.doubts


def test_recent_data_goes_on_now(tmp_path: Path) -> None:
    now = int(datetime.now(UTC).timestamp())
    assert proposed(tmp_path, f"{HEADER}u,i,{now - 86_400},view,\n").description.clock == "wall"
    assert proposed(tmp_path, f"{HEADER}u,i,{now - 86_400 * 31},view,\n").description.clock == "data"


def test_a_preset_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one of movies, news, shop, video"):
        proposed(tmp_path, rows(("view", 1)), "cinema")


def test_numbers_stay_numbers_whatever_their_digits_and_gaps(tmp_path: Path) -> None:
    text = "item_id,price\n" + "".join(f"{at},{1_700_000_000 + at}\n" for at in range(9)) + "9,0.12345678901234567890\n"
    (tmp_path / "items.csv").write_text(text)
    columns = {"item_id": ["a", "b", "c"], "weight": [0.5, float("nan"), 2.25], "size": [float("nan")] * 3}
    pq.write_table(pa.table(columns), tmp_path / "items_more.parquet")
    found = {each.name: each for each in propose(recognise([tmp_path])).attributes}
    assert (found["price"].type, found["weight"].type, found["weight"].filled) == ("number", "number", 2)
    assert found["size"].filled == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_two_columns_of_items_of_one_name_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"items.{suffix}"
    if suffix == "csv":
        path.write_text("item_id,price,price\n1,2,3\n")
    else:
        pq.write_table(
            pa.Table.from_arrays([pa.array([at]) for at in "123"], names=["item_id", "price", "price"]), path
        )
    with pytest.raises(BadInput, match=rf"items\.{suffix}: expected columns of different names, got 2 columns price"):
        propose(recognise([tmp_path]))


def test_types_of_attributes(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = ["id;name;colour;tags;price;year;added_at;is_new;in_stock;about;image;category_id;weight"]
    for number in range(200):
        colour, tags = rng.choice(["red", "blue"]), "|".join(rng.sample(["a", "b", "c"], 2))
        about = f"Number {number} is good for many things and has a long description of what it does for you"
        lines.append(
            f"{number};N{number};{colour};{tags};{number / 4};{1950 + number % 50};2024-01-02T03:04:05Z;{number % 2};"
            f"{'yes' if number % 3 else 'no'};{about};https://x/{number}.png;{number % 9};-{number}.5"
        )
    (tmp_path / "products.csv").write_text("\n".join(lines) + "\n")
    proposal = propose(recognise([tmp_path]))
    types = {each.name: each.type for each in proposal.attributes}
    assert types == {
        "colour": "facet",
        "tags": "facet",
        "price": "number",
        "year": "number",
        "added_at": "time",
        "is_new": "flag",
        "in_stock": "flag",
        "about": "text",
        "image": "text",
        "category_id": "facet",
        "weight": "number",
    }
    first = proposal.attributes[0]
    assert first == Attribute("colour", "colour", "facet", False, first.examples, 2, 200, 200)
    assert [each.name for each in proposal.attributes if each.many] == ["tags"]
    assert read_document(proposal.schema, "it").preset == "shop"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("purchases_2024_01", "purchase"),
        ("orders_export_1", "purchase"),
        ("transactions-train", "purchase"),
        ("viewEvents", "view"),
        ("log", "click"),
        ("playlist", "click"),
    ],
)
def test_a_file_that_names_no_kind_is_of_the_one_that_its_name_begins_with(
    tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / f"{name}.csv").write_text("user_id,item_id,timestamp\nu1,i1,1700000000\n")
    (file,) = recognise([tmp_path]).description.events
    assert file.every == kind


def test_a_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "EVENTS.CSV").write_text(rows(("view", 3)))
    assert propose(recognise([tmp_path])).events == 3


def test_json_that_is_no_object_a_line_is_refused_for_that(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text('[{"user_id": 1, "item_id": 2, "timestamp": 1700000000}]\n')
    with pytest.raises(BadInput, match="expected one JSON object a line, got an array"):
        recognise([tmp_path])
