"""The transport protocol of a model client: one call, and its possible errors."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from features.errors import Unavailable

MAX_ANSWER = 16 << 20
"""Bytes of a response; a longer one is an error."""

Inputs = Mapping[str, npt.NDArray[np.generic]]


class Refused(Unavailable):
    """The server is up but did not answer this call with scores, for whatever reason it gave: other calls may succeed."""


class Overloaded(Refused):
    """The server is up but has no room for this call now; the same call may succeed later."""


class VersionWithdrawn(Refused):
    """The server does not have the requested version: it was withdrawn a moment ago."""


class Transport(Protocol):
    """A way to call a model server. Belongs to the event loop that starts it."""

    async def start(self) -> None:
        """Open the connection; does not wait for the server."""

    async def close(self) -> None: ...

    def reconnect(self) -> None:
        """Have further calls made over a new connection, begun at once, as nothing comes over this one: its peer may have
        vanished without a word. Calls in progress go on."""

    async def predict(self, name: str, version: int, inputs: Inputs, timeout: float, signature: str = "") -> FloatArray:
        """The single output of a signature (the default one if none is named), flat. Raises VersionWithdrawn, Refused, or
        Unavailable for no response or an invalid one; the caller limits the total time."""
