"""A caller of a running home's API: posts events, asks for lists that know of them."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from features.errors import Unavailable

TIMEOUT: Final = 30.0
BATCH: Final = 1_000
"""Events in a call, at most."""
TRIES: Final = 5
REST: Final = 1.0
"""Seconds before a call that was refused for load is made again."""
MAX_SIZE: Final = 100
"""Items of a list, at most."""


class ListClient:
    """One connection to an API, for one thread. All calls raise Unavailable if it does not answer well."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def clock(self) -> int:
        """Returns the home's time, ms."""
        return int(self._call("GET", "/v1/ops")["clock"])

    def post(self, events: Sequence[Mapping[str, Any]]) -> str | None:
        """Write events, in batches; returns the seen token of the last batch, None where it has more than 100 users."""
        seen: str | None = None
        for start in range(0, len(events), BATCH):
            seen = self._call("POST", "/v1/events", json=list(events[start : start + BATCH]))["seen"]
        return seen

    def put_item(self, item_id: int | str, item: Mapping[str, Any]) -> None:
        self._call("PUT", _item(item_id), json=dict(item))

    def first_event(self, item_id: int | str) -> int | None:
        """Returns the time (ms) of an item's first event; None before any."""
        found: int | None = self._call("GET", _item(item_id))["first_event_ts"]
        return found

    def recommend(self, user_id: int | str, size: int, at: int, seen: str | None = None) -> dict[str, Any]:
        """Returns the answer for a user's list of at most MAX_SIZE items as of a time (ms), with `seen` waited for."""
        params: dict[str, str | int] = {"user_id": user_id, "size": min(size, MAX_SIZE), "at": at}
        if seen is not None:
            params["seen"] = seen
        return self._call("GET", "/v1/recommendations", params=params)

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        for number in range(TRIES if method == "GET" else 1):  # a write that was refused may be there in part
            if number:
                time.sleep(REST)
            try:
                response = self._client.request(method, path, **more)
            except httpx.HTTPError as error:
                raise Unavailable(f"{method} {path}: {error}") from error
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        if response.is_error:
            raise Unavailable(f"{method} {path}: {response.status_code} {response.text[:500]}")
        answer: dict[str, Any] = response.json()
        return answer


def _item(item_id: int | str) -> str:
    return f"/v1/items/{quote(str(item_id), safe='')}"
