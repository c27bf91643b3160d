"""Folders for temporary files of processes that we start."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

_NAME: Final = re.compile(r"\.tmp-(\d+)-.*")


@contextmanager
def scratch_folder(below: Path) -> Iterator[Path]:
    """A folder in `below` that is removed at the end; those of processes that were killed before are removed at the beginning.
    Whose it is, its name says."""
    for left in below.glob(".tmp-*"):
        name = _NAME.fullmatch(left.name)
        if name is not None and not psutil.pid_exists(int(name[1])):
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=f".tmp-{os.getpid()}-", dir=below, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
