"""Requests from the command line to a running `up`: one file with the request, one with the answer."""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.errors import Unavailable
from infra.home.paths import Home, read_json, write_json
from infra.home.running import running_status

UPGRADE, REBUILD = "upgrade", "rebuild"


def request_up(home: Home, command: str, timeout: float, **more: Any) -> str:
    """Send a request, wait up to `timeout` seconds, and return what was done. Raises Unavailable if nothing runs, or the request
    fails or takes too long."""
    running_status(home)
    number = uuid.uuid4().hex
    write_json(_request_file(home), {"id": number, "wish": command, **more}, sync=False)
    try:
        answer = _await_answer(home, number, timeout)
    finally:  # nobody waits for it any more
        request = read_json(_request_file(home), sync=False)
        if request is not None and request["id"] == number:
            drop_request(home)
    if answer is None:
        raise Unavailable(f"{command} was not done within {timeout:.0f} s; ./martlet status tells more")
    if answer["error"]:
        raise Unavailable(str(answer["error"]))
    return str(answer["done"])


def _await_answer(home: Home, number: str, timeout: float) -> Mapping[str, Any] | None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        answer = read_json(home.run / "answer.json", sync=False)
        if answer is not None and answer["id"] == number:
            return answer
        time.sleep(0.2)
    return None


def next_request(home: Home) -> dict[str, Any] | None:
    """Take the pending request off the channel; None if there is none."""
    request = read_json(_request_file(home), sync=False)
    if request is not None:
        drop_request(home)
    return request


def drop_request(home: Home) -> None:
    """Take a request off the channel that is not to be carried out."""
    _request_file(home).unlink(missing_ok=True)


def write_answer(home: Home, request: dict[str, Any], done: str = "", error: str = "") -> None:
    write_json(home.run / "answer.json", {"id": request["id"], "done": done, "error": error}, sync=False)


def _request_file(home: Home) -> Path:
    return home.run / "request.json"
