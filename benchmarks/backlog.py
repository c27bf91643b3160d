"""`bench backlog`: events a second through the job, Redis included, from a log that is full before the job starts.

Several copies of MovieLens 100K, each with users of its own, are written to the log; then the job starts, and Redis is polled
until it holds everything. Each run is a complete start: Redis empty, Flink's processes new. "From 20 %" excludes the time in
which the JVMs still compile.
"""

from pathlib import Path

import redis

from benchmarks.harness.engines.flink_cluster import Cluster
from benchmarks.harness.event_generator import Filled, copies, fill
from benchmarks.harness.homes import Shape, StreamHome
from benchmarks.harness.job_progress import JobFollower, ledger, log_ends
from benchmarks.harness.run_report import Figure, Report, work_folder
from features.errors import Broken
from infra.home.paths import Home
from offline.datasets.dataset import DEFAULT, open_dataset

TIMEOUT = 3600.0


def fold_backlog(home: StreamHome, items: list[int] | None) -> dict[str, Figure]:
    """Start the job of an entered home on its full log, follow it to the end, and return the figures.

    `items`: the items in the log; None if the job folds users alone. Raises Unavailable if the job stalls, Broken where it did
    not apply all records.
    """
    running = home.running
    cluster = Cluster(running.rest)
    ends = log_ends(running.engines.kafka)
    with running.redis() as client:
        before = _traffic(client)
        follower = JobFollower(running.engines.redis, ends, items, cluster)
        follower.start()
        home.start_job()
        timeline = follower.result(TIMEOUT)
        verdicts = ledger(running.nodes(), len(ends))
        if verdicts["applied"] != sum(ends):
            raise Broken(f"expected {sum(ends)} records to be applied, got {verdicts}")
        calls, sent = (after - start for after, start in zip(_traffic(client), before, strict=True))
    figures: dict[str, Figure] = {
        "events/s, from 20 %": timeline.rate(0.2),
        "events/s, whole": timeline.rate(),
        "seconds, whole": timeline.end - timeline.samples[0][0],
        "events": sum(ends),
        "hashes written an event": calls / sum(ends),
        "bytes sent to Redis a hash": sent / calls,
    }
    if timeline.items_done is not None:
        figures["items done after users, s"] = timeline.items_done - timeline.users_done
    return figures


def _traffic(client: redis.Redis) -> tuple[int, int]:
    """Returns hashes written and bytes received by Redis so far. (Polling adds some 15 kB a second to the bytes.)"""
    calls = client.info("commandstats").get("cmdstat_hset", {"calls": 0})["calls"]
    return int(calls), int(client.info("stats")["total_net_input_bytes"])


def run(events: int, runs: int, shape: Shape, users_only: bool, shuffled: bool, json: Path | None) -> None:
    """Print and save the figures of `runs` runs over at least `events` events."""
    options = {"events": events, "runs": runs, "shape": shape, "users_only": users_only, "shuffled": shuffled}
    report = Report("backlog", options)
    with work_folder() as folder:
        filled: Filled | None = None
        for _ in range(runs):
            with StreamHome(folder, shape, users_only) as home:
                if filled is None:
                    dataset = open_dataset(DEFAULT, Home(folder).data)
                    count = -(-events // dataset.rows)
                    filled = fill(home.running.engines.kafka, copies(dataset, count, shuffled))
                items = None if users_only else sorted(filled.items)
                figures = fold_backlog(home, items)
            report.add(figures)
    report.show()
    report.save(json)
