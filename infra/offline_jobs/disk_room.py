"""Whether there is room on a home's disk to make all anew: a full one stops the log, the job and Redis as well."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from features.errors import Broken
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from infra.offline_jobs.base_folders import ranking_lists_folder, samples_folder

TIMES: Final = 2
"""What is made anew may take so many times what it takes now: for rows that have come since, and Spark's temporary files."""
LEFT_FREE: Final = 1 << 30
"""Bytes that are left for the log and all else."""


def check_room(home: Home, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> None:
    """Raise Broken where too little is free, in bytes, for a base of the log, its rows and training data."""
    base = HomeRecord(home).base()
    number = base.data_base
    folders = base.folder, samples_folder(home, number), ranking_lists_folder(home, number)
    needed = LEFT_FREE + TIMES * sum(map(_size, (*folders, Path(runner.dataset_of(home, base)))))
    if (found := free(home.path)) < needed:
        raise Broken(
            f"making all anew needs {_mib(needed)} MiB free where {home.path} lies, there are {_mib(found)} MiB"
        )


def _size(folder: Path) -> int:
    """Bytes of the files of a folder; 0 where there is none."""
    return sum((Path(path) / name).lstat().st_size for path, _, names in os.walk(folder) for name in names)


def _mib(count: int) -> int:
    return count >> 20
