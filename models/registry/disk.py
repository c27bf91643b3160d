"""Files that survive a crash whole: synced before they are named; and one publisher at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or the machine after a crash, finds the old or the new content, never a part."""
    aside = path.with_name(f".{path.name}.new")
    aside.write_bytes(content)
    sync_path(aside)
    aside.rename(path)
    sync_path(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; waits for whoever holds it. Freed by the kernel when its process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
