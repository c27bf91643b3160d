"""What runs in a home, read from the status file of its `up`."""

from typing import Any

from features.errors import Unavailable
from infra.home.paths import Home, read_json
from infra.home.ports import Ports
from infra.system.processes import ProcessId


def _nothing_runs(home: Home) -> Unavailable:
    return Unavailable(f"nothing runs in {home.path}; start it with: ./martlet up --detach --home {home.path}")


def last_status(home: Home) -> dict[str, Any]:
    """Returns the status file's content, also that of an `up` that died. Raises Unavailable if there is none."""
    status = read_json(home.status_file)
    if status is None:
        raise _nothing_runs(home)
    return status


def is_supervised(status: dict[str, Any]) -> bool:
    """Returns whether the `up` that wrote a status is alive."""
    return ProcessId.from_json(status["supervisor"]).process() is not None


def running_status(home: Home) -> dict[str, Any]:
    """Returns the status of the running `up`. Raises Unavailable if none runs."""
    status = last_status(home)
    if not is_supervised(status):
        raise _nothing_runs(home)
    return status


def ports_of(home: Home) -> Ports:
    """Returns the ports of a running home. Raises Unavailable if nothing runs."""
    return Ports(**running_status(home)["ports"])
