"""`status`: what runs, where, and the state of the data flow, queried from the services themselves."""

import json
import time
from typing import Any

from rich.console import Console

from features.errors import MartletError
from infra.home.paths import Home
from infra.home.ports import LOOPBACK, Ports
from infra.home.record import HomeRecord
from infra.home.running import is_supervised, last_status
from infra.monitoring.collector import collector_of
from infra.monitoring.json_report import flow_report
from infra.monitoring.status_view import print_report
from infra.system import probes
from infra.system.processes import ProcessId, memory_mib

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
    alive = is_supervised(status)
    record = HomeRecord(home)
    services = {name: _service(entry) for name, entry in status["services"].items()}
    report: dict[str, Any] = {
        "home": str(home.path),
        "dataset": record.dataset,
        "history": record.history,
        "state": status.get("state") if alive else "the supervisor died",
        "supervised": alive,
        "memory_mib": sum(each["memory_mib"] for each in services.values()) + memory_mib(supervisor),
        "services": services,
        "preparing": status.get("preparing", []),
        "troubles": status.get("troubles", []),
        "job_from": status.get("job_from"),
        "job_submitted_again": status.get("job_submitted_again"),
        "spare": status.get("spare"),
        "pages": None,
        "alarms": None,
        "flow": None,
        "api": None,
    }
    if status.get("state") != "up":
        return report
    ports = Ports(**status["ports"])
    report["pages"] = {
        "user": status["page"],
        "openapi": f"{status['address']}/openapi.json",
        "flink": ports.flink,
        "metrics": [f"{status['address']}/metrics", f"http://{LOOPBACK}:{ports.watch}/metrics"],
    }
    report["alarms"] = {
        "held": status.get("alarms", []),
        "age_ms": _age(status.get("alarms_at")) if alive else None,
    }
    report["flow"] = _flow(ports, record) | {"freshness_last_minute": status.get("fresh_last_minute")}
    report["api"] = _api(status["address"])
    return report


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


def _flow(ports: Ports, record: HomeRecord) -> dict[str, Any]:
    collector = collector_of(ports, record)
    try:
        return flow_report(collector.take_snapshot(), ports.flink)
    finally:
        collector.close()


def _api(address: str) -> dict[str, Any]:
    found: dict[str, Any] = {"ready": None, "dependencies": None, "models": None, "refused": None, "error": None}
    try:
        models = probes.http_json(f"{address}/v1/models")
        found["refused"] = models["refused"]
        ready = probes.http_json(f"{address}/readyz")
        found |= {"ready": ready["ready"], "dependencies": ready["dependencies"], "models": ready["models"]}
    except MartletError as error:  # a 503 of /readyz, too: its text names what is missing
        found["error"] = str(error)
    return found
