"""`status`: what runs, where, and the state of the data flow, queried from the services themselves."""

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from features.engines.loopback import LOOPBACK
from features.engines.shared_engines import read_engines
from features.errors import MartletError
from infra.home.home_lock import is_run, is_watched
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.running import last_status
from infra.learning.learner_view import learning_report
from infra.monitoring.collector import collector_of
from infra.monitoring.json_report import flow_report
from infra.monitoring.status_view import print_report
from infra.services import api
from infra.system import probes
from infra.system.processes import ProcessId, memory_mib
from infra.system.readiness import read_readiness

MIN_WIDTH = 120


def print_status(home: Home, as_json: bool) -> None:
    """Print the status of a home. Raises Unavailable if nothing runs."""
    report = collect(home)
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        console = Console(soft_wrap=True)
        console.width = max(console.width, MIN_WIDTH)  # addresses are useless when truncated
        print_report(console, report)


def collect(home: Home) -> dict[str, Any]:
    """Returns the whole status as one JSON object, within some ten seconds: a service that does not answer is named, the others
    are reported all the same. Raises Unavailable if nothing runs."""
    status = last_status(home)
    supervisor = ProcessId.from_json(status["supervisor"])
    alive = is_run(home)
    record = HomeRecord(home)
    services = {name: _service(entry) for name, entry in status["services"].items()}
    report: dict[str, Any] = {
        "home": str(home.path),
        "dataset": record.dataset,
        "history": record.history,
        "state": status.get("state") if alive else _state_without(home),
        "supervised": alive,
        "memory_mib": sum(each["memory_mib"] for each in services.values()) + memory_mib(supervisor),
        "services": services,
        "attached": status.get("attached", {}),
        "preparing": status.get("preparing", []),
        "failed_steps": status.get("failed_steps", []),
        "troubles": status.get("troubles", []),
        "job_from": status.get("job_from"),
        "job_submitted_again": status.get("job_submitted_again"),
        "job_wrote_again": status.get("job_wrote_again"),
        "worker_spoiled": status.get("worker_spoiled"),
        "job_trouble": status.get("job_trouble"),
        "checkpoint_refused": status.get("checkpoint_refused"),
        "spare": status.get("spare"),
        "pages": None,
        "alarms": None,
        "flow": None,
        "learning": None,
        "api": None,
    }
    if status.get("state") != "up":
        return report
    flink = status.get("flink") or f"http://{LOOPBACK}:{status['ports']['flink_rest']}"  # code of before runs this home
    address, watch = status.get("address"), status.get("watch")
    report["pages"] = {
        "user": status.get("page"),
        "openapi": address and f"{address}/openapi.json",
        "flink": flink,
        "metrics": [f"{each}/metrics" for each in (address, watch) if each],
    }
    report["alarms"] = {
        "held": status.get("alarms", []),
        "age_ms": _age(status.get("alarms_at")) if alive or is_watched(home) else None,
    }
    report["flow"] = _flow(home, flink, record) | {"freshness_last_minute": status.get("fresh_last_minute")}
    report["learning"] = learning_report(home)
    processes = _api_processes(status)
    report["api"] = read_api(processes) if processes else None
    return report


def _state_without(home: Home) -> str:
    """The state of a home whose job nobody keeps: whoever ends in order takes the status file along."""
    return "the supervisor died; the next up cleans up" if home.status_file.exists() else "no up or job runs"


def _api_processes(status: Mapping[str, Any]) -> dict[str, str]:
    """Returns the addresses of the API's processes by name: those of `up`, else those where the watch finds them."""
    address, found = status.get("address"), api.addresses(status["services"])
    if found or address is None:
        return found
    with contextlib.suppress(MartletError):
        found = {f"{api.API}-{number}": each for number, each in enumerate(api.processes_at(address), start=1)}
    return found


def _service(entry: dict[str, Any]) -> dict[str, Any]:
    target = ProcessId.from_json(entry)
    return {
        "pid": target.pid,
        "running": target.process() is not None,
        "up_s": round(time.time() - target.started),
        "memory_mib": memory_mib(target),
        "peak_mib": entry["peak_mib"],
        "restarts": entry["restarts"],
        "last_exit": entry["last_exit"],
        "address": entry["address"],
    }


def _age(then: int | None) -> int | None:
    """Returns the milliseconds since a wall time (ms); None for None."""
    return None if then is None else max(0, time.time_ns() // 1_000_000 - then)


def _flow(home: Home, flink: str, record: HomeRecord) -> dict[str, Any]:
    collector = collector_of(read_engines(home.engines_file), flink, record)
    try:
        return flow_report(collector.take_snapshot(), flink)
    finally:
        collector.close()


def read_api(addresses: Mapping[str, str]) -> dict[str, Any]:
    """Returns what each process of the API says, by name. `ready` of all is whether each is; the rest is that of the first one
    that has an error, or of the first."""
    processes = {name: _process(address) for name, address in addresses.items()}
    worst = min(processes.values(), key=lambda each: each["error"] is None)
    return worst | {"ready": all(each["ready"] for each in processes.values()), "processes": processes}


def _process(address: str) -> dict[str, Any]:
    found: dict[str, Any] = {"ready": None, "dependencies": None, "models": None, "refused": None, "error": None}
    with contextlib.suppress(MartletError):  # it may want a key; that it does not answer is said by /readyz
        found["refused"] = probes.http_json(f"{address}/v1/models")["refused"]
    try:
        state = read_readiness(address)
    except MartletError as error:
        return found | {"error": str(error)}
    found |= {"ready": state.ready, "dependencies": state.dependencies, "models": state.models}
    if not state.ready:
        found["error"] = f"{address} has no {', '.join(state.missing)}"
    return found
