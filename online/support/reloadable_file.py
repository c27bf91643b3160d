"""A settings file that is reloaded when it changes, while the API runs."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from features.errors import BadInput

logger = logging.getLogger(__name__)

T = TypeVar("T")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for malformed bytes."""


class ReloadableFile(Generic[T]):
    """The parsed contents of a file, or `default` where there is none. Malformed contents leave the last good value, and are
    logged.

    path      None: there is no file
    read      parses its bytes; raises msgspec.DecodeError or BadInput
    required  whether a missing file is an error
    value     the value in use
    error     why the file's newest contents are not in use; None if they are
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
        """Reload the file if it has changed. Never raises for its contents or its absence."""
        if self._path is None:
            return
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                content = self._path.read_bytes()
                self._stamp = stamp  # after the read: malformed contents are not read again, an OSError is retried
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
