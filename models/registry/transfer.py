"""Versions that come from another copy of the models, under the numbers that they have there, and make way for those."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from features.durable import sync_path, sync_tree, write_whole
from features.errors import BadInput, Broken
from models.registry.disk import locked
from models.registry.labels import Labels, change_labels, read_labels
from models.registry.manifest import read_manifest, verify_digests
from models.registry.versions import (
    LAST,
    LOCK,
    discard,
    last_given,
    list_versions,
    publish,
    published_as,
    staging_folder,
    version_folder,
)
from models.registry.withdrawn import Withdrawn, note_withdrawn


def adopt(staged_folder: Path, models_dir: Path, name: str, version: int) -> None:
    """Move a version that was brought here into place under its own number. Raises Broken where it is not whole or says another
    name or number, BadInput where that number is taken."""
    manifest = read_manifest(staged_folder)
    if (manifest.name, manifest.version) != (name, version):
        raise Broken(f"{staged_folder}: expected {name} {version}, got {manifest.name} {manifest.version}")
    verify_digests(staged_folder)
    base = models_dir / name
    with locked(base / LOCK):
        if version in list_versions(models_dir, name):
            raise BadInput("version", f"a number that {name} has not given yet", str(version))
        _raise_last(models_dir, name, version)
        staged_folder.chmod(0o755)
        sync_tree(staged_folder)
        staged_folder.rename(base / str(version))
        sync_path(base)


def never_below(models_dir: Path, name: str, number: int) -> int:
    """See to it that no version gets a number up to this one again; returns the largest number ever given out here or there."""
    with locked(models_dir / name / LOCK):
        return _raise_last(models_dir, name, number)


def _raise_last(models_dir: Path, name: str, number: int) -> int:
    largest = max(number, last_given(models_dir, name))
    path = models_dir / name / LAST
    if not path.exists() or path.read_text().strip() != str(largest):
        write_whole(path, f"{largest}\n".encode())
    return largest


def make_way(models_dir: Path, name: str, version: int) -> int:
    """Give a version another number, the next one, since this one is another version's elsewhere; its labels follow. Returns the
    number; interrupted anywhere, it is done by the next call. Raises Broken where the version is not whole."""
    folder = version_folder(models_dir, name, version)
    number = published_as(models_dir, name, read_manifest(folder).digests)
    if number in (None, version):
        staged = staging_folder(models_dir, name)
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        number = publish(staged, models_dir, name)
    assert number is not None
    moved = {version: number}

    def renumbered(labels: Labels) -> Labels:
        stable, candidate, last_good = (
            moved.get(each, each) if each is not None else None
            for each in (labels.stable, labels.candidate, labels.last_good)
        )
        lost = tuple(moved.get(each, each) for each in labels.lost)
        return msgspec.structs.replace(labels, stable=stable, candidate=candidate, last_good=last_good, lost=lost)

    if read_labels(models_dir, name) is not None:
        change_labels(models_dir, name, renumbered)
    discard(models_dir, name, version, is_moved=True)
    return number


def note_others(models_dir: Path, name: str, withdrawn: Iterable[Withdrawn]) -> None:
    """Remember that these were taken away in other copies."""
    with locked(models_dir / name / LOCK):
        note_withdrawn(models_dir, name, withdrawn)


def take_labels(models_dir: Path, name: str, labels: Labels, before: Labels | None) -> bool:
    """Take over the labels that were given elsewhere, unless those of here are no longer what they were `before`; returns whether
    they were taken. Raises BadInput where they name a version that is not there."""
    taken = False

    def replace(now: Labels) -> Labels:
        nonlocal taken
        taken = now == (before or Labels()).on_disk(list_versions(models_dir, name))
        return labels if taken else now

    change_labels(models_dir, name, replace)
    return taken
