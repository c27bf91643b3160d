"""The mirror as a service: it goes on where the store does not answer, for a while, and tells once what could not be done."""

from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.home.paths import Home
from infra.storage.bucket_store import S3Access
from infra.storage.file_store import FolderStore
from infra.storage.mirror_service import PATIENCE, MirroredTo, file_of, mirror_always, mirror_once, mirror_service
from infra.storage.model_mirror import LOCK
from models.registry.disk import locked
from tests.infra.storage.copies import NAME, marks, publish_other

pytestmark = pytest.mark.services


def test_a_store_that_stays_away_ends_it_after_a_while_and_is_told_once(tmp_path: Path) -> None:
    home, lines = Home(tmp_path / "home").make(), list[str]()
    mirror_service(home, MirroredTo(str(tmp_path / "mount" / "home"), S3Access()))
    with pytest.raises(Unavailable, match=f"{PATIENCE} syncs in a row failed: .*no such folder"):
        mirror_always(home, lines.append, every=0)
    assert lines == [f"{tmp_path / 'mount'}: no such folder"]


def test_the_key_of_a_bucket_is_its_owners_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    service = mirror_service(home, MirroredTo("s3://shop/home", S3Access(secret_key="a secret")))
    assert file_of(home).stat().st_mode & 0o077 == 0
    assert "a secret" not in " ".join(map(str, [*service.argv, service.address, *service.env.values()]))


def test_a_command_waits_for_who_mirrors_and_no_longer_than_it_is_to(tmp_path: Path) -> None:
    home, store = Home(tmp_path / "home").make(), FolderStore(tmp_path / "store")
    publish_other(home.models, "one")
    with locked(home.models / LOCK), pytest.raises(Unavailable, match="waited 1 s for another process"):
        mirror_once(home, store, print, timeout=1.0)
    mirror_once(home, store, lambda line: None)
    assert store.read(f"{NAME}/1/manifest.json")
    assert marks(home.models) == {1: "one"}
