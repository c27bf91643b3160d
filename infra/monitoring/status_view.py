"""Prints the status of a home for people."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from features.keys import EVENTS
from features.store.freshness import BUCKETS_MS
from features.store.job_status import SERVED_VERDICTS, VERDICTS
from features.units import DAY_MS, HOUR_MS, MINUTE_MS
from infra.system.times import show_time

QUIET_WATCH_MS = 30_000


def print_report(console: Console, report: dict[str, Any]) -> None:
    """Print the report of infra.monitoring.status.collect."""
    state = report["state"] if report["supervised"] else f"[red]{report['state']}[/red]"
    console.print(
        f"home {escape(report['home'])}  data set {escape(report['dataset'])}, history {report['history']}  state {state}"
    )
    console.print(_services(report["services"]))
    for name, address in report["attached"].items():
        console.print(f"{name}: attached, {escape(address)}")
    console.print(f"resident memory of all: {report['memory_mib']} MiB")
    if report["preparing"]:
        console.print(f"still being prepared: {', then '.join(map(_pending, report['preparing']))}")
    if report["failed_steps"]:
        failed = escape(", ".join(report["failed_steps"]))
        console.print(f"[red]not prepared: {failed}: the next `up` tries again[/red]")
    for trouble in report["troubles"]:
        console.print(f"[red]trouble: {escape(trouble)}[/red]")
    if report["flow"] is not None:
        _print_job(console, report, report["flow"])
        _print_flow(console, report["flow"])
        _print_alarms(console, report["alarms"])
        _print_learning(console, report["learning"])
        _print_api(console, report)


def _print_learning(console: Console, learning: dict[str, Any] | None) -> None:
    if learning is not None:
        when = f" at {show_time(learning['text_at'])} UTC" if learning["text_at"] else ""
        console.print(f"learning{when}: {escape(learning['text'])}")


def _pending(step: dict[str, Any]) -> str:
    return (
        escape(step["name"])
        if step["since"] is None
        else f"{escape(step['name'])} since {show_time(step['since'])} UTC"
    )


def _services(services: dict[str, Any]) -> Table:
    service, address = Column("service", no_wrap=True), Column("address", no_wrap=True)
    table = Table(service, "pid", "running", "up", "MiB", "peak", "restarts", address, box=SIMPLE_HEAD)
    for name, entry in services.items():
        table.add_row(
            name,
            str(entry["pid"]),
            "yes" if entry["running"] else f"[red]no (exit {entry['last_exit']})[/red]",
            f"{entry['up_s']} s",
            str(entry["memory_mib"]),
            str(entry["peak_mib"]),
            str(entry["restarts"]),
            entry["address"],
        )
    return table


def _print_job(console: Console, report: dict[str, Any], flow: dict[str, Any]) -> None:
    for service, why in flow["unreachable"].items():
        console.print(f"[red]{service} does not answer: {escape(why)}[/red]")
    if report["job_trouble"]:
        console.print(f"[red]the job can't be seen to: {escape(report['job_trouble'])}[/red]")
    if report["checkpoint_refused"]:
        console.print(f"a checkpoint was refused: {escape(report['checkpoint_refused'])}")
    job = flow["job"]
    if job is None:
        if "flink" not in flow["unreachable"]:
            console.print("[red]Flink has no job[/red]")
        return
    again = f"; submitted again at {report['job_submitted_again']}" if report["job_submitted_again"] else ""
    console.print(
        f"job {job['state']}, {job['tasks_running']} of {job['tasks']} tasks, restarts {_known(job['restarts'])}, "
        f"started from {escape(str(report['job_from']))}{again}; spare TaskManager: {report['spare'] or 'unknown'}"
    )
    if report["job_wrote_again"]:
        console.print(f"  what Redis lost was written again at {report['job_wrote_again']}")
    if report["worker_spoiled"]:
        console.print(f"  in a TaskManager Python started no more: {escape(report['worker_spoiled'])}")
    console.print(f"  Flink's page: {job['page']}")
    tasks = ", ".join(
        f"{vertex['name']} {_percent(vertex['busy'])} ({_percent(vertex['backpressured'])})"
        for vertex in job["vertices"]
    )
    console.print(f"  busy (held up by the next task): {tasks}")
    checkpoint = job["checkpoint"]
    age = "none yet" if checkpoint["age_ms"] is None else f"{_ms(checkpoint['age_ms'])} ago"
    failure = f" (the last: {escape(checkpoint['last_failure'])})" if checkpoint["last_failure"] else ""
    console.print(
        f"  last checkpoint {age}, took {_ms(checkpoint['duration_ms'])}, state {_bytes(job['state_bytes'])}; "
        f"{checkpoint['completed']} completed, {checkpoint['failed']} failed{failure}"
    )


def _print_flow(console: Console, flow: dict[str, Any]) -> None:
    if flow["ledger"] is not None:
        console.print(f"ledger: {_ledger(flow['ledger'], VERDICTS)}")
        if flow["served_ledger"]["read"]:
            console.print(
                f"served: {_ledger(flow['served_ledger'], SERVED_VERDICTS)}; "
                f"{flow['open_lists']} lists open, {flow['samples']} samples"
            )
        for lane, how in flow["unbalanced"].items():
            console.print(f"[red]  lane {lane} is unbalanced: {how}: {flow['lanes'][lane]}[/red]")
    pending = ", ".join(f"{topic} {_known(count)}" for topic, count in flow["pending"].items())
    console.print(f"pending: {pending}; the oldest event has waited {_ms(flow['broker_lag_ms'])}")
    watermark = flow["watermark_ms"]
    idle = " (nothing is pending: so long ago was the newest event)" if flow["pending"][EVENTS] == 0 else ""
    none = "unknown" if flow["ledger"] is None else "none yet"
    console.print(
        f"watermark {none if watermark is None else show_time(watermark)}, "
        f"the home's clock {show_time(flow['clock'])}, event-time lag {_ms(flow['event_time_lag_ms'])}{idle}"
    )
    for operator, ever in flow["freshness"].items():
        minute = (flow["freshness_last_minute"] or {}).get(operator)
        recent = f"last minute {_quantiles(minute)}; " if minute and minute["count"] else ""
        console.print(f"freshness of {operator}: {recent}since the writers started {_quantiles(ever)}")


def _print_alarms(console: Console, alarms: dict[str, Any]) -> None:
    if alarms["age_ms"] is None or alarms["age_ms"] > QUIET_WATCH_MS:
        console.print("[red]alarms: nobody watches[/red]")
    elif not alarms["held"]:
        console.print("alarms: none")
    for alarm in alarms["held"]:
        console.print(
            f"[red]alarm {alarm['name']}[/red] since {show_time(alarm['since'])} UTC: {escape(alarm['text'])}"
        )


def _print_api(console: Console, report: dict[str, Any]) -> None:
    api, pages = report["api"], report["pages"]
    if api is None:
        console.print("API: api.address says where it is, and is not set")
        return
    for name, each in api["processes"].items():
        if each["error"] is not None:
            console.print(f"[red]{name} says: {escape(each['error'])}[/red]")
        else:
            console.print(f"{name} ready: {each['dependencies']}; models {', '.join(each['models'])}")
    if api["refused"] is None and api["error"] is None:
        console.print("versions that are refused: not known, the API wants a key")
    for refused in api["refused"] or ():
        console.print(
            f"[red]refused: {refused['name']} version {refused['version']}: {escape(str(refused['reason']))}[/red]"
        )
    console.print(f"pages: {pages['user']}   API: {pages['openapi']}")
    console.print(f"metrics: {'  '.join(pages['metrics'])}")


def _ledger(ledger: dict[str, int], verdicts: tuple[str, ...]) -> str:
    return f"read {ledger['read']} = " + " + ".join(f"{name} {ledger[name]}" for name in verdicts)


def _quantiles(found: dict[str, Any]) -> str:
    if not found["count"]:
        return "nothing written"
    times = (f"{name} {_bounded(found[f'{name}_ms'])}" for name in ("p50", "p95", "p99"))
    return f"{', '.join(times)} of {found['count']}"


def _bounded(ms: float) -> str:
    """Format a quantile; the histogram's last bound stands for everything above it."""
    return f"over {_ms(ms)}" if ms >= BUCKETS_MS[-1] else _ms(ms)


def _known(value: int | None) -> str:
    return "unknown" if value is None else str(value)


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f} %"


def _ms(value: float | None) -> str:
    """Format milliseconds in a readable unit."""
    if value is None:
        return "unknown"
    for limit, divisor, unit in ((1000, 1, "ms"), (120_000, 1000, "s"), (2 * HOUR_MS, MINUTE_MS, "min")):
        if value < limit:
            return f"{value / divisor:.{0 if divisor == 1 else 1}f} {unit}"
    return f"{value / HOUR_MS:.1f} h" if value < 2 * DAY_MS else f"{value / DAY_MS:.1f} days"


def _bytes(value: int | None) -> str:
    if value is None:
        return "unknown"
    return f"{value / 1024:.0f} KiB" if value < 1 << 20 else f"{value / (1 << 20):.1f} MiB"
