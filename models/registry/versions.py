"""Versions of models on disk, as TensorFlow Serving reads them.

    <models>/<name>/<version>/           SavedModel and manifest.json; which one ranks: `models.registry.labels`
    <models>/<name>/.last                the largest number ever given out: a number is never used twice
    <models>/<name>/.withdrawn           which versions were taken away
    <models>/<name>/.lock                held while versions come or go
    <models>/.staging/<name>-…/          versions being written and checked, outside every model's base path
    <models>/.retired/<name>/<v>-<n>/    versions rolled back, the newest ten

A version appears and goes by one rename, so a server that polls the folder never sees a half.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from features.durable import sync_path, sync_tree, write_whole
from features.errors import BadInput, Broken
from features.units import DAY_S
from models.registry.disk import locked
from models.registry.manifest import (
    MANIFEST,
    Manifest,
    encode_manifest,
    has_current_inputs,
    read_manifest,
    verify_digests,
)
from models.registry.withdrawn import Withdrawn, note_withdrawn, withdrawn_as

STAGING: Final = ".staging"
RETIRED: Final = ".retired"
LAST: Final = ".last"
LOCK: Final = ".lock"
MAX_RETIRED: Final = 10
"""Versions of one model that stay after they were rolled back, the newest."""
STALE_STAGING_S: Final = DAY_S
"""A staged folder this old (seconds) was left by a training that died."""


def _folders(base: Path) -> dict[int, Path]:
    """Version folders of one model by number; `001` is 1, as for TensorFlow Serving."""
    if not base.is_dir():
        return {}
    numbered = (path for path in base.iterdir() if path.name.isascii() and path.name.isdecimal() and path.is_dir())
    return {int(path.name): path for path in sorted(numbered, reverse=True)}


def _check_name(name: str) -> None:
    if not name or name.startswith(".") or not all(part.isalnum() for part in name.replace("_", "-").split("-")):
        raise BadInput("model", "a name of letters, digits, - and _", repr(name))


def list_models(models_dir: Path) -> list[str]:
    """Names of the models that have at least one version, in order; empty where there is no such folder."""
    if not models_dir.is_dir():
        return []
    return sorted(p.name for p in models_dir.iterdir() if not p.name.startswith(".") and p.is_dir() and _folders(p))


def list_versions(models_dir: Path, name: str) -> list[int]:
    """Version numbers of a model, ascending: the last is the newest; empty if it has none."""
    return sorted(_folders(models_dir / name))


def version_folder(models_dir: Path, name: str, version: int) -> Path:
    """The folder of one version. Raises BadInput if there is none."""
    folder = _folders(models_dir / name).get(version)
    if folder is None:
        raise BadInput("version", f"a version of {name} under {models_dir}", str(version))
    return folder


def newest(models_dir: Path, name: str) -> Manifest | None:
    """The manifest of a model's newest version, None if it has none. Raises Broken where it can't be read."""
    folders = _folders(models_dir / name)
    return read_manifest(folders[max(folders)]) if folders else None


def trained_otherwise(models_dir: Path, digest: str) -> set[str]:
    """Names of the models all of whose versions were trained under a schema of another digest, or take inputs that today's code
    does not make. Of a version that can't be read that is not known."""
    return {name for name in list_models(models_dir) if not fitting_versions(models_dir, name, digest)}


def fitting_versions(models_dir: Path, name: str, digest: str | None) -> list[int]:
    """The versions of a model, ascending, that were trained under a schema of this digest (None: of any) and take inputs that
    today's code makes: the others can't rank. Of a version that can't be read that is not known: it is among them."""

    def fits(folder: Path) -> bool:
        try:
            manifest = read_manifest(folder)
        except Broken:
            return True
        return digest in (None, manifest.schema) and has_current_inputs(manifest)

    return [version for version, folder in sorted(_folders(models_dir / name).items()) if fits(folder)]


def staging_folder(models_dir: Path, name: str) -> Path:
    """A new, empty folder in which to write a version of `name`; also clears what dead trainings left a day ago."""
    _check_name(name)
    staging = models_dir / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    for old in staging.iterdir():
        with suppress(FileNotFoundError):  # another process publishes it, or clears it too
            if old.stat().st_mtime < time.time() - STALE_STAGING_S:
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=staging))


def staged_copy(folder: Path, models_dir: Path, name: str) -> Path:
    """A copy of a version's folder in a staging folder, to be published: its folders may be written to, whatever the modes of the
    ones that were copied."""
    staged = staging_folder(models_dir, name)
    try:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        for each in (staged, *(path for path in staged.rglob("*") if path.is_dir())):
            each.chmod(0o755)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return staged


def _retired(models_dir: Path, name: str) -> list[tuple[int, int]]:
    """(version, how often it had been retired) of each folder of retired versions, ascending."""
    base = models_dir / RETIRED / name
    parts = [path.name.split("-") for path in base.iterdir()] if base.is_dir() else []
    return sorted((int(each[0]), int(each[1])) for each in parts if len(each) == 2 and all(map(str.isdecimal, each)))


def last_given(models_dir: Path, name: str) -> int:
    """The largest version number ever given out, 0 if none. Raises Broken where the record can't be read."""
    path = models_dir / name / LAST
    known = [0, *_folders(models_dir / name)]
    known += [version for version, _ in _retired(models_dir, name)]
    try:
        known.append(int(path.read_text()))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise Broken(f"{path}: expected the last version number, got {error}") from error
    return max(known)


