"""Lists of a running home by the clock: an open loop over HTTP, in which a list that comes late delays those due meanwhile, and
they count as late, too."""

import http.client
import itertools
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

TIMEOUT: Final = 10.0
CALLERS: Final = 8
"""Lists that may be on their way at once; what is due beyond waits, and that counts."""
LIMIT: Final = 2_000_000
"""Lists that are remembered."""


class TimedList(NamedTuple):
    """A list: when it was due (monotonic s), seconds from then until it was there, whether it came, whether it was degraded."""

    due: float
    took: float
    good: bool
    degraded: bool


class PacedLists:
    """Requests `rate` lists a second of `users`, in random order, for as long as the context lasts; 0: none."""

    def __init__(self, address: str, rate: float, users: Sequence[int]) -> None:
        self._address = urlsplit(address)
        self._rate, self._users = rate, users
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self.lists: list[TimedList] = []
        callers = range(CALLERS if rate else 0)
        self._threads = [threading.Thread(target=self._call, args=(random.Random(each),)) for each in callers]

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT)

    def _call(self, rng: random.Random) -> None:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=TIMEOUT)
        try:
            while len(self.lists) < LIMIT:
                due = self._start + next(self._numbers) / self._rate
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                path = "/v1/recommendations?" + urlencode({"user_id": rng.choice(self._users)})
                try:
                    connection.request("GET", path)
                    response = connection.getresponse()
                    body, good = response.read(), response.status == http.client.OK
                except (OSError, http.client.HTTPException):
                    connection.close()  # it opens again by itself
                    body, good = b"", False
                self.lists.append(TimedList(due, time.monotonic() - due, good, b'"degraded":[]' not in body))
        finally:
            connection.close()
