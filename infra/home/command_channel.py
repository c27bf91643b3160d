"""What a command asks of a running `up`: a file with the wish, and one with the answer."""

import time
import uuid
from typing import Any

from features.errors import Unavailable
from infra.home.paths import Home, read_json, write_json
from infra.home.running import running_status

UPGRADE, REBUILD = "upgrade", "rebuild"


def ask_up(home: Home, wish: str, within: float, **more: Any) -> str:
    """Ask, and wait for the answer; what was done. Raises Unavailable if nothing runs, it fails, or takes too long."""
    running_status(home)
    number = uuid.uuid4().hex
    write_json(home.run / "request.json", {"id": number, "wish": wish, **more}, sync=False)
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        answer = read_json(home.run / "answer.json")
        if answer is not None and answer["id"] == number:
            if answer["error"]:
                raise Unavailable(str(answer["error"]))
            return str(answer["done"])
        time.sleep(0.2)
    raise Unavailable(f"{wish} was not done within {within:.0f} s; ./martlet status tells more")


def next_request(home: Home) -> dict[str, Any] | None:
    """The wish that waits, taken; None if there is none."""
    file = home.run / "request.json"
    request = read_json(file)
    if request is not None:
        file.unlink(missing_ok=True)
    return request


def answer(home: Home, request: dict[str, Any], done: str = "", error: str = "") -> None:
    write_json(home.run / "answer.json", {"id": request["id"], "done": done, "error": error}, sync=False)
