"""`bench cut`: what callers notice while a network is cut between hosts.

Three hosts of one machine (`benchmarks.harness.engines`) have a broker of Kafka, a primary of a Redis Cluster and a replica of
another's each; a home is attached to them, whose API, job and models run beside. Events and lists come steadily over HTTP. One
host after another is cut off, each for a while and each way: of what it sends nothing arrives, then of what is sent to it. It is
measured as in `bench losses`.
"""

import time
from pathlib import Path
from typing import Final

from benchmarks.faults.losses import USERS, Loss, await_calm, report_losses
from benchmarks.harness.engines.host_engines import HostEngines
from benchmarks.harness.engines.hosts import Hosts, why_not
from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import Report, work_folder
from benchmarks.harness.started_home import started
from benchmarks.harness.steady_callers import SteadyCallers
from benchmarks.harness.traffic import FIRST_USER

HOSTS: Final = 3
FROM, TO = "nothing comes from a host", "nothing comes to a host"


def settings_of(engines: HostEngines) -> str:
    """Returns the martlet.toml of a home that is attached to these engines."""
    return (
        f'[kafka]\nbootstrap = "{engines.bootstrap}"\nreplication = {HOSTS}\n\n'
        f'[redis]\nurl = "{engines.redis_url}"\ncluster = true\n'
    )


def cut_all(
    running: Running, callers: SteadyCallers, hosts: Hosts, engines: HostEngines, seconds: float, calm: float
) -> list[Loss]:
    """Cut off one host after another, each way; `calm`: seconds of fresh lists before each."""
    losses: list[Loss] = []
    for way, cut in ((FROM, hosts.cut_from), (TO, hosts.cut_to)):
        for host, address in enumerate(hosts.addresses):
            await_calm(running, callers, calm)
            engines.give_back()
            await_calm(running, callers, calm)
            at = time.monotonic()
            cut(host)
            try:
                time.sleep(seconds)
            finally:
                hosts.heal()
            losses.append(Loss(way, address, at, time.monotonic()))
            print(f"{address}, {way} for {seconds:.0f} s", flush=True)
    await_calm(running, callers, calm)
    return losses


def run(history: Path | None, events: float, lists: float, seconds: float, calm: float, json: Path | None) -> None:
    """Print and save the figures of a home of its own, between whose engines the network is cut."""
    options = {"history": history, "events": events, "lists": lists, "seconds": seconds, "calm": calm}
    report = Report("cut", options)
    reason = why_not()
    if reason is not None:
        print(f"SKIPPED, no network is cut: {reason}", flush=True)
        return
    with (
        work_folder() as folder,
        Hosts(HOSTS) as hosts,
        HostEngines(hosts, folder / "engines") as engines,
        started(folder / "home", history, settings_of(engines), "--api", "2", "--parallelism", "2") as running,
    ):
        items = sorted(running.films().catalogue)
        callers = SteadyCallers(running.api, events, lists, range(FIRST_USER, FIRST_USER + USERS), items)
        try:
            report_losses(running, callers, lambda: cut_all(running, callers, hosts, engines, seconds, calm), report)
        finally:
            report.show()
            report.save(json)
