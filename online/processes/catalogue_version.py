"""How far each API process of a machine has changed the catalogue: in mapped memory, so that every process knows of a change that
another has acknowledged, and reads it before it answers the next request (`online.processes.catch_up` bounds the wait)."""

import mmap
import os
from pathlib import Path
from typing import Final

MAX_PROCESSES: Final = 64
_FILE: Final = "catalogue_versions"
_BYTES: Final = 8 * MAX_PROCESSES


class CatalogueVersions:
    """The newest version of the catalogue that each process has written: a number of records of the topic `items`. A process
    writes its own alone.

    folder  shared by the processes; None: this process is the only one
    number  of this process, from 1
    """

    def __init__(self, folder: Path | None, number: int = 1) -> None:
        self._own = number - 1
        self._versions: memoryview | None = None
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, _BYTES)
            self._versions = memoryview(mmap.mmap(handle, _BYTES)).cast("q")
        finally:
            os.close(handle)

    def note(self, version: int) -> None:
        """Note that this process has acknowledged changes up to a version."""
        if self._versions is not None:
            self._versions[self._own] = max(self._versions[self._own], version)

    def cap(self, end: int) -> None:
        """Note that there are no changes beyond a version: the log of items has been cut."""
        if self._versions is not None:
            self._versions[self._own] = min(self._versions[self._own], end)

    @property
    def newest(self) -> int:
        """The newest version that any process has acknowledged; 0 where this one is alone."""
        return 0 if self._versions is None else max(self._versions)
