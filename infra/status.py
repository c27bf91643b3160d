"""`status`: what runs, where, and how fresh it is, asked from the services themselves."""

import time

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from features.errors import Unavailable
from infra import ask
from infra.home import Home, read_json
from infra.processes import ProcessId, memory_mib
from infra.record import HomeRecord
from infra.times import show_time


def print_status(home: Home) -> None:
    """Prints; raises Unavailable if nothing runs."""
    status = read_json(home.status_file)
    if status is None:
        raise Unavailable(f"nothing runs in {home.path}; start it with: ./martlet up --detach --home {home.path}")
    console = Console(soft_wrap=True)
    supervisor = ProcessId.from_json(status["supervisor"])
    alive = supervisor.process() is not None
    record = HomeRecord(home)
    console.print(
        f"home {home.path}  data set {record.dataset}, history {record.history}  "
        f"state {status.get('state') if alive else '[red]the supervisor died; the next up cleans up[/red]'}"
    )
    service = Column("service", no_wrap=True)
    table = Table(service, "pid", "running", "up", "MiB", "peak", "restarts", "address", box=SIMPLE_HEAD)
    total = memory_mib(supervisor) if alive else 0
    for name, entry in status["services"].items():
        target = ProcessId.from_json(entry)
        resident = memory_mib(target)
        total += resident
        age = f"{time.time() - target.started:.0f} s"
        running = "yes" if target.process() is not None else f"[red]no (exit {entry['last_exit']})[/red]"
        table.add_row(
            name,
            str(target.pid),
            running,
            age,
            str(resident),
            str(entry["peak_mib"]),
            str(entry["restarts"]),
            entry["address"],
        )
    console.print(table)
    console.print(f"resident memory of all: {total} MiB")
    for trouble in status.get("troubles", ()):
        console.print(f"[red]trouble: {trouble}[/red]")
    if alive and status.get("state") == "up":
        _print_flow(console, status)


def _print_flow(console: Console, status: dict[str, object]) -> None:
    ports = status["ports"]
    assert isinstance(ports, dict)
    rest = f"http://127.0.0.1:{ports['flink_rest']}"
    try:
        job = ask.http_json(f"{rest}/jobs/{status.get('job')}")
        checkpoints = ask.http_json(f"{rest}/jobs/{status.get('job')}/checkpoints")
        newest = (checkpoints.get("latest") or {}).get("completed") or {}
        age = f"{time.time() - newest['latest_ack_timestamp'] / 1000:.0f} s ago" if newest else "none yet"
        console.print(
            f"job {status.get('job')} {job['state']}, started from {status.get('job_from')}; last checkpoint {age}; {rest}"
        )
        if status.get("job_submitted_again"):
            console.print(f"the job was submitted again at {status['job_submitted_again']}")
    except Unavailable as error:
        console.print(f"[red]Flink does not answer: {error}[/red]")
    try:
        ready = ask.http_json(f"{status['address']}/readyz")
        models = ask.http_json(f"{status['address']}/v1/models")
        user = ask.http_json(f"{status['address']}/v1/users/0")
        console.print(
            f"ready: {ready['dependencies']}; models {', '.join(ready['models'])}; the home's clock: {show_time(user['now'])}"
        )
        for refused in models["refused"]:
            console.print(f"[red]refused: {refused['name']} version {refused['version']}: {refused['reason']}[/red]")
    except Unavailable as error:
        console.print(f"[red]the API says: {error}[/red]")
    console.print(f"pages: {status['address']}/user.html?id=6&model=neuralcf   API: {status['address']}/openapi.json")
