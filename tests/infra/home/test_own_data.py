"""init writes a home's two files, or neither; and `up` then goes by them."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from examples.shop import draw_shop
from features.errors import BadInput
from infra.cli.main import app
from infra.home.dataset_choice import chosen_dataset, default_history, unread_correction
from infra.home.own_data import init_home
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.schema_file import schema_of
from offline.datasets.dataset import open_dataset
from tests.schemas import SHOP


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    draw_shop(tmp_path / "shop", users=40, items=30, seed=2, end=datetime(2026, 1, 1, tzinfo=UTC))
    return tmp_path / "shop"


def test_init_writes_what_up_goes_by(tmp_path: Path, shop: Path) -> None:
    home = Home(tmp_path / "home")
    lines = init_home(home, [shop], None, force=False)
    assert lines[0].startswith("shop: ")
    assert any("purchase" in line for line in lines)
    assert lines[-1] == f"next: ./martlet up --home {home.path}"
    schema = schema_of(home)
    assert schema.kinds == SHOP.kinds
    assert {name: each.type for name, each in schema.items.declared.items()} == {
        "category": "facet", "brand": "facet", "tags": "facet", "price": "number", "description": "text",
    }  # fmt: skip
    assert schema.items.declared["price"].bands == SHOP.items.declared["price"].bands
    record = HomeRecord(home.make())
    record.describe(None, None)
    record.save()
    record = HomeRecord(home)
    assert (record.dataset, record.history) == (str(home.dataset_file), 1.0)
    schema = schema_of(home).salted(record.salt)
    rows = open_dataset(record.dataset, home.data, schema).rows
    assert rows > 100
    shutil.rmtree(shop)
    assert open_dataset(record.dataset, home.data, schema).rows == rows


def test_a_home_that_moves_keeps_its_data(tmp_path: Path, shop: Path) -> None:
    home = Home(tmp_path / "home")
    init_home(home, [shop], None, force=False)
    record = HomeRecord(home.make())
    record.describe(str(shop), None)
    record.save()
    moved = Home(home.path.rename(tmp_path / "moved"))
    record = HomeRecord(moved)
    assert record.dataset == str(moved.dataset_file)
    record.describe(str(shop), None)
    with pytest.raises(BadInput, match=r"--dataset: expected .*shop, which .*dataset\.toml describes, got ml-1m"):
        record.describe("ml-1m", None)


def test_nothing_is_replaced_unless_forced(tmp_path: Path, shop: Path) -> None:
    home = Home(tmp_path / "home")
    init_home(home, [shop], None, force=False)
    home.schema_file.write_text('preset = "news"\n')
    with pytest.raises(BadInput, match=r"schema\.toml: expected no such file yet, or --force"):
        init_home(home, [shop], None, force=False)
    assert home.schema_file.read_text() == 'preset = "news"\n'
    init_home(home, [shop], "video", force=True)
    assert 'preset = "video"' in home.schema_file.read_text()


def test_files_that_hold_nothing_leave_no_home(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="files of events"):
        init_home(Home(tmp_path / "home"), [tmp_path / "empty"], None, force=False)
    assert not (tmp_path / "home").exists()


def test_the_command(tmp_path: Path, shop: Path) -> None:
    argv = ["init", "--home", str(tmp_path / "home"), "--from", str(shop / "events.csv"), str(shop / "items.csv")]
    done = CliRunner().invoke(app, argv)
    assert done.exit_code == 0, done.output
    assert "events.csv, items.csv" in done.output
    done = CliRunner().invoke(app, [*argv, "--preset", "cinema", "--force"])
    assert isinstance(done.exception, BadInput)
    assert "one of movies, news, shop, video" in str(done.exception)


def test_what_a_failed_start_left_is_no_hindrance(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home").make()
    monkeypatch.chdir(tmp_path)
    record = HomeRecord(home)
    record.describe("missing", 0.5)
    salt = record.salt
    record.describe("shop", None)
    assert (record.dataset, record.history, record.salt) == (str(shop), 1.0, salt)
    record.describe(None, 0.7)
    assert (record.dataset, record.history) == (str(shop), 0.7)
    record.save()
    argv = ["init", "--home", str(home.path), "--from", str(shop)]
    assert CliRunner().invoke(app, argv).exit_code == 0
    record = HomeRecord(home)
    record.describe(None, None)
    assert (record.dataset, record.history) == (str(home.dataset_file), 1.0)
    (home.bases / "1").mkdir()
    (home.bases / "1" / "manifest.json").write_text("{}")
    done = CliRunner().invoke(app, [*argv, "--force"])
    assert "a home that has no base yet" in str(done.exception)
    record.describe(str(shop / "events.csv"), None)
    with pytest.raises(BadInput, match="--history"):
        record.describe(None, 0.5)


def test_a_path_is_recorded_whole(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "home").make()
    assert chosen_dataset(home, "shop") == chosen_dataset(home, "../" + tmp_path.name + "/shop") == str(shop)
    assert chosen_dataset(home, "ml-1m") == "ml-1m"


def test_a_correction_that_was_not_read_is_told(tmp_path: Path, shop: Path) -> None:
    home = Home(tmp_path / "home")
    base = home.bases / "1"
    base.mkdir(parents=True)
    (base / "manifest.json").write_text('{"dataset": "shop"}')
    assert unread_correction(home, "ml-100k", base) == ""
    init_home(home, [shop], None, force=False)
    open_dataset(str(home.dataset_file), home.data, schema_of(home))
    given = str(home.dataset_file)
    assert unread_correction(home, given, base) == ""
    before = home.dataset_file.read_text()
    home.dataset_file.write_text(before.replace('"price"', '"quantity"', 1))
    assert "has changed since base 1 was made: ./martlet features makes one" in unread_correction(home, given, base)
    for half, why in (
        (before + 'title = "half an edit\n', "expected TOML, got Illegal character"),
        (before.replace("user = ", "usr = "), "expected .*, got"),
    ):
        home.dataset_file.write_text(half)
        told = rf"{re.escape(given)}.* can't be read: {why}.*; base 1 stays"
        assert re.fullmatch(told, unread_correction(home, given, base))
    unreadable = "/" + "a" * 300  # as a folder of another user is, for whoever is not root
    assert unread_correction(home, unreadable, base) == f"{unreadable} can't be read: File name too long; base 1 stays"


def home_with_base(folder: Path, dataset: str | None) -> Home:
    home = Home(folder).make()
    record = HomeRecord(home)
    record.describe(dataset, None)
    record.save()
    open_dataset(record.dataset, home.data, schema_of(home))
    (home.bases / "1").mkdir()
    (home.bases / "1" / "manifest.json").write_text('{"dataset": "shop"}')
    return home


def test_a_home_with_a_base_starts_though_the_folder_that_is_named_is_gone(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = home_with_base(tmp_path / "home", "shop")
    base = home.bases / "1"
    assert unread_correction(home, str(shop), base, "shop") == ""
    shop.rename(tmp_path / "away")
    for given in ("shop", "home/../shop", str(shop)):
        HomeRecord(home).describe(given, None)
        assert unread_correction(home, str(shop), base, given) == f"{given} is gone; base 1 stays"
    assert unread_correction(home, str(shop), base) == "", "the files may go once they were taken"
    with pytest.raises(BadInput, match=r"--dataset: expected .*/shop, which .*home was made for .*, got away"):
        HomeRecord(home).describe("away", None)
    with pytest.raises(BadInput, match="--history"):
        HomeRecord(home).describe("shop", 0.5)


def test_so_does_one_whose_folder_can_not_be_read(tmp_path: Path) -> None:
    unreadable = "/" + "a" * 300  # as a folder of another user is, for whoever is not root
    home = Home(tmp_path / "home").make()
    (home.bases / "1").mkdir()
    (home.bases / "1" / "manifest.json").write_text('{"dataset": "shop"}')
    home.record_file.write_text(json.dumps({"dataset": unreadable}))
    HomeRecord(home).describe(unreadable, None)
    told = f"{unreadable} can't be read: File name too long; base 1 stays"
    assert unread_correction(home, unreadable, home.bases / "1", unreadable) == told
    argv = ["up", "--home", str(home.path), "--dataset", unreadable, "--wait"]
    assert "--wait: expected --detach with it" in str(CliRunner().invoke(app, argv).exception), "it is not looked for"


@pytest.mark.parametrize("becomes", ["half an edit", "gone"])
def test_so_does_one_whose_own_description_can_not_be_read(tmp_path: Path, shop: Path, becomes: str) -> None:
    init_home(Home(tmp_path / "home"), [shop], None, force=False)
    home = home_with_base(tmp_path / "home", None)
    if becomes == "gone":
        home.dataset_file.unlink()
    else:
        home.dataset_file.write_text(home.dataset_file.read_text() + 'title = "half an edit\n')
    moved = Home(home.path.rename(tmp_path / "moved"))
    for each in (shop, shop / "events.csv", moved.dataset_file):
        HomeRecord(moved).describe(str(each), None)
    shop.rename(tmp_path / "away")
    HomeRecord(moved).describe(str(shop), None)
    for other in ("ml-1m", str(tmp_path)):
        with pytest.raises(BadInput, match=r"--dataset: expected .*shop, which .*dataset\.toml describes, got "):
            HomeRecord(moved).describe(other, None)


def test_the_data_set_of_a_home_that_is_not_told(tmp_path: Path) -> None:
    films, shop = Home(tmp_path / "films").make(), Home(tmp_path / "shop").make()
    HomeRecord(shop).take_schema("shop")
    assert (chosen_dataset(films, None), chosen_dataset(shop, None)) == ("ml-100k", "none")
    assert (chosen_dataset(shop, "ml-1m"), chosen_dataset(films, "none")) == ("ml-1m", "none")
    assert (default_history("ml-100k"), default_history("none")) == (0.8, 1.0)
