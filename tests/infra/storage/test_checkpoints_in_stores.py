"""Checkpoints in a folder and in a bucket: listed, refused and deleted in the same way."""

import os
import time
from pathlib import Path

import pytest

from features.errors import BadInput, Unavailable
from infra.attached.store_entry import CHECKPOINTS, checkpoints_store, examine_store
from infra.flink.checkpoints import (
    RETAINED,
    admit,
    drop_impossible,
    drop_older_savepoints,
    drop_superseded,
    forget,
    refuse,
    retained,
)
from infra.home.paths import Home
from infra.settings.table import S3, Flink, Settings
from infra.storage.bucket_store import BucketStore, S3Access, end_of_second
from infra.storage.file_store import FileStore, FolderStore
from tests.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY

pytestmark = pytest.mark.services

OLD, NEW = "a" * 32, "b" * 32


def paths(store: FileStore) -> list[str]:
    return [each.path for each in retained(store)]


def test_a_store_that_nobody_has_written_to_is_empty(store: FileStore) -> None:
    assert store.entries() == []
    forget(store)
    assert retained(store) == []


def test_complete_ones_are_listed_and_a_refused_one_is_not(store: FileStore) -> None:
    for path in (f"{NEW}/chk-1/_metadata", f"{NEW}/chk-2/part", f"{NEW}/shared/file", "savepoint-x/_metadata"):
        store.write(path, b"bytes")
    assert sorted(paths(store)) == [f"{NEW}/chk-1", "savepoint-x"]
    (checkpoint,) = [each for each in retained(store) if each.name == "chk-1"]
    refuse(store, checkpoint, "it does not load")
    assert paths(store) == ["savepoint-x"]
    assert f"{NEW}/chk-1/_metadata" in {each.path for each in store.entries()}, "it stays for inspection"


def test_one_is_named_by_flink_as_it_is_here(store: FileStore) -> None:
    uri = store.uri_of("savepoint-x")
    assert store.path_of(uri) == "savepoint-x"
    assert store.path_of(uri.replace("file:///", "file:/")) == "savepoint-x", "as Flink writes it"
    assert store.path_of("s3://another/savepoint-x") is None


def test_what_is_superseded_is_deleted_and_nothing_else(store: FileStore) -> None:
    store.write(f"{OLD}/chk-7/_metadata", b"bytes")
    store.write("savepoint-x/_metadata", b"bytes")
    time.sleep(1.1)  # a bucket tells whole seconds
    for number in range(RETAINED):
        drop_superseded(store, NEW)
        assert f"{OLD}/chk-7" in paths(store)
        store.write(f"{NEW}/chk-{number}/_metadata", b"bytes")
    drop_superseded(store, NEW)
    assert f"{OLD}/chk-7" not in paths(store)
    assert len(paths(store)) == RETAINED + 1
    drop_older_savepoints(store, 0)
    assert "savepoint-x" not in paths(store)
    forget(store)
    assert paths(store) == []


def test_where_the_clock_was_set_back_what_came_last_is_the_newest(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for path, ahead in (("savepoint-a", 3600), (f"{OLD}/chk-9", 3600), (f"{NEW}/chk-1", -60), ("savepoint-z", 0)):
        store.write(f"{path}/_metadata", b"bytes")
        os.utime(tmp_path / path / "_metadata", (now := time.time() + ahead, now))
    drop_impossible(store, "savepoint-none")
    assert paths(store)[0] != "savepoint-z"
    drop_impossible(store, "savepoint-z")
    assert paths(store) == ["savepoint-z", f"{NEW}/chk-1"]
    drop_older_savepoints(store, 1)
    assert paths(store)[0] == "savepoint-z"


def test_those_of_another_generation_are_forgotten(store: FileStore) -> None:
    """A place that was used before, and then not for a while, has checkpoints that nobody has forgotten when it was time."""
    store.write(f"{OLD}/chk-7/_metadata", b"bytes")
    admit(store, 3)
    assert paths(store) == [f"{OLD}/chk-7"], "of a version that marked none"
    admit(store, 3)
    assert paths(store) == [f"{OLD}/chk-7"]
    admit(store, 4)
    assert paths(store) == []
    store.write(f"{NEW}/chk-1/_metadata", b"bytes")
    admit(store, 4)
    assert paths(store) == [f"{NEW}/chk-1"]


class ReadOnly(BucketStore):
    """A bucket of which one may not delete."""

    def delete(self, folder: str) -> None:
        """It is left."""


def test_what_can_not_be_deleted_is_told(bucket: S3Access, tmp_path: Path) -> None:
    store = ReadOnly(f"s3://{BUCKET}/{tmp_path.name}", bucket)
    store.write(f"{OLD}/chk-7/_metadata", b"bytes")
    with pytest.raises(Unavailable, match="1 could not be deleted"):
        forget(store)
    assert "DeleteObject" in examine_store(CHECKPOINTS, store).help


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """It may be one where something is to be mounted."""
    with pytest.raises(BadInput, match=r"flink\.checkpoints: expected a folder that there is"):
        checkpoints_store(Home(tmp_path), Settings(flink=Flink(checkpoints=str(tmp_path / "mnt"))), "one")


def test_one_is_no_older_than_it_is(store: FileStore) -> None:
    """Where only whole seconds are known, it could else pass for one from before a loss."""
    before = time.time()
    store.write("savepoint-x/_metadata", b"bytes")
    (checkpoint,) = retained(store)
    assert checkpoint.completed_at >= before - 0.05, "file systems tell the time of their last tick"
    assert end_of_second(1700000000.0) == pytest.approx(1700000001, abs=1e-5)
    assert end_of_second(1700000000.25) == 1700000000.25


def test_homes_that_share_a_bucket_have_each_a_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    named = Settings(
        flink=Flink(checkpoints="s3://shop/flink/"),
        s3=S3(endpoint="http://127.0.0.1:1", access_key="a", secret_key="b"),
    )
    assert [checkpoints_store(home, named, each).uri for each in ("one", "two")] == [
        "s3://shop/flink/one",
        "s3://shop/flink/two",
    ]
    assert (
        checkpoints_store(home, Settings(flink=Flink(checkpoints=str(tmp_path))), "one").uri
        == (tmp_path / "one").as_uri()
    )
    assert checkpoints_store(home, Settings(), "one").uri == home.checkpoints.as_uri()


def test_doctor_says_whether_it_takes_checkpoints(store: FileStore, tmp_path: Path, bucket: S3Access) -> None:
    found = examine_store(CHECKPOINTS, store)
    assert (found.help, found.error) == ("", None)
    assert not any("probe" in each.path for each in store.entries())
    others: list[FileStore] = [BucketStore("s3://no-such-bucket/x", bucket)]
    others.append(BucketStore(f"s3://{BUCKET}/x", S3Access(bucket.endpoint, None, ACCESS_KEY, f"not{SECRET_KEY}")))
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        others.append(FolderStore(tmp_path / "closed" / "x"))
    for other in others:
        found = examine_store(CHECKPOINTS, other)
        assert isinstance(found.error, Unavailable)
        assert "flink.checkpoints" in found.help
