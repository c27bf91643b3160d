"""`bench cut`: what callers notice while a network is cut between hosts.

Three hosts of one machine (`benchmarks.harness.hosts`) have a broker of Kafka, a primary of a Redis Cluster and a replica of
another's each; a home is attached to them, whose API, job and models run beside. Events and lists come steadily over HTTP. One
host after another is cut off, each for a while and each way: of what it sends nothing arrives, then of what is sent to it. It is
measured as in `bench losses`.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.faults.losses import USERS, Loss, await_calm, report_losses
from benchmarks.harness.homes import Running
from benchmarks.harness.host_engines import HostEngines
from benchmarks.harness.hosts import Hosts, why_not
from benchmarks.harness.run_report import Report, work_folder
from benchmarks.harness.steady_callers import SteadyCallers
from benchmarks.harness.traffic import FIRST_USER
from infra.home.paths import Home
from infra.services.environment import python_env
from infra.system.repository import REPO

HOSTS: Final = 3
FROM, TO = "nothing comes from a host", "nothing comes to a host"
START_TIMEOUT: Final = 900.0


@contextmanager
def attached_home(folder: Path, engines: HostEngines, history: Path | None) -> Iterator[Running]:
    """Provide a home that runs on these engines; `history`: a folder to begin from, that of a home that has never run."""
    if history is not None:
        shutil.copytree(history, folder)
    folder.mkdir(exist_ok=True)
    settings = (
        f'[kafka]\nbootstrap = "{engines.bootstrap}"\nreplication = {HOSTS}\n\n'
        f'[redis]\nurl = "{engines.redis_url}"\ncluster = true\n'
    )
    (folder / "martlet.toml").write_text(settings)
    try:
        _command("up", "--home", str(folder), "--detach", "--wait", "--api", "2", "--parallelism", "2")
        yield Running(Home(folder))
    finally:
        _command("down", "--home", str(folder))


def _command(*arguments: str) -> None:
    """Run a command of the project."""
    subprocess.run(
        [sys.executable, "-m", "infra", *arguments], env=python_env(), cwd=REPO, check=True, timeout=START_TIMEOUT
    )


def cut_all(running: Running, callers: SteadyCallers, hosts: Hosts, seconds: float, calm: float) -> list[Loss]:
    """Cut off one host after another, each way; `calm`: seconds of fresh lists before each."""
    losses: list[Loss] = []
    for way, cut in ((FROM, hosts.cut_from), (TO, hosts.cut_to)):
        for host, address in enumerate(hosts.addresses):
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
        attached_home(folder / "home", engines, history) as running,
    ):
        items = sorted(running.base().catalogue)
        callers = SteadyCallers(running.api, events, lists, range(FIRST_USER, FIRST_USER + USERS), items)
        try:
            report_losses(running, callers, lambda: cut_all(running, callers, hosts, seconds, calm), report)
        finally:
            report.show()
            report.save(json)
