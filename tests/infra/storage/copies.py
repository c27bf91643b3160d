"""Copies of a home's models that are mirrored into one store, in tests."""

import json
from pathlib import Path

from infra.storage.file_store import FileStore
from infra.storage.model_mirror import ENTRY_POINT, ModelMirror
from models.registry import MANIFEST, list_versions, publish, read_manifest, verify_digests
from models.registry.manifest import folder_digests
from tests.models.fake_version import a_staged_version

NAME = "toy"


def publish_other(models: Path, mark: str) -> int:
    """Publish a version whose bytes no other mark has; returns its number."""
    staged = a_staged_version(models, NAME)
    (staged / ENTRY_POINT).write_text(mark)
    manifest = json.loads((staged / MANIFEST).read_bytes())
    (staged / MANIFEST).write_text(json.dumps({**manifest, "digests": folder_digests(staged)}))
    return publish(staged, models, NAME)


def synced(models: Path, store: FileStore) -> list[str]:
    lines: list[str] = []
    assert ModelMirror(models, store, lines.append).sync()
    return lines


def marks(models: Path) -> dict[int, str]:
    """What each version is, by its number; all are whole."""
    found = {}
    for version in list_versions(models, NAME):
        folder = models / NAME / str(version)
        verify_digests(folder)
        assert read_manifest(folder).version == version
        found[version] = (folder / ENTRY_POINT).read_text()
    return found
