"""Callers of a running home over HTTP alone, as a shop's pages are: some post events by the clock, one asks for lists that know
of what was posted last.

An event is posted until it is acknowledged, with the same id, and a list is asked for again, once and at once, if its connection
broke: as a client does that has several servers behind one address.
"""

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import httpx

from features.errors import Unavailable

TIMEOUT: Final = 10.0
POSTERS: Final = 4
BATCH: Final = 5
"""Events in a post, each of another user."""
GIVE_UP: Final = 120.0
"""Seconds after which an event that is not acknowledged ends the run."""
BETWEEN_TRIES: Final = 0.2
"""Seconds between two posts of the same events …"""
PAUSE: Final = 0.05
"""… and before a list whose connection broke is asked for again: a process that is killed takes connections until it is gone."""
CURRENT: Final = 1.0
"""Seconds: a list that knows all that was acknowledged is fresh, unless nothing was acknowledged for this long."""


class ListAnswer(NamedTuple):
    """A list that was asked for.

    at        when (monotonic s)
    took      s
    status    of the answer; 0: none came
    again     whether the connection broke, and it was asked for again
    is_fresh  whether it knew all that was acknowledged before
    degraded  what it lacked, in words
    """

    at: float
    took: float
    status: int
    again: bool
    is_fresh: bool
    degraded: tuple[str, ...]


@dataclass
class Posted:
    """What the posters did. acknowledged: events; refused: times (monotonic s) of posts that were not acknowledged."""

    acknowledged: int = 0
    refused: list[float] = field(default_factory=list)


class SteadyCallers:
    """Posts `events` and asks for `lists` a second for as long as the context lasts. users, items: ids to take in turn."""

    def __init__(self, address: str, events: float, lists: float, users: Sequence[int], items: Sequence[Any]) -> None:
        self._address = address
        self._every_post = POSTERS * BATCH / events
        self._every_list = 1 / lists
        self._users = itertools.cycle(users)
        self._items = itertools.cycle(items)
        self._ids = itertools.count()
        self._run = f"{time.time_ns():x}"
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._newest: tuple[int, str, float] | None = None
        """User, token and moment of what was acknowledged last."""
        self._error: Exception | None = None
        self.posted, self.answers = Posted(), list[ListAnswer]()
        poster_threads = [threading.Thread(target=self._guarded, args=(self._post,)) for _ in range(POSTERS)]
        self._threads = [*poster_threads, threading.Thread(target=self._guarded, args=(self._request_lists,))]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what was not acknowledged yet is posted until it is. Raises the first error of a caller."""
        self._stop.set()
        for thread in self._threads:
            thread.join(GIVE_UP + TIMEOUT)
        if error is None:
            self.check()

    def check(self) -> None:
        """Raise what has ended the callers, if something has."""
        if self._error is not None:
            raise self._error

    def _guarded(self, work: Any) -> None:
        try:
            with httpx.Client(base_url=self._address, timeout=TIMEOUT, trust_env=False) as client:
                work(client)
        except Exception as error:  # raised where the context ends
            self._error = error
            self._stop.set()

    def _post(self, client: httpx.Client) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += self._every_post
            with self._lock:
                events = [self._event() for _ in range(BATCH)]
            token = self._until_acknowledged(client, events)
            with self._lock:
                self.posted.acknowledged += len(events)
                self._newest = events[-1]["user_id"], token, time.monotonic()

    def _event(self) -> dict[str, Any]:
        event_id = f"{self._run}-{next(self._ids)}"
        return {"event_id": event_id, "type": "click", "user_id": next(self._users), "item_id": next(self._items)}

    def _until_acknowledged(self, client: httpx.Client, events: list[dict[str, Any]]) -> str:
        began = time.monotonic()
        while True:
            try:
                answer = client.post("/v1/events", json=events)
                if answer.is_success:
                    return str(answer.json()["seen"])
                why = f"{answer.status_code} {answer.text[:300]}"
            except httpx.HTTPError as error:
                why = repr(error)
            with self._lock:
                self.posted.refused.append(time.monotonic())
            if time.monotonic() - began > GIVE_UP:
                raise Unavailable(f"events are not acknowledged for {GIVE_UP:.0f} s: {why}")
            time.sleep(BETWEEN_TRIES)

    def _request_lists(self, client: httpx.Client) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._every_list, time.monotonic() - 1)
            newest = self._newest
            if newest is not None:
                self.answers.append(_list_answer(client, *newest))


def _list_answer(client: httpx.Client, user: int, token: str, acknowledged_at: float) -> ListAnswer:
    began = time.monotonic()
    again = False
    answer: httpx.Response | None = None
    for pause in (0.0, PAUSE):
        time.sleep(pause)
        try:
            answer = client.get("/v1/recommendations", params={"user_id": user, "seen": token})
            break
        except httpx.HTTPError:
            again = True
    took = time.monotonic() - began
    if answer is None or not answer.is_success:
        return ListAnswer(began, took, 0 if answer is None else answer.status_code, again, False, ())
    body = answer.json()
    is_fresh = bool(body["freshness"]["seen_applied"]) and began - acknowledged_at < CURRENT
    return ListAnswer(began, took, answer.status_code, again, is_fresh, tuple(map(str, body.get("degraded") or ())))
