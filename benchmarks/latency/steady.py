"""`bench steady`: time from an event's acknowledgement until its user's features are readable, at a steady rate.

The producer is an open loop: each event is sent at its scheduled time, however slow those before it are, so a stall delays
every event scheduled in it, and all of them count. If the producer itself falls behind, "scheduled → sent" shows it, and
"scheduled → readable" includes it. Writes are coalesced: an event is readable when the script that writes publishes an n of its
user above the event's offset. Producer and subscriber use the same processors; their shares are printed.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.harness.engines.flink_cluster import Checkpoint, CheckpointLog, Cluster
from benchmarks.harness.event_latency import MS, NEVER, Sent, Timestamps, in_intervals
from benchmarks.harness.homes import Running, Shape, given_or_own
from benchmarks.harness.run_report import Figure, Report, spread, work_folder
from benchmarks.harness.traffic import Plan, traffic
from benchmarks.latency.over_time import Panel, in_windows, plot

BEHIND = 10 * MS
"""Delay beyond which the producer counts as behind its schedule, ns."""


def measure(
    running: Running, plan: Plan, warm: float, folder: Path, name: str, picture: Path | None
) -> dict[str, Figure]:
    """Run once, and plot the whole run; returns the figures of the last `plan.seconds` after `warm` seconds at the same rate."""
    log = CheckpointLog(Cluster(running.rest))
    log.start()
    whole = replace(plan, seconds=warm + plan.seconds)
    with traffic(running, whole, folder, name) as both:
        sent, seen, readable = both.finish(whole.seconds * 3 + 120)
    checkpoints = log.end()
    if picture is not None:
        draw(picture, sent, readable, checkpoints)
    chosen = np.arange(len(sent.due)) >= int(plan.rate * warm)
    figures = latencies(sent.only(chosen), readable[chosen], checkpoints)
    figures["producer, share of a processor"] = sent.cpu_seconds / whole.seconds
    figures["subscriber, share of a processor"] = seen.cpu_seconds / whole.seconds
    figures["writes an event"] = len(seen.at) / len(sent.due)
    return figures


def latencies(sent: Sent, readable: Timestamps, checkpoints: list[Checkpoint]) -> dict[str, Figure]:
    """Returns the figures of a run's events; the time of its acknowledgement decides whether one was during a checkpoint."""
    good = readable != NEVER
    refused = int(np.count_nonzero(~sent.acknowledged))
    measured, when = sent.only(good), readable[good]
    latency = (when - measured.acked) / MS
    shift = time.monotonic_ns() - time.time_ns()
    intervals = [(each.trigger_ms * MS + shift, each.ack_ms * MS + shift) for each in checkpoints]
    during = in_intervals(measured.acked, intervals)
    first, last = (measured.acked.min(), measured.acked.max()) if len(when) else (0, 0)
    spans = [(end - start) / MS for start, end in intervals if end >= first and start <= last]
    lag = (sent.sent - sent.due) / MS
    seconds = (sent.due[-1] - sent.due[0]) / 1e9
    return {
        **spread("acknowledged → readable, ms", latency.tolist()),
        **spread("  during a checkpoint, ms", latency[during].tolist()),
        **spread("  outside of them, ms", latency[~during].tolist()),
        **spread("scheduled → readable, ms", ((when - measured.due) / MS).tolist()),
        **spread("scheduled → acknowledged, ms", ((measured.acked - measured.due) / MS).tolist()),
        **spread("scheduled → sent, ms", lag.tolist()),
        "sent more than 10 ms behind schedule, share": float(np.mean(lag > BEHIND / MS)),
        "events/s": len(sent.due) / max(seconds, 1e-9),
        "events": len(sent.due),
        "of them during a checkpoint": int(np.count_nonzero(during)),
        "not acknowledged": refused,
        "acknowledged, never readable": int(np.count_nonzero(~good)) - refused,
        "readable before the producer saw the acknowledgement": int(np.count_nonzero(latency < 0)),
        "checkpoints": len(spans),
        "a checkpoint, ms, median": float(np.median(spans)) if spans else None,
    }


def draw(path: Path, sent: Sent, readable: Timestamps, checkpoints: list[Checkpoint]) -> None:
    """Plot the latency over the time of a run, second by second, with its checkpoints marked."""
    came = readable != NEVER
    start, end = sent.due[0] / 1e9, sent.due[-1] / 1e9
    edges = np.linspace(start, end, max(2, round(end - start) + 1))
    lines = in_windows(sent.due[came] / 1e9, (readable[came] - sent.acked[came]) / MS, edges)
    shift = time.monotonic() - time.time() - start
    spans = ((each.trigger_ms / 1000 + shift, each.ack_ms / 1000 + shift) for each in checkpoints)
    marks = [(began, ended) for began, ended in spans if ended >= 0 and began <= end - start]
    title = f"{len(sent.due):,} events, {len(marks)} checkpoints (grey)"
    plot(path, title, edges[:-1] - start, [Panel("acknowledged → readable, ms", lines, logarithmic=True)], marks)


def run(
    home: Path | None, shape: Shape, plan: Plan, warm: float, runs: int, picture: Path | None, json: Path | None
) -> None:
    """Print and save the figures of `runs` runs on a running home, or on one of their own (None); plot the last one."""
    options = {"home": home, "shape": shape, "plan": plan, "warm": warm, "runs": runs}
    report = Report("steady", options)
    with work_folder() as folder, given_or_own(home, folder, shape) as running:
        for number in range(1, runs + 1):
            report.add(measure(running, plan, warm, folder, f"steady{number}", picture))
    report.show()
    report.save(json)
