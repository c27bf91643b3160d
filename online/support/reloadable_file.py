"""A settings file that is reloaded when it changes, while the API runs."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from features.errors import BadInput

logger = logging.getLogger(__name__)

T = TypeVar("T")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for malformed bytes."""
_UNCHANGED: Final = "settings stay as they were"


class ReloadableFile(Generic[T]):
    """The parsed contents of a file, or `default` where there is none. Malformed contents leave the last good value, and are
    logged.

    path      None: there is no file
    read      parses its bytes; raises msgspec.DecodeError or BadInput
    required  whether a missing file is an error
    doubt     what is wrong with a value that is used all the same; None: nothing
    value     the value in use
    error     why the file's newest contents are not in use, or the doubt about them; None if neither
    """

    def __init__(
        self,
        path: str | None,
        read: Callable[[bytes], T],
        default: T,
        required: bool = False,
        doubt: Callable[[T], Exception | None] = lambda value: None,
    ) -> None:
        self._path = None if path is None else Path(path)
        self._required = required
        self._read, self._default, self._doubt = read, default, doubt
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
                if (doubt := self._doubt(self.value)) is None:
                    self.error = None
                else:
                    self._report("settings are in use, but something is wrong with them", doubt)
        except FileNotFoundError as error:
            self._stamp = None
            if self._required:
                self._report(_UNCHANGED, error)
            else:
                self.value, self.error = self._default, None
        except (OSError, *UNREADABLE, BadInput) as error:
            self._report(_UNCHANGED, error)

    def _report(self, effect: str, error: Exception) -> None:
        """Log an error that is new, after what it does to the settings."""
        reported, self.error = self.error, f"{self._path}: {error}"
        if reported != self.error:
            logger.warning("%s: %s", effect, self.error)
