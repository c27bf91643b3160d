"""What the large requests of both protocols hold together until they are answered."""

import time
from collections.abc import Callable

from features.http_bodies import Bodies
from models.server.engine.worker_threads import INLINE_BYTES
from models.server.errors import Code, ServingError

MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""Of one request of either protocol: some 35,000 candidates as JSON. Parsing holds the interpreter, so this bounds how long
others wait for it."""

MAX_BUFFERED_BYTES = 128 * 1024 * 1024
"""Of requests that have come, or come over REST: some wait while two threads compute what others asked for."""


class Buffered(Bodies):
    """The bytes that large requests hold, up to ``limit``; one of INLINE_BYTES or less holds none. What they raise is
    RESOURCE_EXHAUSTED.

    Bodies over REST that are not whole yet hold half of them at most: however many drip, whole requests find room.
    """

    def __init__(self, limit: int = MAX_BUFFERED_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(limit, limit // 2, INLINE_BYTES, _exhausted, clock)


def _exhausted(text: str) -> ServingError:
    return ServingError(Code.RESOURCE_EXHAUSTED, text)
