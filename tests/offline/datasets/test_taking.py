"""A correction of what describes the files takes effect; what a base was made of stays; another schema reads the same history."""

import json
import shutil
from pathlib import Path

import pytest

from features.errors import BadInput
from features.schema.tables import Schema, read_schema
from offline.datasets.dataset import Dataset, open_dataset, rows_between
from offline.datasets.dataset_names import TAKEN
from offline.datasets.own.description import describes
from tests.schemas import SHOP

AT = 1_700_000_000
HEADER = "user,item,at,kind,price,quantity\n"
DESCRIPTION = """name = "shop"
[[events]]
file = "events.csv"
user = "user"
item = "item"
time = "at"
kind = "kind"
values = {purchase = "price", add_to_cart = "quantity"}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home's folder with a dataset.toml, and its files beside it."""
    home = tmp_path / "home"
    home.mkdir()
    lines = [f"u{at},A-{at},{AT + at},{kind},{at}.50,{at % 3}\n" for at, kind in enumerate(["purchase", "save"] * 10)]
    (home / "events.csv").write_text(HEADER + "".join(lines))
    (home / "dataset.toml").write_text(DESCRIPTION)
    return home


def opened(home: Path, schema: Schema = SHOP, makes_base: bool = True, given: Path | None = None) -> Dataset:
    bases = home / "base" if makes_base else None
    return open_dataset(str(given or home / "dataset.toml"), home / "data", schema, bases)


def make_base_of(home: Path, dataset: Dataset, number: int) -> None:
    folder = home / "base" / str(number)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"dataset": dataset.name}))


def given_folder(home: Path, folder: Path) -> Path:
    """Returns a folder with the files and their description, which the home has no more."""
    folder.mkdir()
    for name in ("events.csv", "dataset.toml"):
        (home / name).rename(folder / name)
    return folder


def values_of(dataset: Dataset) -> list[int]:
    return [value for batch in rows_between(dataset, 0, dataset.rows) for value in batch["centi"].to_pylist()]


def correct(home: Path, before: str, after: str) -> None:
    text = (home / "dataset.toml").read_text()
    assert before in text
    (home / "dataset.toml").write_text(text.replace(before, after))


def test_what_no_base_was_made_of_is_taken_anew(home: Path) -> None:
    first = opened(home)
    assert (first.name, first.rows, values_of(first)[1]) == ("shop", 10, 250)
    correct(home, '"price"', '"quantity"')
    corrected = opened(home)
    assert (corrected.name, values_of(corrected)[1]) == ("shop", 200)
    with (home / "events.csv").open("a") as file:
        file.write(f"u99,A-1,{AT + 99},purchase,7,1\n")
    assert opened(home).rows == 11
    correct(home, 'name = "shop"', 'name = "store"')
    assert opened(home).name == "store"


def test_a_correction_after_a_base_is_another_data_set_for_the_next_one(home: Path) -> None:
    first = opened(home)
    make_base_of(home, first, 1)
    correct(home, '"price"', '"quantity"')
    assert not describes(home / "dataset.toml", home / "data" / "shop")
    assert opened(home, makes_base=False) == first
    second = opened(home)
    assert (second.name, values_of(second)[1]) == ("shop.2", 200)
    assert describes(home / "dataset.toml", home / "data" / "shop.2")
    make_base_of(home, second, 2)
    for name, dataset in (("shop", first), ("shop.2", second)):
        assert open_dataset(str(home / "data" / name), home / "data", SHOP, home / "base") == dataset
    assert values_of(first)[1] == 250
    assert opened(home, makes_base=False) == opened(home) == second
    correct(home, '"quantity", add', '"price", add')
    assert opened(home) == first, "what was said before is there already"


def test_so_is_one_of_the_description_in_a_folder_that_was_given(home: Path, tmp_path: Path) -> None:
    folder = given_folder(home, tmp_path / "export 1")
    first = opened(home, given=folder)
    assert (first.name, values_of(first)[1]) == ("export-1", 250)
    make_base_of(home, first, 1)
    correct(folder, '"price"', '"quantity"')
    assert opened(home, makes_base=False, given=folder) == first
    second = opened(home, given=folder)
    assert (second.name, values_of(second)[1]) == ("export-1.2", 200)
    (folder / "events.csv").unlink()
    assert opened(home, given=folder) == second


