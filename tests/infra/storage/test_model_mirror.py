"""Copies of a home that mirror their models into one store end with the same versions and labels, and lose none."""

import json
import os
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from infra.storage.file_store import FileStore, FolderStore
from infra.storage.model_mirror import ENTRY_POINT, LOCK, ModelMirror
from models.registry import (
    MANIFEST,
    Labels,
    change_labels,
    discard,
    list_models,
    list_versions,
    promote,
    read_labels,
    rollback,
)
from models.registry.disk import locked
from models.registry.transfer import take_labels
from tests.infra.storage.copies import NAME, marks, publish_other, synced
from tests.models.fake_version import publish_one

pytestmark = pytest.mark.services


def test_another_copy_of_the_home_gets_versions_and_labels(tmp_path: Path, store: FileStore) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    publish_other(here, "one")
    publish_other(here, "two")
    promote(here, NAME, 1, 5)
    assert len(synced(here, store)) == 3
    synced(there, store)
    assert marks(there) == marks(here) == {1: "one", 2: "two"}
    assert read_labels(there, NAME) == read_labels(here, NAME)
    assert synced(here, store) == synced(there, store) == [], "nothing is left to do"
    assert not list((there / ".staging").iterdir())


def test_what_is_taken_away_is_so_everywhere_and_its_number_is_not_given_again(
    tmp_path: Path, store: FileStore
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for mark in ("one", "two", "three"):
        publish_other(here, mark)
    synced(here, store)
    synced(there, store)
    discard(here, NAME, 1)
    rollback(here, NAME)
    synced(here, store)
    synced(there, store)
    assert marks(there) == {2: "two"}
    assert publish_other(there, "four") == 4


def test_a_number_given_twice_is_given_anew_and_labels_follow(tmp_path: Path, store: FileStore) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert publish_other(here, "ours") == publish_other(there, "theirs") == 1
    promote(there, NAME, 1, 5)
    synced(here, store)
    for _ in range(2):
        synced(there, store)
    assert marks(there) == {1: "ours", 2: "theirs"}
    labels = read_labels(there, NAME)
    assert labels is not None
    assert labels.stable == 2
    synced(here, store)
    assert marks(here) == marks(there)


def test_a_home_that_has_lost_its_models_gets_them_back(tmp_path: Path, store: FileStore) -> None:
    publish_other(tmp_path / "here", "one")
    synced(tmp_path / "here", store)
    shutil.rmtree(tmp_path / "here" / NAME)
    assert publish_other(tmp_path / "here", "trained before anybody looked") == 1
    for _ in range(3):
        synced(tmp_path / "here", store)
    assert marks(tmp_path / "here") == {1: "one", 2: "trained before anybody looked"}
    shutil.rmtree(tmp_path / "here")
    synced(tmp_path / "here", store)
    assert marks(tmp_path / "here") == {1: "one", 2: "trained before anybody looked"}


def test_a_home_that_has_lost_its_versions_gets_them_back(tmp_path: Path, store: FileStore) -> None:
    """What it notes of them is not lost with them."""
    publish_other(tmp_path, "one")
    synced(tmp_path, store)
    shutil.rmtree(tmp_path / NAME / "1")
    synced(tmp_path, store)
    assert marks(tmp_path) == {1: "one"}


def test_a_store_that_was_emptied_is_filled_again(tmp_path: Path, store: FileStore) -> None:
    here = tmp_path / "here"
    for mark in ("one", "two", "three"):
        publish_other(here, mark)
    promote(here, NAME, 1, 5)
    synced(here, store)
    store.delete("")
    synced(here, store)
    synced(tmp_path / "there", store)
    assert marks(here) == marks(tmp_path / "there") == {1: "one", 2: "two", 3: "three"}
    assert read_labels(tmp_path / "there", NAME) == read_labels(here, NAME)


def test_what_a_label_names_is_not_taken_away(tmp_path: Path, store: FileStore) -> None:
    here = tmp_path / "here"
    for mark in ("one", "two"):
        publish_other(here, mark)
    promote(here, NAME, 1, 5)
    synced(here, store)
    store.delete(f"{NAME}/1")
    synced(here, store)
    synced(tmp_path / "there", store)
    assert marks(here) == marks(tmp_path / "there") == {1: "one", 2: "two"}


def test_the_later_decision_holds_where_both_decided(tmp_path: Path, store: FileStore) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for mark in ("one", "two"):
        publish_other(here, mark)
    synced(here, store)
    synced(there, store)
    promote(here, NAME, 1, 10)
    promote(there, NAME, 2, 20)
    for models in (there, here, there):
        synced(models, store)
    assert read_labels(here, NAME) == read_labels(there, NAME)
    labels = read_labels(here, NAME)
    assert labels is not None
    assert labels.stable == 2


def test_a_decision_of_one_side_alone_holds_whatever_its_clock_says(tmp_path: Path, store: FileStore) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for mark in ("one", "two"):
        publish_other(here, mark)
    promote(here, NAME, 1, 20)
    synced(here, store)
    synced(there, store)
    change_labels(there, NAME, lambda labels: msgspec.structs.replace(labels.promoted(5, "late", 2), decisions=()))
    synced(there, store)
    synced(here, store)
    for models in (here, there):
        labels = read_labels(models, NAME)
        assert labels is not None
        assert labels.stable == 2


def test_a_version_that_is_cut_in_the_store_is_named_and_not_taken(tmp_path: Path, store: FileStore) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    publish_other(here, "one")
    publish_one(here, "sound")
    synced(here, store)
    store.write(f"{NAME}/1/{ENTRY_POINT}", b"on")
    (line,) = [each for each in synced(there, store) if "stays" in each]
    assert "changed or cut" in line
    assert list_models(there) == ["sound"]


def test_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path: Path, store: FileStore) -> None:
    publish_other(tmp_path / "here", "one")
    synced(tmp_path / "here", store)
    manifest = json.loads(store.read(f"{NAME}/1/{MANIFEST}") or b"")
    manifest["digests"]["../../outside"] = "0" * 64
    store.write(f"{NAME}/1/{MANIFEST}", json.dumps(manifest).encode())
    store.write("toy/outside", b"x")
    synced(tmp_path / "there", store)
    assert list_models(tmp_path / "there") == []
    assert not list(tmp_path.rglob("there/**/outside"))


