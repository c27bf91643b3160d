"""What the large requests of both protocols hold together until they are answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.server.engine.worker_threads import INLINE_BYTES
from models.server.errors import Code, ServingError

MAX_BUFFERED_BYTES = 128 * 1024 * 1024
"""Of requests that have come, or come over REST: some wait while two threads compute what others asked for."""

Hold = Callable[[int], None]


class Buffered:
    """The bytes that large requests hold, up to ``limit``; one of INLINE_BYTES or less holds none.

    ``state`` says in errors which requests these are. It is used on the event loop alone.
    """

    def __init__(self, limit: int = MAX_BUFFERED_BYTES, state: str = "held") -> None:
        self.limit = limit
        self._state = state
        self._held = 0

    @contextmanager
    def request(self) -> Iterator[Hold]:
        """What one request holds: call what this gives with the size that it has by now; so much is held until the block ends.

        It raises RESOURCE_EXHAUSTED, and holds no more than before, where all requests would hold more than the limit.
        """
        own = 0

        def hold(size: int) -> None:
            nonlocal own
            if size <= INLINE_BYTES:
                return
            total = self._held - own + size
            if total > self.limit:
                raise ServingError(
                    Code.RESOURCE_EXHAUSTED,
                    f"too many large requests {self._state} at once: expected {self.limit} bytes in all of them at most, "
                    f"got {total}; try again later",
                )
            own, self._held = size, total

        try:
            yield hold
        finally:
            self._held -= own
