"""What the requests of both protocols hold together until they are answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.server.errors import Code, ServingError

MAX_BUFFERED_BYTES = 128 * 1024 * 1024
"""Of requests that have arrived, or arrive over REST: some wait while two threads compute what others asked for."""


class Buffered:
    """The bytes that are held, up to ``limit``. It is used on the event loop alone."""

    def __init__(self, limit: int = MAX_BUFFERED_BYTES) -> None:
        self._limit = limit
        self._held = 0

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """What one request holds: call what this gives with the bytes of each part; they are held until the block ends.

        It raises RESOURCE_EXHAUSTED, with the part not held, where all requests would hold more than the limit.
        """
        own = 0

        def hold(size: int) -> None:
            nonlocal own
            if self._held + size > self._limit:
                raise ServingError(
                    Code.RESOURCE_EXHAUSTED,
                    f"too many large requests at once: expected {self._limit} bytes in all of them at most, "
                    f"got {self._held + size}; try again later",
                )
            own += size
            self._held += size

        try:
            yield hold
        finally:
            self._held -= own
