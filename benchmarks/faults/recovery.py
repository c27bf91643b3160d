"""`bench recovery`: time until features are fresh again after a kill -9 of a Flink process under load, and exactness after it.

Under a steady rate the JobManager and each TaskManager is killed in turn, several times over: after a newly completed checkpoint,
with the standby TaskManager warm, and with at least a minute between two kills, since supervisor and Flink wait longer after
failures in quick succession. Fresh again is the moment when every event that was acknowledged more than 100 ms before is
readable. At the end the ledger is compared with what the broker acknowledged, and `verify` recomputes everything.
"""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness.engines.flink_cluster import Cluster
from benchmarks.harness.event_latency import MS, NEVER, Sent, Timestamps, outage
from benchmarks.harness.homes import Running, Shape, given_or_own
from benchmarks.harness.job_progress import ledger
from benchmarks.harness.run_report import LOAD, Figure, Report, load, work_folder
from benchmarks.harness.traffic import Plan, traffic
from features.errors import Broken, Unavailable

JOB_MANAGER = "jobmanager"
LIMIT = 100 * MS
RECOVERY_TIMEOUT = 180.0
POLL = 0.05


@dataclass(frozen=True)
class Kill:
    """A kill, and what was observed (monotonic ns): the process running again, all tasks of the job running again."""

    target: str
    at: int
    process_again: int
    job_again: int
    load: float


def kill(running: Running, cluster: Cluster, service: str, target: str) -> Kill:
    """Kill a service with -9, wait until the job runs again and has completed a checkpoint. Raises Unavailable."""
    victim = running.services()[service]
    process = victim.process()
    if process is None:
        raise Unavailable(f"{service} does not run")
    wall = time.time_ns() // MS
    process.send_signal(signal.SIGKILL)
    at = time.monotonic_ns()
    process_again = job_again = 0
    while not (process_again and job_again):
        time.sleep(POLL)
        now = running.services()[service]
        if not process_again and now != victim and now.process() is not None:
            process_again = time.monotonic_ns()
        # A kill is noticed within seconds; till then Flink calls the job running, so tasks count that were started since.
        if not job_again and (cluster.running_since() or 0) > wall:
            job_again = time.monotonic_ns()
        if time.monotonic_ns() - at > RECOVERY_TIMEOUT * 1e9:
            missing = "the job does not run" if process_again else "it was not started"
            raise Unavailable(f"{target} was killed, and {missing} again within {RECOVERY_TIMEOUT:.0f} s")
    cluster.await_checkpoint(wall + (job_again - at) // MS)
    return Kill(target, at, process_again, job_again, load())


def targets(running: Running, cluster: Cluster) -> dict[str, str]:
    """Returns the targets: descriptive name → present service (tasks move when they are restarted)."""
    names = {f"TaskManager ({what})": name for name, what in cluster.operators(running.services()).items() if what}
    return {**names, "JobManager": JOB_MANAGER}


def kill_all(running: Running, runs: int, calm: float) -> list[Kill]:
    """Kill each target `runs` times, in turn."""
    cluster = Cluster(running.rest)
    kills = []
    for target in [*targets(running, cluster)] * runs:
        time.sleep(calm)
        running.await_standby()
        cluster.await_checkpoint(time.time_ns() // MS)
        current = targets(running, cluster)
        if target not in current:
            raise Broken(f"nothing is {target} any more; there are: {', '.join(current)}")
        kills.append(kill(running, cluster, current[target], target))
        print(f"{target} killed and back", flush=True)
    return kills


def figures_of(done: Kill, until: int, sent: Sent, readable: Timestamps) -> dict[str, Figure]:
    """Returns the figures of one kill; `until`: time of the next one."""
    good = sent.acknowledged
    after = outage(sent.acked[good], readable[good], done.at, done.job_again, until, LIMIT)
    in_vain = ~good & (sent.sent >= done.at) & (sent.sent < until)
    return {
        "fresh again after, s": (after.normal_at - done.at) / 1e9 if after.normal_at != NEVER else None,
        "longest time without a write, s": after.silent_ns / 1e9,
        "most events pending": after.pending,
        "process there again after, s": (done.process_again - done.at) / 1e9,
        "all tasks run again after, s": (done.job_again - done.at) / 1e9,
        "events late once more, later": after.later,
        "events not acknowledged": int(np.count_nonzero(in_vain)),
        LOAD: done.load,
    }


def measure(running: Running, plan: Plan, runs: int, calm: float, folder: Path, report: Report) -> None:
    """Kill under load and report each kill's figures, then the totals. Raises Broken if `verify` finds a difference."""
    with running.nodes() as nodes:
        before = ledger(nodes, running.engines.kafka.partitions)
    with traffic(running, plan, folder, "recovery") as both:
        kills = kill_all(running, runs, calm)
        time.sleep(calm)
        sent, _, readable = both.finish()
    good = sent.acknowledged
    ends = [each.at for each in kills[1:]] + [int(sent.acked.max()) + 1]
    for done, until in zip(kills, ends, strict=True):
        report.add(figures_of(done, until, sent, readable), done.target)
    with running.nodes() as nodes:
        after = ledger(nodes, running.engines.kafka.partitions)
    equal, line = running.verify()
    applied, twice = (after[name] - before[name] for name in ("applied", "duplicate"))
    acknowledged = int(np.count_nonzero(good))
    report.add(
        {
            "events acknowledged": acknowledged,
            "events applied": applied,
            "lost": max(0, acknowledged - applied),
            "applied twice": max(0, applied - len(sent.due)),
            "came twice, applied once": twice,
            "sent without an acknowledgement": int(np.count_nonzero(~good)),
            "acknowledged, never readable": int(np.count_nonzero(readable[good] == NEVER)),
            "verify": "equal" if equal else "DIFFERENT",
        },
        "exactness",
    )
    report.note(f"verify: {line}")
    if not equal:
        raise Broken("after the kills the features are not those of base and log")


def run(home: Path | None, shape: Shape, rate: float, users: int, runs: int, calm: float, json: Path | None) -> None:
    """Print and save the figures of `runs` kills of each process, on a running home or one of their own (None)."""
    report = Report(
        "recovery", {"home": home, "shape": shape, "rate": rate, "users": users, "runs": runs, "calm": calm}
    )
    with work_folder() as folder, given_or_own(home, folder, shape) as running:
        kills = runs * (1 + len(running.services()))  # more than there will be
        plan = Plan(rate, kills * (calm + RECOVERY_TIMEOUT) + calm, users)
        try:
            measure(running, plan, runs, calm, folder, report)
        finally:
            report.show()
            report.save(json)
