"""Which of several JobManagers a job is submitted to: one whose REST interface answers now, whether it leads or not."""

import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

ADDRESSES: Final = "martlet.rest.addresses"
"""Setting of Flink's configuration: the REST addresses of a cluster's JobManagers, with commas between."""
TIMEOUT: Final = 2.0
"""Seconds that one of them has to answer."""
ELECTION: Final = 30.0
"""Seconds to wait until one answers: without one that leads none does."""
PAUSE: Final = 0.5
DEFAULT_PORT: Final = 8081


def answering(addresses: Sequence[str], timeout: float = ELECTION) -> str:
    """Returns the first address that answers, tried in turn for `timeout` seconds and once at least; the first of all where none
    does: Flink's own client tries that one again. A single one is not tried."""
    deadline = time.monotonic() + timeout
    while len(addresses) > 1:
        for address in addresses:
            if _answers(address):
                return address
        if time.monotonic() >= deadline:
            break
        time.sleep(PAUSE)
    return addresses[0]


def _answers(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    not_flink = OSError, ValueError, HTTPException
    with suppress(*not_flink), opener.open(f"{address}/overview", timeout=TIMEOUT) as response:
        return bool(response.status == 200)
    return False


def host_and_port(address: str) -> tuple[str, int]:
    """Returns host and port of a REST address.

    >>> host_and_port("http://flink:8081")
    ('flink', 8081)
    """
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or DEFAULT_PORT
