"""What runs in a home, read from the status file of its `up`, or from those of the roles `job` and `watch`."""

from typing import Any

from features.engines.shared_engines import Engines, read_engines
from features.errors import Unavailable
from infra.home.home_lock import is_run
from infra.home.paths import Home
from infra.home.process_notes import noted_processes


def nothing_runs(home: Home) -> Unavailable:
    """Returns the error of whoever needs a home that runs."""
    return Unavailable(f"nothing runs in {home.path}; start it with: ./martlet up --detach --home {home.path}")


def last_status(home: Home) -> dict[str, Any]:
    """Returns the status file's content, also that of an `up` that died; of roles that run alone both files', `job` before
    `watch`. Raises Unavailable if there is none."""
    found = [status for file in (home.watch_file, home.status_file) if (status := noted_processes(file)) is not None]
    if not found:
        raise nothing_runs(home)
    services = {name: entry for status in found for name, entry in status["services"].items()}
    return {name: value for status in found for name, value in status.items()} | {"services": services}


def running_status(home: Home) -> dict[str, Any]:
    """Returns the status of a home whose `up` or `job` is alive, here or in another container: a watch alone runs nothing. Raises
    Unavailable if there is none."""
    status = last_status(home)
    if not is_run(home):
        raise nothing_runs(home)
    return status


def engines_of(home: Home) -> Engines:
    """Returns where Kafka and Redis of a running home are. Raises Unavailable if nothing runs."""
    running_status(home)
    return read_engines(home.engines_file)
