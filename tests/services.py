"""Services of a running home that are killed, or started again with other settings."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from infra.home.paths import read_json, write_json
from infra.services.api import addresses
from tests.home import Martlet, until


def kill(martlet: Martlet, service: str) -> None:
    """`kill -9`; the supervisor starts it again."""
    entry = martlet.status()["services"][service]
    with suppress(ProcessLookupError):  # it waits to be started already
        os.kill(entry["pid"], signal.SIGKILL)
    until(lambda: martlet.status()["services"][service]["restarts"] > entry["restarts"], 60, f"{service} starts again")


def ready(martlet: Martlet) -> bool:
    """Whether each process of the API is."""
    each = addresses(martlet.status()["services"]).values()
    try:
        return all(httpx.get(f"{address}/readyz", trust_env=False).status_code == 200 for address in each)
    except httpx.HTTPError:
        return False


@contextmanager
def api_with(martlet: Martlet, **changed: Any) -> Iterator[None]:
    """The API started again with other settings, for as long as the context lasts."""
    settings = martlet.home / "run" / "api.json"
    before = read_json(settings)
    assert before is not None

    def start_again(values: dict[str, Any]) -> None:
        write_json(settings, values)
        for name in addresses(martlet.status()["services"]):
            kill(martlet, name)
        until(lambda: ready(martlet), 90, "the API is ready")

    try:
        start_again(before | changed)
        yield
    finally:
        start_again(before)
