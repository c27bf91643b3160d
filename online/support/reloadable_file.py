"""Settings that change while the API runs: a file that is read again when it has changed."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from features.errors import BadInput

logger = logging.getLogger(__name__)

T = TypeVar("T")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it can't take."""


class ReloadableFile(Generic[T]):
    """What a file says, or `default` where there is none. What is wrong in it leaves the last good value, and is said.

    path      None is a file that is never there
    read      its bytes → value; raises msgspec.DecodeError or BadInput
    required  it is wrong, too, that the file is not there
    value     what holds now; error why the file's newest state does not, None where it does
    """

    def __init__(self, path: str | None, read: Callable[[bytes], T], default: T, required: bool = False) -> None:
        self._path = None if path is None else Path(path)
        self._required = required
        self._read, self._default = read, default
        self._stamp: tuple[int, int] | None = None
        self.name = "" if path is None else Path(path).name
        self.value = default
        self.error: str | None = None

    def refresh(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                content = self._path.read_bytes()
                self._stamp = stamp  # what it says may be wrong, and is not read again; that it can't be read may pass
                self.value = self._read(content)
                self.error = None
        except FileNotFoundError as error:
            self._stamp = None
            if self._required:
                self._report(error)
            else:
                self.value, self.error = self._default, None
        except (OSError, *UNREADABLE, BadInput) as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        reported, self.error = self.error, f"{self._path}: {error}"
        if reported != self.error:
            logger.warning("settings stay as they were: %s", self.error)