@pytest.mark.parametrize("has_base", [True, False])
def test_a_description_that_is_gone_from_its_folder_is_no_correction(
    home: Path, tmp_path: Path, has_base: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """has_base: whether a base was made of what it said last, or only of what it said before."""
    folder = given_folder(home, tmp_path / "shop")
    make_base_of(home, opened(home, given=folder), 1)
    correct(folder, '"price"', '"quantity"')
    second = opened(home, given=folder)
    if has_base:
        make_base_of(home, second, 2)
    (folder / "dataset.toml").unlink()
    capsys.readouterr()
    for makes_base in (False, True):
        assert opened(home, given=folder, makes_base=makes_base) == second
        told = (
            f"shop.2: {folder / 'dataset.toml'} is gone; what was taken by it stays (a new home takes the files anew)"
        )
        assert told in capsys.readouterr().out
    (folder / "events.csv").unlink()
    assert opened(home, given=folder) == second
    folder.joinpath("dataset.toml").write_text(DESCRIPTION)
    assert opened(home, given=folder).name == "shop"


@pytest.mark.parametrize("has_base", [True, False])
def test_a_correction_that_was_taken_back_does_not_come_back_once_the_description_is_gone(
    home: Path, tmp_path: Path, has_base: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """has_base: whether a base was made since it was taken back. Bases that are no longer in use are removed."""
    folder = given_folder(home, tmp_path / "shop")
    first = opened(home, given=folder)
    make_base_of(home, first, 1)
    correct(folder, '"price"', '"quantity"')
    make_base_of(home, opened(home, given=folder), 2)
    shutil.rmtree(home / "base" / "1")
    (folder / "dataset.toml").write_text(DESCRIPTION)
    assert opened(home, given=folder) == first
    if has_base:
        make_base_of(home, first, 3)
        shutil.rmtree(home / "base" / "2")
    (folder / "dataset.toml").unlink()
    shutil.copytree(home, tmp_path / "copy", copy_function=shutil.copyfile)
    for each in (home, tmp_path / "copy"):
        for makes_base in (False, True):
            capsys.readouterr()
            assert opened(each, given=folder, makes_base=makes_base).name == "shop"
            assert f"shop: {folder / 'dataset.toml'} is gone; what was taken by it stays" in capsys.readouterr().out


def test_of_data_sets_of_an_earlier_version_that_of_the_newest_base_was_taken_last(home: Path) -> None:
    first = opened(home)
    make_base_of(home, first, 9)
    correct(home, '"price"', '"quantity"')
    make_base_of(home, opened(home), 10)
    (home / "dataset.toml").write_text(DESCRIPTION)
    make_base_of(home, opened(home), 11)
    shutil.rmtree(home / "base" / "9")
    for path in home.glob("data/*/chosen.json"):
        path.unlink()
    (home / "dataset.toml").unlink()
    assert opened(home) == first


def test_a_description_that_is_half_an_edit_holds_up_no_home_that_has_a_base(home: Path) -> None:
    (home / "dataset.toml").write_text(DESCRIPTION + 'title = "half')
    with pytest.raises(BadInput, match=r"dataset\.toml: expected TOML"):
        opened(home, makes_base=False)
    (home / "dataset.toml").write_text(DESCRIPTION)
    first = opened(home)
    make_base_of(home, first, 1)
    (home / "dataset.toml").write_text(DESCRIPTION + 'title = "half')
    assert opened(home, makes_base=False) == first
    with pytest.raises(BadInput, match=r"dataset\.toml: expected TOML"):
        opened(home)
    (home / "dataset.toml").write_text(DESCRIPTION)
    assert opened(home) == first


def test_a_folder_whose_description_goes_before_there_is_a_base_is_recognised(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    lines = "".join(f"u{at},A-{at},{AT + at},purchase,{at}.50\n" for at in range(10))
    (folder / "events.csv").write_text("user_id,item_id,timestamp,type,price\n" + lines)
    described = DESCRIPTION.replace('"user"', '"user_id"').replace('"item"', '"item_id"').replace('"at"', '"timestamp"')
    (folder / "dataset.toml").write_text(described.replace('kind = "kind"\nvalues', 'every = "click"\n# values'))
    first = opened(home, given=folder)
    assert values_of(first) == [0] * 10
    (folder / "dataset.toml").unlink()
    again = opened(home, given=folder)
    assert (again.name, values_of(again)[1]) == (first.name, 150)


def test_files_that_changed_after_a_base_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = opened(home)
    make_base_of(home, first, 1)
    correct(home, "[[events]]", "# the shop of 2023\n[[events]]")
    assert opened(home) == first
    assert capsys.readouterr().out.count("rows left out") == 1
    with (home / "events.csv").open("a") as file:
        file.write(f"u99,A-1,{AT + 99},purchase,7,1\n")
    assert opened(home) == first
    assert "events.csv has changed; what was taken from it stays (a new home takes it anew)" in capsys.readouterr().out
    (home / "events.csv").unlink()
    assert opened(home) == first


def test_a_home_that_moves_keeps_what_was_taken(home: Path) -> None:
    first = opened(home)
    make_base_of(home, first, 1)
    moved = home.rename(home.parent / "moved")
    again = opened(moved)
    assert (again.name, again.rows) == (first.name, first.rows)
    shutil.rmtree(moved / "data" / "shop")
    assert opened(moved).rows == first.rows


def test_another_schema_reads_the_values_anew(home: Path) -> None:
    plain = read_schema("[events.purchase]\nweight = 1.0", "plain")
    dataset = opened(home, plain)
    make_base_of(home, dataset, 1)
    assert set(values_of(dataset)) == {0}
    (home / "events.csv").unlink()
    assert values_of(opened(home, SHOP))[:2] == [50, 250]
    wider = read_schema('preset = "shop"\n[events.save]\nweight = 0.5', "wider")
    assert opened(home, wider).rows == 20


def test_a_schema_that_takes_values_for_something_else_is_refused(home: Path) -> None:
    make_base_of(home, opened(home), 1)
    other = read_schema('preset = "shop"\n[events.purchase]\nweight = 1.0\nvalue = "seconds"', "other")
    expected = r"events\.purchase\.value: expected `money`, which the values of this data set's purchase are, or none"
    with pytest.raises(BadInput, match=expected):
        opened(home, other)
    correct(home, 'purchase = "price", ', "")
    assert opened(home, other).name == "shop.2", "what says nothing of the values may be read as anything"


def test_values_out_of_range_are_counted_and_too_many_refused(home: Path) -> None:
    lines = [f"u{at},A,{AT + at},rating,{'9' if at < 4 else '5'},\n" for at in range(40)]
    (home / "events.csv").write_text(HEADER + "".join(lines))
    correct(home, "purchase = ", "rating = ")
    dataset = opened(home)
    assert (dataset.rows, dict(dataset.left_out)) == (36, {"a rating needs a number of stars from 0.5 to 5": 4})
    (home / "events.csv").write_text(HEADER + "".join(lines).replace(",5,", ",7,", 1))
    with pytest.raises(
        BadInput, match=r"the values of rating: expected a number of stars .*, got 5 of 40 that are none"
    ):
        opened(home)
    assert "u4,A,rating,700," in (home / "data" / "shop" / "rows-left-out.txt").read_text()


def test_a_broken_taking_is_none(home: Path) -> None:
    make_base_of(home, opened(home), 1)
    (home / "data" / "shop" / TAKEN).unlink()
    assert opened(home).name == "shop"


def test_what_another_schema_does_not_take_of_items_is_told_to_who_makes_a_base(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "items.csv").write_text("id,price,brand\nA-1,5,Acme\nA-2,,Acme\nA-3,7,\n")
    with (home / "dataset.toml").open("a") as file:
        file.write('[[items]]\nfile = "items.csv"\nid = "id"\nnumbers = ["price"]\nfacets = ["brand"]\n')
    first = opened(home)
    assert [item.values for item in first.items if item.outer == "A-1"] == [{"price": 5}]
    assert "don't fit" not in capsys.readouterr().out
    make_base_of(home, first, 1)
    other = read_schema('preset = "shop"\n[items.price]\ntype = "facet"\n', "other.toml")
    second = opened(home, other)
    assert {tuple(item.facets) for item in second.items if item.outer == "A-1"} == {("brand",)}
    told = "shop: 2 values of price don't fit: expected a string of 1 to 128 printable characters, got "
    assert told in capsys.readouterr().out
    opened(home, other, makes_base=False)
    assert "don't fit" not in capsys.readouterr().out
