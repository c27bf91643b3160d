"""What a home needs of the machine that it is watched on: room on its disk, and a certificate that has not run out."""

import os
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from features.engines.own_certificate import shown_by_server

_NO_PASSPHRASE: Final = ""


@dataclass(frozen=True)
class Host:
    """
    free, size        bytes of the file system that the home lies on; None where it can't be said
    certificate_ends  until when the API's certificate is valid, ms; None where it has none, or none that can be read here
    """

    free: int | None = None
    size: int | None = None
    certificate_ends: int | None = None


class HostReader:
    """Reads the machine. certificate: the API's, and its key, if it speaks TLS."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self._folder = folder
        self._certificate = certificate
        self._read: Any = None
        self._ends: int | None = None

    def read(self) -> Host:
        """Never raises: what can't be read is None."""
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return Host(certificate_ends=self._certificate_ends())
        return Host(usage.free, usage.total, self._certificate_ends())

    def _certificate_ends(self) -> int | None:
        """Reads changed files alone: it takes a handshake. Of files that can't be read any more, what they said before stands."""
        if self._certificate is None:
            return None
        try:
            stamps = [(stat.st_mtime_ns, stat.st_size) for stat in map(os.stat, self._certificate)]
            if stamps != self._read:
                shown = shown_by_server(*self._certificate, _NO_PASSPHRASE, at_any_time=True)
                self._read, self._ends = stamps, ssl.cert_time_to_seconds(shown["notAfter"]) * 1000
        except (OSError, ValueError, KeyError):  # the API says what is wrong with its files
            return self._ends
        return self._ends
