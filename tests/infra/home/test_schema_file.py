"""A home's schema: written when it is made, and never taken silently when it has changed."""

import json
from pathlib import Path

import pytest

from features.errors import BadInput, Broken
from features.fold.state import FOLD_VERSION
from features.schema.tables import preset_schema
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.schema_file import schema_of
from infra.stack import replace_schema
from tests.infra.home.empty_base import empty_base
from tests.schemas import MOVIES, SHOP


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").make()


def put_base(home: Home, number: int, digest: str) -> None:
    folder = empty_base(home.bases / str(number), schema_of(home))
    (folder / "manifest.json").write_text(json.dumps({"fold_version": FOLD_VERSION, "schema": digest}))


def described(home: Home, schema: str | None = None) -> HomeRecord:
    """What of that comes first, and is all that a start has done which fails then."""
    record = HomeRecord(home)
    if schema is not None:
        record.take_schema(schema)
    record.describe(None, None)
    record.save()
    return record


def started(home: Home, schema: str | None = None) -> HomeRecord:
    """What `up` does with the record before anything runs."""
    record = described(home, schema)
    number = record.next_base_number()
    if not (home.bases / str(number)).exists():
        put_base(home, number, schema_of(home).digest)
    record.take_base(number)
    record.save()
    return record


def test_without_a_file_events_are_those_of_films(home: Home) -> None:
    started(home)
    assert schema_of(home).digest == MOVIES.digest
    assert not home.schema_file.exists()


def test_a_preset_or_a_file_is_taken_when_the_home_is_made_and_may_be_named_again(home: Home, tmp_path: Path) -> None:
    started(home, "shop")
    assert schema_of(home).digest == SHOP.digest
    started(home)
    started(home, "shop")
    other = tmp_path / "other.toml"
    other.write_text("[events.click]\nweight = 1\n")
    with pytest.raises(BadInput, match=r"--schema: expected what .* says .*rebuild --schema"):
        started(home, str(other))
    with pytest.raises(BadInput, match="expected one of movies, news, shop, video, or a file, got cinema"):
        started(home, "cinema")


def test_a_file_that_was_changed_is_not_taken_silently(home: Home) -> None:
    started(home, "shop")
    home.schema_file.write_text('preset = "shop"\n# the same\n')
    started(home)
    home.schema_file.write_text('preset = "shop"\n[events.wish]\nweight = 0.5\n')
    with pytest.raises(BadInput, match=r"expected what base 1 was folded by .*rebuild --schema FILE takes another"):
        started(home)
    home.schema_file.write_text('preset = "shop"\n[events.wish]\nweight = 5\n')
    with pytest.raises(
        BadInput, match=r"schema.toml, line 3, events.wish.weight: expected a number from -1 to 1, got 5"
    ):
        started(home)


def test_rebuild_takes_another_by_a_new_base(home: Home) -> None:
    generation = started(home).generation
    with home_lock(home), pytest.raises(BadInput, match="a home in which no up or job runs"):
        replace_schema(home, "shop")
    assert not home.schema_file.exists()
    assert replace_schema(home, "shop") == 2
    record = started(home)
    assert (record.base_number, record.generation) == (2, generation + 1)
    assert schema_of(home).digest == SHOP.digest


@pytest.mark.parametrize(
    ("first", "second", "dataset"), [("shop", "movies", "ml-100k"), (None, "shop", "none"), ("shop", "news", "none")]
)
def test_another_is_taken_while_there_is_neither_base_nor_log(
    home: Home, first: str | None, second: str, dataset: str
) -> None:
    described(home, first)
    record = started(home, second)
    assert schema_of(home).digest == preset_schema(second).digest
    assert record.dataset == dataset
    with pytest.raises(BadInput, match="rebuild --schema FILE takes another"):
        started(home, "video")


def test_with_a_log_and_no_base_rebuild_takes_another(home: Home) -> None:
    """Events may have come that were meant by the one of before."""
    described(home, "shop")
    home.kafka_meta.parent.mkdir(parents=True)
    home.kafka_meta.touch()
    with pytest.raises(BadInput, match="rebuild --schema FILE takes another"):
        described(home, "news")
    assert replace_schema(home, "news") == 1
    assert started(home, "news").base_number == 1


def test_a_file_of_the_homes_own_is_not_lost_to_another(home: Home) -> None:
    described(home, "shop")
    home.schema_file.write_text('preset = "shop"\n[events.wish]\nweight = 0.5\n')
    with pytest.raises(
        BadInput, match=r"what .*schema.toml says \(nothing is made by it yet: change that file, or remove it\)"
    ):
        described(home, "shop")
    home.schema_file.unlink()
    described(home, "shop")
    assert schema_of(home).digest == SHOP.digest


def test_a_folder_that_is_no_home_has_no_schema_to_replace(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"is no home yet; \./martlet up makes it"):
        replace_schema(Home(tmp_path / "nothing"), "shop")
