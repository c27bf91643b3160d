"""An attached Flink session cluster: examined by `doctor`, entered by `up`."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import msgspec

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.errors import MartletError, Unavailable
from infra.attached.findings import Finding, away, refused, require_well, well
from infra.flink import java_classes
from infra.flink.client import FlinkClient, innermost_cause
from infra.flink.cluster import configure_client, slots_of
from infra.flink.job_control import end_live_job
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.table import Flink
from infra.system import packages
from infra.system.processes import tail, wait_until
from infra.system.repository import REPO

PROBE_TIMEOUT: Final = 120.0
SLOTS_TIMEOUT: Final = 20.0
"""Seconds that `up` waits for slots: those of a job that has just ended, or of TaskManagers that have just been started."""
_SLOTS: Final = "Flink: slots"
_PROBE: Final = "Flink: probe"
_NEEDED: Final = (
    "JobManager and TaskManagers need this repository, its Python packages, the home's folder, the user of ./martlet, in lib "
    "what ./martlet jars copies, the way to Kafka and Redis, and their passwords in the environment: docs/attach.md"
)


def enter_flink(address: str, record: HomeRecord) -> str:
    """Examine the cluster that is to run a home's job; returns how to name it. Raises BadInput where it won't do, Unavailable
    if it does not answer."""
    deadline = time.monotonic() + SLOTS_TIMEOUT
    while True:
        found = list(examine_flink(address, slots_of(record.parallelism)))
        if not any(each.name == _SLOTS and each.help for each in found) or not wait_until(deadline, 0.5):
            return f"attached: {require_well(found)[0].found}"


def examine_flink(address: str, slots: int) -> Iterator[Finding]:
    """Yields what is found of a cluster that is to give `slots` slots. Of several JobManagers one must answer."""
    answered, silent = _overviews(address.split(","))
    if not answered:
        found = "; ".join(f"{each}: {why}" for each, why in silent.items())
        yield away("Flink", found, "start the session cluster, or change flink.address")
        return
    first, *others = [each.address for each in answered]
    if (other := _of_another_cluster(first, others)) is not None:
        found = f"{other} has other TaskManagers than {first}"
        yield refused("Flink: JobManagers", "JobManagers of one cluster", found, "change flink.address")
        return
    _, version, free, total, workers = answered[0]
    wanted = version_of("apache-flink") if packages.has_flink() else version
    if _minor(version) != _minor(wanted):
        yield refused(
            "Flink: version", f"{_minor(wanted)}, as its Python packages and jars are", version, "another cluster"
        )
        return
    missing = f", while {' and '.join(silent)} does not answer" if silent else ""
    yield well("Flink: version", f"{version} at {','.join([first, *others])}{missing}")
    if free < slots:
        yield refused(
            _SLOTS,
            f"{slots} free slots, two for each degree of parallelism",
            f"{free} of {total} in {workers} TaskManagers",
            "start TaskManagers with a slot each",
        )
        return
    yield well(_SLOTS, f"{free} of {total} are free, in {workers} TaskManagers")


class _Overview(NamedTuple):
    """What a JobManager says of its cluster. workers: the number of its TaskManagers."""

    address: str
    version: str
    free: int
    total: int
    workers: int


def _overviews(addresses: Sequence[str]) -> tuple[list[_Overview], dict[str, str]]:
    """Returns what JobManagers say of their cluster; and of each that says nothing why, by its address."""
    answered, silent = [], {}
    for address in addresses:
        try:
            found = FlinkClient(address).overview()
            counts = (int(found[name]) for name in ("slots-available", "slots-total", "taskmanagers"))
            answered.append(_Overview(address, str(found["flink-version"]), *counts))
        except Unavailable as error:
            silent[address] = str(error)
        except (KeyError, TypeError, ValueError):
            silent[address] = "it answers, but not as Flink does"
    return answered, silent


def _of_another_cluster(first: str, others: Sequence[str]) -> str | None:
    """Returns the address of a JobManager that shares no TaskManager with the first one; None if there is none. One that does not
    answer now, or has none yet, is not judged."""

    def workers(address: str) -> set[str]:
        try:
            return {str(each["id"]) for each in FlinkClient(address).task_managers()}
        except Unavailable:
            return set()

    own = workers(first) if others else set()
    return next((each for each in others if own and (its := workers(each)) and own.isdisjoint(its)), None)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def flink_findings(
    home: Home, record: HomeRecord, flink: Flink, kafka: KafkaAddress | None, redis: RedisAddress | None
) -> Iterator[Finding]:
    """Yields what is found of the cluster: whether it has room for the home's job, unless that runs there, and what a probe found
    in a slot, where one is free. kafka, redis: what the job is to enter, where they are attached too."""
    address = flink.address
    assert address is not None
    try:
        runs = FlinkClient(address, job_name=record.job_name).live_job() is not None
    except Unavailable:
        runs = False
    needed = 0 if runs else slots_of(record.parallelism)
    found = list(examine_flink(address, needed))
    yield from found
    if any(each.help for each in found):
        return
    if runs and any(examine.help for examine in examine_flink(address, 1)):
        yield well(_PROBE, "not run: the home's job runs there, and no slot is free beside it")
        return
    yield _probed(home, flink, record.state, kafka, redis)


def _probed(home: Home, flink: Flink, state: str, kafka: KafkaAddress | None, redis: RedisAddress | None) -> Finding:
    """Returns what a probe found in a slot that is free, or why there was none."""
    if not packages.has_flink():
        return well(
            _PROBE, "not run: PyFlink is not installed here. ./martlet doctor runs it where `up` or `job` may run"
        )
    if not home.path.is_dir():
        help_ = f"mkdir -p {home.path}, for the user of Flink's processes on all of the cluster's machines"
        return refused(_PROBE, "the home's folder, which the cluster shares", f"not run: no folder {home.path}", help_)
    try:
        # A folder of its own: the home's files may be those of a cluster that it runs. In the home, which the cluster must share.
        with TemporaryDirectory(prefix="martlet-probe-", dir=home.path) as folder:
            return _probe(Home(Path(folder)).make(), flink, state, kafka, redis)
    except (MartletError, OSError) as error:
        return away(_PROBE, f"not run: {error}", "./martlet doctor runs it where `up` or `job` may run")


def _probe(own: Home, flink: Flink, state: str, kafka: KafkaAddress | None, redis: RedisAddress | None) -> Finding:
    """Run a job that checks a TaskManager from within; returns what it found there."""
    assert flink.address is not None
    log, written = own.logs / "probe.log", own.checkpoints / "written"
    env = configure_client(own, flink.address, flink.python, state)
    jar = java_classes.jar().name
    argv = [
        sys.executable,
        "-m",
        "streaming.cluster_probe",
        "--name",
        own.path.name,
        "--file",
        str(written),
        "--jar",
        jar,
    ]
    entered = {"Kafka": kafka and kafka.without_password(), "Redis": redis and redis.without_password()}
    for engine, address in entered.items():
        if address is not None:
            argv += [f"--{engine.lower()}", msgspec.json.encode(address).decode()]
    own.checkpoints.mkdir(parents=True, exist_ok=True)
    expected = "a job of this version to run"
    try:
        with log.open("ab") as out:
            code = subprocess.run(
                argv, env=env, cwd=REPO, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=PROBE_TIMEOUT
            ).returncode
    except subprocess.TimeoutExpired:
        found = f"the probe job did not end within {PROBE_TIMEOUT:.0f} s"
        with contextlib.suppress(Unavailable):
            end_live_job(FlinkClient(flink.address, job_name=own.path.name))
        return away(_PROBE, found, "see the TaskManagers' logs")
    if code:
        return refused(_PROBE, expected, innermost_cause(tail(log, 400)) or f"exit code {code}", _NEEDED)
    if not written.exists():
        return refused(_PROBE, expected, "what a TaskManager writes into the home's folder is not here", _NEEDED)
    found = "a TaskManager has this version, its jars and the home's folder"
    if names := " and ".join(name for name, address in entered.items() if address is not None):
        found += f", and enters {names}"
    return well(_PROBE, found)


def end_leftover_job(home: Home, print_line: Callable[[str], None]) -> bool:
    """End the home's job in an attached cluster, where it would run on beside the next one: a killed `up` has left it, or one
    whose start was broken off; returns whether there was one."""
    record = HomeRecord(home)
    if not record.flink:
        return False
    try:
        if not end_live_job(FlinkClient(record.flink, job_name=record.job_name)):
            return False
    except Unavailable as error:
        print_line(f"if the job {record.job_name} runs on in {record.flink}, cancel it there: {error}")
        return False
    print_line(f"ended the job {record.job_name} in {record.flink}")
    return True