def test_labels_given_meanwhile_stay(tmp_path: Path) -> None:
    for mark in ("one", "two"):
        publish_other(tmp_path, mark)
    before = promote(tmp_path, NAME, 1, 10)
    now = promote(tmp_path, NAME, 2, 20)
    assert not take_labels(tmp_path, NAME, Labels(stable=1), before)
    assert read_labels(tmp_path, NAME) == now
    assert take_labels(tmp_path, NAME, Labels(stable=1), now)


def test_one_process_at_a_time_mirrors(tmp_path: Path, store: FileStore) -> None:
    with locked(tmp_path / "here" / LOCK):
        assert not ModelMirror(tmp_path / "here", store, print).sync()


def test_what_was_not_written_to_its_end_is_removed_once_it_is_a_day_older_than_the_rest(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "the store")
    publish_other(tmp_path / "here", "one")
    content = (tmp_path / "here" / NAME / "1" / MANIFEST).read_bytes()
    store.create(f"{NAME}/7/{MANIFEST}", content)
    synced(tmp_path / "here", store)
    assert store.read(f"{NAME}/7/{MANIFEST}") == content, "somebody may be writing it"
    old = time.time() - 90_000
    for path in ("7", f"7/{MANIFEST}"):
        os.utime(tmp_path / "the store" / NAME / path, (old, old))
    synced(tmp_path / "here", store)
    assert store.read(f"{NAME}/7/{MANIFEST}") is None
    assert list_versions(tmp_path / "here", NAME) == [1]


def test_what_of_a_version_has_gone_in_the_store_is_written_there_again(tmp_path: Path, store: FileStore) -> None:
    here = tmp_path / "here"
    for mark in ("one", "two"):
        publish_other(here, mark)
    synced(here, store)
    store.delete(f"{NAME}/1/variables")
    synced(here, store)
    synced(tmp_path / "there", store)
    assert marks(tmp_path / "there") == {1: "one", 2: "two"}


def test_a_version_that_will_not_do_is_brought_once(tmp_path: Path) -> None:
    """It may have hundreds of megabytes, and a sync comes every ten seconds."""

    class Counting(FolderStore):
        downloads = 0

        def download(self, path: str, target: Path) -> bool:
            self.downloads += 1
            return super().download(path, target)

    store = Counting(tmp_path / "store")
    publish_other(tmp_path / "here", "one")
    synced(tmp_path / "here", store)
    store.write(f"{NAME}/1/{ENTRY_POINT}", b"on")
    lines: list[str] = []
    mirror = ModelMirror(tmp_path / "there", store, lines.append)
    mirror.sync()
    once = store.downloads
    mirror.sync()
    assert store.downloads == once > 0
    assert len(lines) == 1


def test_what_could_not_be_deleted_there_does_not_come_back(tmp_path: Path) -> None:
    class Keeping(FolderStore):
        def delete(self, folder: str) -> None:
            """It stays."""

    store, here = Keeping(tmp_path / "store"), tmp_path / "here"
    for mark in ("one", "two"):
        publish_other(here, mark)
    synced(here, store)
    rollback(here, NAME)
    for _ in range(2):
        synced(here, store)
    assert marks(here) == {1: "one"}
