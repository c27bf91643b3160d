"""`bench losses`: what a caller notices while each process of a running home dies in turn, or falls silent.

Events and lists come steadily over HTTP (`benchmarks.harness.steady_callers`). Every broker, every server of Redis with keys,
every process of the API, every TaskManager with tasks and every JobManager is killed with -9, or stopped for a while as if a
network had been cut, each once all is well again after the one before it. Fresh again is the moment from which STEADY lists in a
row knew all that had been acknowledged. At the end the ledger is compared with that, and `verify` recomputes everything.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.faults.suspended import suspended
from benchmarks.harness.engines.flink_cluster import Cluster
from benchmarks.harness.homes import Running
from benchmarks.harness.job_progress import ledger
from benchmarks.harness.run_report import Figure, Report
from benchmarks.harness.steady_callers import ListAnswer, SteadyCallers
from benchmarks.harness.traffic import FIRST_USER, drain
from features.errors import Broken, Unavailable
from infra.flink.job_client import NAME as JOB_CLIENT
from infra.home.paths import Home
from infra.home.running import running_status

USERS: Final = 1_000
BACK_TIMEOUT: Final = 180.0
BROKER, PRIMARY, API, TASK_MANAGER, JOB_MANAGER = (
    "a broker",
    "a Redis primary",
    "an API process",
    "a TaskManager",
    "a JobManager",
)
STEADY: Final = 25
OF_HTTP: Final = (API,)
"""Kinds whose silence nobody but a balancer in front of them can help with: their port goes on taking connections."""


@dataclass(frozen=True)
class Loss:
    """What was lost: kind and name of a process, and when (monotonic s) it died or fell silent, and was there again."""

    kind: str
    name: str
    at: float
    back: float


def processes(running: Running) -> Iterator[tuple[str, str]]:
    """Yields kind and name of each process that is to be lost, as they are now."""
    services = running_status(running.home)["services"]
    with running.nodes() as nodes:
        primaries = {f"{each.address.host}:{each.address.port}" for each in nodes.primaries()}
    with_tasks = {name for name, tasks in Cluster(running.rest).operators(services).items() if tasks}
    for name, service in services.items():
        kind = name.partition("-")[0]
        if kind == "redis" and service["address"] in primaries:
            yield PRIMARY, name
        elif kind in (known := {"kafka": BROKER, "api": API, "jobmanager": JOB_MANAGER}):
            yield known[kind], name
        elif name in with_tasks:
            yield TASK_MANAGER, name


def kill(running: Running, name: str) -> float:
    """Kill a process with -9; returns when (monotonic s) its successor ran. Raises Unavailable if it does not come."""
    victim = running.services()[name]
    process = victim.process()
    if process is None:
        raise Unavailable(f"{name} does not run")
    process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + BACK_TIMEOUT
    while True:
        now = running.services()[name]
        if now != victim and now.process() is not None:
            return time.monotonic()
        if time.monotonic() > deadline:
            raise Unavailable(f"{name} was killed and not started again within {BACK_TIMEOUT:.0f} s")
        time.sleep(0.1)


def silence(running: Running, name: str, seconds: float) -> float:
    """Stop a process, as if a network had been cut, for so long; returns when (monotonic s) it went on."""
    process = running.services()[name].process()
    if process is None:
        raise Unavailable(f"{name} does not run")
    with suspended(process.pid):
        time.sleep(seconds)
    return time.monotonic()


def lose_all(running: Running, callers: SteadyCallers, silent: float, calm: float) -> list[Loss]:
    """Lose one process after another; `silent`: seconds that each is stopped for, 0: they are killed. `calm`: seconds of fresh
    lists before each."""
    losses: list[Loss] = []
    # Of each kind all names are known before; which of Redis' servers have keys changes with each that is lost.
    wanted = [each for each in processes(running) if not silent or each[0] not in OF_HTTP]
    for kind, first_name in wanted:
        await_calm(running, callers, calm)
        lost = {each.name for each in losses}
        present = [name for now, name in processes(running) if now == kind and name not in lost]
        name = first_name if first_name in present or not present else present[0]
        at = time.monotonic()
        back = silence(running, name, silent) if silent else kill(running, name)
        losses.append(Loss(kind, name, at, back))
        print(f"{name}, {kind}, {'silent' if silent else 'killed'} and back", flush=True)
    await_calm(running, callers, calm)
    return losses


def await_calm(running: Running, callers: SteadyCallers, calm: float) -> None:
    """Wait until all processes run, a warm standby waits and a client that can submit the job, and lists have been fresh for
    `calm` seconds. Raises Unavailable if that does not come."""
    running.await_standby()
    began = time.monotonic()
    while True:
        time.sleep(0.5)
        now = time.monotonic()
        callers.check()
        stale = max((each.at for each in list(callers.answers) if not each.is_fresh), default=0.0)
        services = running_status(running.home)["services"]
        all_run = JOB_CLIENT in services and all(each["running"] for each in services.values())
        if all_run and now - max(stale, began) >= calm:
            return
        if now - began > BACK_TIMEOUT + calm:
            raise Unavailable(f"lists are not fresh for {calm:.0f} s, {BACK_TIMEOUT:.0f} s after a loss")


def fresh_from(answers: Sequence[ListAnswer]) -> float | None:
    """Returns when (monotonic s) the last list was answered before STEADY fresh ones in a row, 0 where the first ones are; None
    where so many never come.

    >>> fresh = ListAnswer(9.0, 0.1, 200, False, True, ())
    >>> stale = fresh._replace(at=5.0, is_fresh=False)
    >>> fresh_from([fresh] * STEADY), fresh_from([fresh, stale, *[fresh] * STEADY, stale]), fresh_from([stale, fresh])
    (0.0, 5.1, None)
    """
    again, in_a_row = 0.0, 0
    for each in answers:
        again, in_a_row = (again, in_a_row + 1) if each.is_fresh else (each.at + each.took, 0)
        if in_a_row == STEADY:
            return again
    return None


def figures_of(loss: Loss, until: float, answers: list[ListAnswer], refused: list[float]) -> dict[str, Figure]:
    """Returns the figures of one loss; `until`: time of the next one."""
    after = [each for each in answers if loss.at <= each.at < until]
    again, at_last = fresh_from(after), fresh_from([each for each in after if each.at >= loss.back])
    return {
        "process": loss.name,
        "fresh again after, s": None if again is None else round(max(0.0, again - loss.at), 2),
        "fresh for good after it was back, s": None if at_last is None else round(max(0.0, at_last - loss.back), 2),
        "lists not fresh, later": sum(not each.is_fresh for each in after if again is not None and each.at >= again),
        "lists asked for": len(after),
        "lists failed": sum(each.status != 200 for each in after),
        "lists asked for again, the connection broke": sum(each.again for each in after),
        "lists degraded": sum(bool(each.degraded) for each in after),
        "what they lacked": _counted(after),
        "slowest list, ms": max(each.took for each in after) * 1000,
        "posts not acknowledged at once": sum(loss.at <= each < until for each in refused),
        "process there again after, s": round(loss.back - loss.at, 1),
    }


def _counted(answers: Sequence[ListAnswer]) -> str:
    """Returns what lists lacked, each with its number, the most frequent first.

    >>> _counted([ListAnswer(9.0, 0.1, 200, False, True, ("a", "b")), ListAnswer(9.2, 0.1, 200, False, True, ("b",))])
    '2 b, 1 a'
    """
    found = Counter(lacked for each in answers for lacked in each.degraded)
    ordered = sorted(found.items(), key=lambda each: -each[1])
    return ", ".join(f"{count} {lacked}" for lacked, count in ordered)


def measure(running: Running, events: float, lists: float, silent: float, calm: float, report: Report) -> None:
    """Report what callers noticed of each loss, then the totals. Raises as `report_losses`."""
    items = sorted(running.films().catalogue)
    callers = SteadyCallers(running.api, events, lists, range(FIRST_USER, FIRST_USER + USERS), items)
    report_losses(running, callers, lambda: lose_all(running, callers, silent, calm), report)


def report_losses(running: Running, callers: SteadyCallers, lose: Callable[[], Sequence[Loss]], report: Report) -> None:
    """Report what callers noticed of each loss that `lose` brings about, then the totals. Raises Broken if an event is lost or
    counted twice, or `verify` finds a difference."""
    partitions = running.engines.kafka.partitions
    with running.nodes() as nodes:
        before = ledger(nodes, partitions)
    with callers:
        losses = lose()
    ends = [each.at for each in losses[1:]] + [time.monotonic()]
    for loss, until in zip(losses, ends, strict=True):
        report.add(figures_of(loss, until, callers.answers, callers.posted.refused), loss.kind)
    drain(running)
    with running.nodes() as nodes:
        applied = ledger(nodes, partitions)["applied"] - before["applied"]
    equal, line = running.verify()
    acknowledged = callers.posted.acknowledged
    report.add(
        {
            "events acknowledged": acknowledged,
            "lost": max(0, acknowledged - applied),
            "applied twice": max(0, applied - acknowledged),
            "verify": "equal" if equal else "DIFFERENT",
        },
        "all",
    )
    report.note(f"verify: {line}")
    if applied != acknowledged or not equal:
        raise Broken(f"{acknowledged} events were acknowledged, {applied} applied; verify: {line}")


def run(home: Path, events: float, lists: float, silent: float, calm: float, json: Path | None) -> None:
    """Print and save the figures of a running home, whose processes are lost one after another."""
    options = {"home": home, "events": events, "lists": lists, "silent": silent, "calm": calm}
    report = Report("losses", options)
    if silent:
        report.note("no network is cut: all processes share this machine's loopback; instead each falls silent")
    try:
        measure(Running(Home(home)), events, lists, silent, calm, report)
    finally:
        report.show()
        report.save(json)
