"""Processes by (pid, start time): a pid alone may by now belong to someone else."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import psutil

from features.durable import atomic_file
from features.errors import BadInput, Unavailable


@dataclass(frozen=True)
class ProcessId:
    """A process that can't be mistaken for a later one with the same pid.

    started  when it did, by the clock as it was when that was read (s since 1970)
    mark     tells it from all others with its pid, whatever the clock does (`_mark_of`); "" where a version of before has
             written the id: then `started` has to
    """

    pid: int
    started: float
    mark: str = ""

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        try:
            return cls(pid, psutil.Process(pid).create_time(), _mark_of(pid))
        except psutil.NoSuchProcess:
            return None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ProcessId":
        return cls(int(value["pid"]), float(value["started"]), str(value.get("mark", "")))

    def to_json(self) -> dict[str, int | float | str]:
        return {"pid": self.pid, "started": self.started, "mark": self.mark}

    def process(self) -> psutil.Process | None:
        """Returns the live process, or None if it has ended. A zombie has, once no thread but its first is left: until then it
        holds its files and ports."""
        try:
            process = psutil.Process(self.pid)
            is_same = _mark_of(self.pid) == self.mark if self.mark else abs(process.create_time() - self.started) < 1.5
            if is_same and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1):
                return process
        except psutil.NoSuchProcess:
            pass
        return None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if (process := self.process()) is not None:
                process.send_signal(number)


def _mark_of(pid: int) -> str:
    """The start of a process by what no step of the clock moves. Linux counts ticks since it booted, and names each boot; what it
    gives as a time is computed from the clock as it is now. Raises NoSuchProcess."""
    if sys.platform != "linux":
        return f"{psutil.Process(pid).create_time():.6f}"
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # a name may hold blanks and brackets
        return f"{_boot_id()}:{fields[19]}"
    except (OSError, IndexError) as error:
        raise psutil.NoSuchProcess(pid) from error


@cache
def _boot_id() -> str:
    """What names this boot; "" in a sandbox that does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def spawn(argv: Sequence[str | Path], log: Path, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, both outputs appended to `log` (which may be truncated under it)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )


Attend = Callable[[str, "subprocess.Popen[Any]"], AbstractContextManager[None]]
"""Returns a context in which a process is tracked under a name, and stopped if everything is being stopped."""


def lower_priority(pid: int, nice: int) -> None:
    """Set the niceness of a process that leads its own session, and of that session: where Linux groups processes by session
    (sched_autogroup), it divides processor time between sessions first."""
    with contextlib.suppress(psutil.Error, OSError):  # it may have ended; not every system groups sessions
        psutil.Process(pid).nice(nice)
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def stop(target: ProcessId, grace: float) -> bool:
    """Send SIGTERM, then after `grace` seconds SIGKILL, to the process and its children; returns True if SIGTERM sufficed."""
    process = target.process()
    if process is None:
        return True
    family = [target]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += filter(None, [ProcessId.of(child.pid) for child in process.children(recursive=True)])
    target.send(signal.SIGTERM)
    with contextlib.suppress(psutil.AccessDenied):
        target.send(signal.SIGCONT)  # one that was stopped can't hear a SIGTERM
    alive = left_after(grace, [target])
    left = left_after(0.2, family)
    for survivor in left:
        survivor.send(signal.SIGKILL)
    left_after(5, left)
    return not alive


def left_after(timeout: float, targets: Collection[ProcessId]) -> list[ProcessId]:
    """Wait until processes have ended, at most `timeout` seconds; returns those that live then. It does not take somebody to reap
    them: in a container without an init nobody does."""
    deadline = time.monotonic() + timeout
    while alive := [each for each in targets if each.process() is not None]:
        if not wait_until(deadline, 0.02):
            break
    return alive


def memory_mib(target: ProcessId) -> int:
    """Returns the resident memory of a process, MiB; 0 if it has ended. (No service of ours has lasting children.)"""
    process = target.process()
    if process is None:
        return 0
    try:
        return int(process.memory_info().rss) >> 20
    except psutil.NoSuchProcess:
        return 0


