"""Files and folders that appear whole or not at all: written under a temporary name in the same folder,
synced and renamed.

A reader finds the old or the new content, never a part, and so does the machine after a power cut: what is renamed has been
synced before, and the folder that holds the name after. An error leaves the old content, and nothing beside it.
"""

import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import Unavailable


def sync_path(path: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """fsync every file and folder under `folder`, itself last."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync_path(Path(parent) / name)
        sync_path(Path(parent))


@contextmanager
def atomic_file(path: Path, sync: bool = True) -> Iterator[Path]:
    """A path beside `path` to write a file to, which replaces `path` when the block ends. Writers at the same time don't meet:
    the last to end wins. What writers that were killed left beside it is removed.

    sync=False is for what means nothing once the machine has restarted and is written often: readers find old or new, but a
    power cut may leave neither.
    """
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        yield temporary
        if sync:
            sync_path(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_path(path.parent)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `path` whose writer's process is gone."""
    for each in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        named = re.fullmatch(r"(\d{1,7})-[0-9a-f]{8}", each.name[len(path.name) + 2 : -len(".new")])
        if named and not _lives(int(named[1])):
            each.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_whole(path: Path, content: bytes, sync: bool = True) -> None:
    """Replace a file's content in one step, as `atomic_file` does."""
    with atomic_file(path, sync) as temporary:
        temporary.write_bytes(content)


def write_secret(path: Path, content: bytes) -> None:
    """Replace a file's content in one step; its owner alone may read it, at no moment anybody else."""
    with atomic_file(path) as temporary:
        temporary.touch(0o600, exist_ok=False)
        temporary.write_bytes(content)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Have a file under a second name, unless there is one of that name: then FileExistsError is raised. Where a file system has
    no second names it is copied, synced, and for a moment may be seen in part."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        _copy_new(Path(source), Path(target))


def _copy_new(source: Path, target: Path) -> None:
    with source.open("rb") as file, target.open("xb") as copy:
        try:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """A new, empty folder beside `out`, which becomes `out` when the block ends. What a writer that was killed left beside it is
    removed. Raises Unavailable while another process makes the same one, OSError where `out` is there already and not empty."""
    temporary = out.with_name(out.name + ".tmp")
    lock = _locked(temporary)
    try:
        yield temporary
        sync_tree(temporary)
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        os.close(lock)
    sync_path(out.parent)


def discard_unfinished(out: Path) -> None:
    """Remove what a writer of `atomic_folder(out)` that was killed left; one that is at work is left alone."""
    temporary = out.with_name(out.name + ".tmp")
    try:
        lock = _locked(temporary)
    except Unavailable:
        return
    try:
        shutil.rmtree(temporary)
    finally:
        os.close(lock)


@contextmanager
def named_folder(out: Path) -> Iterator[Path]:
    """A new, empty folder of a drawn name, whose content is that of `out` when the block ends. A user has named `out`: it is not
    there, or it is an empty folder, which stays the one that it is, since a disk may be mounted there. An error removes what was
    made here, and nothing else. Raises Unavailable where something has come to `out` meanwhile."""
    parent = out if out.exists() else out.parent
    made = _made_folders(parent)
    staging = parent / f".martlet-{secrets.token_hex(8)}"
    staging.mkdir()
    try:
        yield staging
        sync_tree(staging)
        _require_unused(out, staging)
        if parent == out:
            _move_content(staging, out)
        else:
            staging.rename(out)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for each in made:
            with suppress(OSError):  # it is somebody else's by now, too
                each.rmdir()
        raise
    sync_path(parent)


def _made_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it that are missing; returns those that were made here, the innermost first."""
    made: list[Path] = []
    for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        with suppress(FileExistsError):
            each.mkdir()
            made.insert(0, each)
    return made


def _require_unused(out: Path, staging: Path) -> None:
    """Raises Unavailable where `out` is not as it was: something lies there but the folder that was made for it."""
    if out.exists() if staging.parent != out else any(each != staging for each in out.iterdir()):
        raise Unavailable(f"something has come to {out} meanwhile, and stays: try again with another folder")


def _move_content(source: Path, target: Path) -> None:
    """Move all that lies in a folder into another one of the same disk, and remove the first. An error moves it back."""
    moved: list[str] = []
    try:
        for each in sorted(source.iterdir()):
            each.rename(target / each.name)
            moved.append(each.name)
        source.rmdir()
    except BaseException:
        for name in moved:
            (target / name).rename(source / name)
        raise


def _locked(folder: Path) -> int:
    """Make a folder empty, and hold its lock, which ends with the process; returns the handle. Raises Unavailable where another
    process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(handle), os.stat(folder)):
                raise BlockingIOError(f"{folder} is another one since")
        except BaseException:
            os.close(handle)
            raise
    except (BlockingIOError, FileNotFoundError) as error:  # the other one holds it, or came to its end just now
        name = folder.with_suffix("")
        raise Unavailable(f"{name} is being made by another process: try again once that has ended") from error
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
    return handle
