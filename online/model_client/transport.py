"""One call to a model server: what it may end with, whichever protocol carries it."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from features.errors import Unavailable

MAX_ANSWER = 16 << 20
"""Bytes of an answer; more is not read."""

Inputs = Mapping[str, npt.NDArray[np.generic]]


class Refused(Unavailable):
    """The server answered, and the answer is no scores: asking it about something else is worth while."""


class VersionWithdrawn(Refused):
    """The server does not have the version asked for: it was withdrawn a moment ago."""


class Transport(Protocol):
    """Belongs to the event loop that starts it."""

    async def start(self) -> None:
        """Does not wait for the server."""

    async def close(self) -> None: ...

    async def predict(self, name: str, version: int, inputs: Inputs, timeout: float, signature: str = "") -> FloatArray:
        """The one output of a signature, the default one if it is not named, flat. Raises VersionGone, Refused, or Unavailable
        where nobody answered as a model server does; the caller bounds the whole."""
