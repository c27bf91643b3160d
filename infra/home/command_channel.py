"""Requests from the command line to a running `up`: one file with the request, one with the answer."""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from features.errors import Unavailable
from infra.home.home_lock import is_run
from infra.home.paths import Home, read_json, write_json
from infra.home.running import nothing_runs, running_status
from infra.system.pid_lock import is_held, pid_lock

UPGRADE, REBUILD = "upgrade", "rebuild"

LOCK_S: Final = 1.0
"""Seconds to wait for the lock of requests: whoever only wants to know whether it is held takes it for a moment."""


def request_up(home: Home, command: str, timeout: float, **more: Any) -> str:
    """Send a request, wait up to `timeout` seconds, and return what was done. Raises Unavailable if nothing runs, or nothing any
    more, if another request is under way, or the request fails or takes too long."""
    running_status(home)

    def refusal(holder: str) -> Unavailable:
        pid, _, other = holder.partition(" ")
        return Unavailable(
            f"{command} was not begun: process {pid} has requested {other} and waits for it; try again once that is done"
        )

    with pid_lock(_lock_file(home), LOCK_S, refusal, purpose=command):
        answer = _exchange(home, {"wish": command, **more}, timeout)
    if answer is None:
        raise Unavailable(f"{command} was not done within {timeout:.0f} s; ./martlet status tells more")
    if answer["error"]:
        raise Unavailable(str(answer["error"]))
    return str(answer["done"])


def _exchange(home: Home, request: dict[str, Any], timeout: float) -> Mapping[str, Any] | None:
    """Send a request and return its answer; None if there is none within `timeout` seconds, after which nobody waits for it.
    Raises Unavailable once nothing runs that could answer."""
    number = uuid.uuid4().hex
    write_json(_request_file(home), {"id": number, **request}, sync=False)
    try:
        return _await_answer(home, number, timeout)
    finally:
        pending = read_json(_request_file(home), sync=False)
        if pending is not None and pending["id"] == number:
            drop_request(home)


def _await_answer(home: Home, number: str, timeout: float) -> Mapping[str, Any] | None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        has_ended = not is_run(home)  # asked first: its last act may be the answer
        answer = read_json(home.run / "answer.json", sync=False)
        if answer is not None and answer["id"] == number:
            return answer
        if has_ended:
            raise nothing_runs(home)
        time.sleep(0.2)
    return None


def next_request(home: Home) -> dict[str, Any] | None:
    """Take the pending request off the channel; None if there is none, or whoever made it was killed and waits no more."""
    taken = home.run / "request-taken.json"
    try:
        _request_file(home).replace(taken)  # in one step: another one may come at any time
    except FileNotFoundError:
        return None
    request = read_json(taken, sync=False)
    taken.unlink(missing_ok=True)
    return request if is_held(_lock_file(home)) else None


def drop_request(home: Home) -> None:
    """Take a request off the channel that is not to be carried out."""
    _request_file(home).unlink(missing_ok=True)


def write_answer(home: Home, request: dict[str, Any], done: str = "", error: str = "") -> None:
    write_json(home.run / "answer.json", {"id": request["id"], "done": done, "error": error}, sync=False)


def _request_file(home: Home) -> Path:
    return home.run / "request.json"


def _lock_file(home: Home) -> Path:
    """Of whoever waits for a request, from sending it to its answer: one at a time."""
    return home.run / "request.lock"
