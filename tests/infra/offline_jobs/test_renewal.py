"""What is made anew is for the next start, and what it supersedes unused does not stay."""

import json
from pathlib import Path

import pytest

from benchmarks.harness.base_writer import write_small_base
from features.base.reader import MANIFEST
from features.errors import Broken
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs.base_folders import ranking_lists_folder, samples_folder
from infra.offline_jobs.disk_room import check_room
from infra.offline_jobs.renewal import discard, hand_over, is_of_others, renew, take_for_next_start
from tests.schemas import MOVIES


def make_base(home: Home, number: int, **manifest: object) -> list[Path]:
    """A base by its manifest alone, with training data and a log as rows; the folders."""
    folders = [home.bases / str(number), samples_folder(home, number), home.data / f"log-{number}"]
    for folder in folders:
        folder.mkdir(parents=True)
    (folders[0] / MANIFEST).write_text(json.dumps({"number": number, **manifest}))
    return folders


def test_what_is_given_up_is_removed_unless_it_is_used_or_others_have_made_it(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    folders = {number: make_base(home, number, dataset=f"log-{number}", previous=1) for number in (2, 3, 4)}
    folders[5] = make_base(home, 5, dataset="ml-100k")
    record.take_base(2)
    record.set_next_base(3)
    record.save()
    for number in (2, 3, 4, 5, 6):
        discard(home, number)
        discard(home, number)
    assert [number for number in folders if all(folder.is_dir() for folder in folders[number])] == [2, 3, 5]
    assert not any(folder.exists() for folder in folders[4])
    assert [number for number in (4, 5) if is_of_others(home, number)] == [5]


def test_the_number_of_a_base_that_was_given_up_is_not_used_again(tmp_path: Path) -> None:
    """An API that has read its weights would take the next one of that number for the same."""
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    make_base(home, 1, dataset="ml-100k")
    record.take_base(1)
    record.save()
    make_base(home, 2, dataset="log-2", previous=1)
    discard(home, 2)
    assert not (home.bases / "2").exists()
    assert HomeRecord(home).free_base_number() == 3


def test_a_base_of_the_data_set_that_waits_for_the_next_start_is_not_superseded(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    make_base(home, 1, dataset="ml-100k")
    make_base(home, 2, dataset="ml-100k")
    record.take_base(1)
    record.set_next_base(2)
    record.save()
    done = renew(home, 3, ["fusion"], print)
    assert done == "nothing to make anew: the next start takes base 2, which is made of the data set"
    make_base(home, 3, dataset="log-3", previous=1)
    made_meanwhile = hand_over(home, 3)
    assert made_meanwhile == "the next start takes base 2, which is made of the data set"
    assert HomeRecord(home).newest_base == 2
    record.set_next_base(3)
    record.save()
    make_base(home, 4, dataset="log-4", previous=1)
    assert hand_over(home, 4) == "the rest at the next start"
    assert HomeRecord(home).newest_base == 4


def test_without_room_on_the_disk_nothing_is_begun(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    write_small_base(home.bases / "1", MOVIES, {"cut": 0, "dataset": "ml-100k", "fold_version": 1, "partitions": 8}, [])
    record.take_base(1)
    record.save()
    for folder in (samples_folder(home, 1), home.data / "ml-100k"):
        folder.mkdir()
        (folder / "rows").write_bytes(bytes(50 << 20))
    bytes_of_base = sum(path.stat().st_size for path in (home.bases / "1").rglob("*") if path.is_file())
    enough = (1 << 30) + 2 * ((100 << 20) + bytes_of_base)
    check_room(home, lambda _: enough)
    with pytest.raises(Broken, match=r"making all anew needs 12\d\d MiB free where .* lies, there are 12\d\d MiB"):
        check_room(home, lambda _: enough - 1)


def test_a_base_that_nothing_has_used_goes_when_a_newer_one_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    for number in (1, 2, 3, 4):
        (home.bases / str(number)).mkdir(parents=True)
        (home.bases / str(number) / "manifest.json").write_text("{}")
        for folder in (samples_folder(home, number), ranking_lists_folder(home, number)):
            folder.mkdir()
    record.take_base(2)
    record.save()
    logs = {number: home.data / f"log-{number}" for number in (3, 4)}
    for log in logs.values():
        log.mkdir()
    for number in (3, 4, 4):
        take_for_next_start(home, number)
        assert HomeRecord(home).newest_base == number
    assert sorted(path.name for path in home.bases.iterdir()) == ["1", "2", "4"], "1 was used before, 2 is in use"
    assert [log.exists() for log in logs.values()] == [False, True]
    logs[4].rmdir()
    left = sorted(path.name for path in home.data.iterdir())
    assert left == [f"{name}-{number}" for name in ("asks", "samples") for number in (1, 2, 4)]