def publish(staged_folder: Path, models_dir: Path, name: str) -> int:
    """Give a staged version the next number and move it into place; returns the number.

    Checks the manifest and every digest first; whether the model *answers* right is checked by `models.training.promotion_gate`.
    The folder must lie under `<models>/.staging`. Raises Broken where it is not whole, BadInput where it is
    another model's.
    """
    _check_name(name)
    if staged_folder.resolve().parent != (models_dir / STAGING).resolve():
        raise BadInput("staged folder", f"one under {models_dir / STAGING}", str(staged_folder))
    manifest = read_manifest(staged_folder)
    if manifest.name != name:
        raise BadInput("staged folder", f"a version of {name}", f"one of {manifest.name}")
    verify_digests(staged_folder)
    base = models_dir / name
    with locked(base / LOCK):
        version = last_given(models_dir, name) + 1
        write_whole(base / LAST, f"{version}\n".encode())
        numbered = msgspec.structs.replace(manifest, version=version)
        write_whole(staged_folder / MANIFEST, encode_manifest(numbered))
        staged_folder.chmod(0o755)
        sync_tree(staged_folder)
        staged_folder.rename(base / str(version))
        sync_path(base)
    return version


def rollback(models_dir: Path, name: str, digest: str | None = None) -> int:
    """Take the newest version away that can rank (`fitting_versions`), so that the server falls back; returns the one that ranks
    then.

    It is kept under `<models>/.retired`, and its number is not used again. Raises BadInput where no older version can
    rank, Broken where the one that would is not whole: then nothing moves.
    """
    _check_name(name)
    base = models_dir / name
    if len(_folders(base)) < 2:
        raise no_older_version(name, len(_folders(base)))
    with locked(base / LOCK):
        folders = _folders(base)
        fitting = fitting_versions(models_dir, name, digest)
        if len(fitting) < 2:
            raise no_older_version(name, len(folders))
        stays, withdrawn = fitting[-2:]
        verify_digests(folders[stays])
        note_withdrawn(models_dir, name, [withdrawn_as(folders[withdrawn], withdrawn)])
        write_whole(base / LAST, f"{last_given(models_dir, name)}\n".encode())
        _retire(models_dir, name, withdrawn, folders[withdrawn])
    return stays


def no_older_version(name: str, present: int) -> BadInput:
    """The error of who rolls a model back that has no older version to rank, of so many."""
    return BadInput("rollback", f"an older version of {name} that can rank", f"{present} in all")


def _retire(models_dir: Path, name: str, version: int, folder: Path) -> None:
    retired = models_dir / RETIRED / name
    retired.mkdir(parents=True, exist_ok=True)
    times = max((times for each, times in _retired(models_dir, name) if each == version), default=0)
    folder.rename(retired / f"{version}-{times + 1}")
    for old, times in _retired(models_dir, name)[:-MAX_RETIRED]:
        shutil.rmtree(retired / f"{old}-{times}", ignore_errors=True)
    sync_path(retired)
    sync_path(models_dir / name)


def take_away(
    models_dir: Path, name: str, withdrawn: Withdrawn, in_use: Callable[[], Collection[int]] = frozenset
) -> bool:
    """Take a version away that was taken away in another copy of the models, if it is that one: for good, or as `rollback` does
    where it is the newest. Returns whether it was. in_use: versions to be spared, read while nobody can change any.
    Raises BadInput for one of those, and for the only one there is."""
    base, version = models_dir / name, withdrawn.version
    with locked(base / LOCK):
        folders = _folders(base)
        if version not in folders or withdrawn_as(folders[version], version) != withdrawn:
            return False
        if version in in_use() or len(folders) < 2:
            raise BadInput("version", f"one of several of {name}, without a label", str(version))
        write_whole(base / LAST, f"{last_given(models_dir, name)}\n".encode())
        note_withdrawn(models_dir, name, [withdrawn])
        if version == max(folders):
            _retire(models_dir, name, version, folders[version])
            return True
        staged = _staged(models_dir, name, version, folders[version])
    shutil.rmtree(staged, ignore_errors=True)
    return True


def published_as(models_dir: Path, name: str, digests: Mapping[str, str]) -> int | None:
    """The newest version of a model whose files have these digests: what is there already is not to be published again. None if
    there is none; a version that can't be read is none."""
    for number, folder in sorted(_folders(models_dir / name).items(), reverse=True):
        with suppress(Broken):
            if read_manifest(folder).digests == digests:
                return number
    return None


def discard(
    models_dir: Path,
    name: str,
    version: int,
    in_use: Callable[[], Collection[int]] = frozenset,
    is_moved: bool = False,
) -> None:
    """Remove a version for good; its number is not used again. in_use: versions to be spared, read while nobody can change any;
    is_moved: it has another number now, and is not taken away. Raises BadInput for the newest one, one in use, or one that is
    not there."""
    base = models_dir / name
    with locked(base / LOCK):
        folders = _folders(base)
        if version not in folders or version == max(folders) or version in in_use():
            expected = f"an older version of {name} than the newest, without a label"
            raise BadInput("discard", expected, str(version))
        if not is_moved:
            note_withdrawn(models_dir, name, [withdrawn_as(folders[version], version)])
        staged = _staged(models_dir, name, version, folders[version])
    shutil.rmtree(staged, ignore_errors=True)


def _staged(models_dir: Path, name: str, version: int, folder: Path) -> Path:
    """Move a version out of everybody's way; returns the folder that it is in."""
    staged = staging_folder(models_dir, name)
    folder.rename(staged / str(version))
    sync_path(models_dir / name)
    return staged
