"""Files in a folder and in a bucket: written whole, read, created once, brought there and back whatever their size."""

import errno
import os
from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.storage.bucket_store import PART
from infra.storage.file_store import FileStore, FolderStore

pytestmark = pytest.mark.services

SIZES = (0, 1, PART - 1, PART, PART + 1, 3 * PART + 7)


def test_what_is_written_is_read_and_what_is_not_there_is_none(store: FileStore) -> None:
    assert store.read("a/b") is None
    store.write("a/b", b"one")
    store.write("a/b", b"two")
    assert store.read("a/b") == b"two"
    store.delete("a")
    assert store.read("a/b") is None


def test_a_file_is_created_once(store: FileStore) -> None:
    """Which a bucket's server has to see to: If-None-Match."""
    assert store.create("a/b", b"one")
    assert not store.create("a/b", b"two")
    assert store.read("a/b") == b"one"
    assert {each.path for each in store.entries() if "b" in each.path} == {"a/b"}


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_any_size_is_brought_there_and_back(store: FileStore, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)
    store.upload(tmp_path / "source", "a/file")
    assert store.download("a/file", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content
    assert not store.download("a/another", tmp_path / "none")


def test_a_folder_without_second_names_of_files_creates_once_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some that are shared over a network: this machine has none."""

    def refused(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    test_a_file_is_created_once(FolderStore(tmp_path / "store"))


def test_a_folder_whose_mount_is_away_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such folder"):
        FolderStore(tmp_path / "mount" / "home").entries()