PORTS: Final = range(20_000, 32_768)
"""Below those that Linux (from 32,768) and macOS (from 49,152) give to connections: a client could take one of these while a
service is not yet, or no longer, there."""


MAX_CLAIMS: Final = 256
"""A process holds so many claims at once; beyond them it gives up its oldest. A home has 51 at most."""


def free_ports(count: int, but: Collection[int] = ()) -> list[int]:
    """Returns `count` distinct loopback ports of PORTS that nobody listens on now or has claimed, and that are none of those in
    `but`, on which somebody is to listen. Raises Unavailable where there are not so many."""
    return _drawn(count, lambda port: port not in but and _is_unused(port) and not _is_claimed(port))


def claim_ports(count: int, but: Collection[int] = ()) -> list[int]:
    """Returns `free_ports`, and claims them for services that this process will start: a JVM takes many seconds until it listens,
    in which another process of ours would find its port free, and so it would while a service is restarted."""
    return _drawn(count, lambda port: port not in but and port not in _claims and _is_unused(port) and claim_port(port))


def _drawn(count: int, take: Callable[[int], bool]) -> list[int]:
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):  # seeded, two processes would draw the same
        if len(found) == count:
            break
        if take(port):
            found.append(port)
    if len(found) < count:
        raise Unavailable(f"of the ports from {PORTS[0]} to {PORTS[-1]} only {len(found)} are free, {count} are needed")
    return found


def _is_unused(port: int) -> bool:
    """Whether a port is free, and no connection of before lingers on it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_claims: dict[int, socket.socket] = {}
"""What this process has claimed, by port: each is held until it is released, or this process ends."""


def claim_port(port: int) -> bool:
    """Claim a port for a service that this process will start; returns False if it is not free, or another process of ours has
    claimed it, whose service does not listen yet, or is just being restarted."""
    if not is_free(port):
        return False
    if port in _claims or sys.platform != "linux":
        return True
    claim = _claim(port)
    if claim is None:
        return False
    _claims[port] = claim
    if len(_claims) > MAX_CLAIMS:
        release_port(next(iter(_claims)))
    return True


def _is_claimed(port: int) -> bool:
    if port in _claims or sys.platform != "linux":
        return port in _claims
    claim = _claim(port)
    if claim is None:
        return True
    claim.close()
    return False


def _claim(port: int) -> socket.socket | None:
    """What holds a claim, by a name of Linux' that leaves no file; None if another process holds it."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0martlet-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def release_port(port: int) -> None:
    """Give up the claim of a port, if this process has one."""
    if (claim := _claims.pop(port, None)) is not None:
        claim.close()


def port_holder(port: int) -> str:
    """Describes the process that listens on a port, for an error message."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.pid
            if listens and connection.laddr and connection.laddr.port == port:
                name = " ".join(psutil.Process(connection.pid).cmdline()[:3])
                return f"process {connection.pid} ({name[:80]})"
    return "another process"


def require_free(port: int) -> None:
    """Raises BadInput naming the process that holds the port, if one does."""
    if not is_free(port):
        raise BadInput(
            "--port",
            "a free port on 127.0.0.1 (stop it, or choose another with --port)",
            f"{port}, which {port_holder(port)} listens on",
        )


def rotate(log: Path, limit: int = 16 << 20, copies: int = 3) -> None:
    """Keep a log below `limit` bytes: copy it to a backup and truncate it in place, since its writer only appends. Raises OSError
    where there is no room for the copy; nothing is changed then."""
    try:
        if log.stat().st_size < limit:
            return
    except FileNotFoundError:
        return
    with atomic_file(log.with_suffix(".log.1"), sync=False) as copy:
        shutil.copyfile(log, copy)
        for number in range(copies, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                log.with_suffix(f".log.{number - 1}").replace(log.with_suffix(f".log.{number}"))
    os.truncate(log, 0)


def tail(log: Path, lines: int = 12) -> str:
    """Returns the last lines of a log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def wait_until(deadline: float, interval: float = 0.1) -> bool:
    """Sleep one interval; returns False once `deadline` (monotonic seconds) has passed."""
    if time.monotonic() >= deadline:
        return False
    time.sleep(interval)
    return True
