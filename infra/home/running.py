"""What runs in a home, as the status file of its `up` says."""

from typing import Any

from features.errors import Unavailable
from infra.home.paths import Home, read_json
from infra.home.ports import Ports
from infra.system.processes import ProcessId


def _nothing_runs(home: Home) -> Unavailable:
    return Unavailable(f"nothing runs in {home.path}; start it with: ./martlet up --detach --home {home.path}")


def last_status(home: Home) -> dict[str, Any]:
    """The status file, which one that died leaves behind, too. Raises Unavailable if nothing runs."""
    status = read_json(home.status_file)
    if status is None:
        raise _nothing_runs(home)
    return status


def is_supervised(status: dict[str, Any]) -> bool:
    """Whether the `up` that wrote a status lives."""
    return ProcessId.from_json(status["supervisor"]).process() is not None


def running_status(home: Home) -> dict[str, Any]:
    """The status of the `up` that runs now. Raises Unavailable if none does."""
    status = last_status(home)
    if not is_supervised(status):
        raise _nothing_runs(home)
    return status


def ports_of(home: Home) -> Ports:
    """Where the services of a running home listen. Raises Unavailable if nothing runs."""
    return Ports(**running_status(home)["ports"])
