"""Starts services, restarts them when they die, and stops them; records their processes, so that a successor can clean up.

A service that dies is restarted after 0.5, 1, 2, … 30 s; after a minute of running the delay starts from 0.5 again. One
whose work another takes over may wait for longer (`Service.restart_after`), while there is another one of its kind.

What fails in passing, such as a status file on a full disk or a fork without memory, is told, and supervision goes on.
"""

import errno
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from features.errors import MartletError, Unavailable
from infra.home.paths import Home
from infra.home.process_notes import note_processes, noted_processes
from infra.home.timings import read_timings
from infra.services.service import Service
from infra.system.processes import ProcessId, memory_mib, rotate, spawn, stop, tail, wait_until

BACKOFF_FIRST, CALM = 0.5, 60.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MAX_TROUBLES = 20
"""Failures of a second that the status tells, the newest."""


@dataclass
class _Child:
    service: Service
    popen: subprocess.Popen[bytes]
    id: ProcessId
    since: float
    restarts: int = 0
    backoff: float = BACKOFF_FIRST
    restart_at: float | None = None
    last_exit: int | None = None
    peak_mib: int = 0
    is_ending: bool = False

    @property
    def runs(self) -> bool:
        return self.restart_at is None and self.popen.poll() is None


class Supervisor:
    """Owns the children of one home. Not for use by two processes at once: infra.up holds the home's lock."""

    def __init__(self, home: Home, file: Path | None = None) -> None:
        """`file`: where its status is written; None: the home's status file. Raises Broken for timings that can't be read."""
        self._home = home
        self._file = file or home.status_file
        self._longest_pause = read_timings(home).longest_pause
        self._children: dict[str, _Child] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._closed = False
        self._ended: dict[str, int] = {}
        """Exit codes of services that did not last."""
        self._facts: dict[str, object] = {}
        self._chores: list[Callable[[], object]] = []
        self._troubles: deque[str] = deque(maxlen=MAX_TROUBLES)
        """What failed since they were noted last."""
        self._monitor = threading.Thread(target=self._monitor_children, name="supervisor", daemon=True)
        me = ProcessId.of(os.getpid())
        assert me is not None
        self._me = me

    def start_monitor(self) -> None:
        self._monitor.start()

    def add_chore(self, chore: Callable[[], object]) -> None:
        """Add a periodic task, run each second; what it raises is noted in `status` and not fatal."""
        self._chores.append(chore)

    def note(self, **facts: object) -> None:
        """Set facts for `status` (state, ports, job …); None removes one."""
        with self._lock:
            for key, value in facts.items():
                if value is None:
                    self._facts.pop(key, None)
                else:
                    self._facts[key] = value
            self._write()

    def log_of(self, name: str) -> Path:
        return self._home.logs / f"{name}.log"

    def begin(self, service: Service) -> None:
        """Start a service without waiting for it. Raises Unavailable where everything is being stopped."""
        with self._lock:
            self._refuse_when_stopping()
            self._spawn(service, None)

    @contextmanager
    def attending(self, name: str, process: subprocess.Popen[Any], grace: float = 10.0) -> Iterator[None]:
        """Track a process that the caller has started and waits for: while the context lasts it is listed in `status` and
        stopped with everything else, also by a successor. Raises Unavailable, on entry or exit, if everything is being
        stopped."""
        service = Service(name, (), lambda: None, grace=grace, lasts=False)
        child = _Child(service, process, _id_of(process), time.monotonic())
        with self._lock:
            if not self._stopping.is_set():
                self._children[name] = child
                self._write()
        try:
            self._refuse_when_stopping()
            yield
            self._refuse_when_stopping()  # it was ended then, whatever its exit code looks like
        finally:
            with self._lock:
                if self._children.get(name) is child:
                    del self._children[name]
                    self._write()
            if process.poll() is None:
                stop(child.id, grace)
                process.poll()

    def _refuse_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise Unavailable("everything is being stopped")

    def start(self, service: Service) -> None:
        """Start a service and wait until it is ready. Raises Unavailable with the end of its log if it does not become so."""
        self.begin(service)
        self.await_ready(service)

    def start_all(self, services: Sequence[Service]) -> None:
        """Start several services at once, and wait until all are ready, as `start` does."""
        for service in services:
            self.begin(service)
        for service in services:
            self.await_ready(service)

    def _spawn(self, service: Service, previous: _Child | None) -> None:
        popen = spawn(service.argv, self.log_of(service.name), service.env, service.cwd)
        child = _Child(service, popen, _id_of(popen), time.monotonic())
        if previous is not None:
            child.restarts = previous.restarts + 1
            child.last_exit = previous.last_exit
            child.peak_mib = previous.peak_mib
            child.backoff = min(self._longest_pause, previous.backoff * 2)
        self._children[service.name] = child
        self._ended.pop(service.name, None)
        self._write()

    def await_ready(self, service: Service) -> None:
        """Poll until the service is ready, for at most its `ready_timeout`. Raises Unavailable with the reason and the end of
        its log, and at once if everything is being stopped."""
        deadline = time.monotonic() + service.ready_timeout
        while True:
            self._refuse_when_stopping()
            try:
                service.ready()
                return
            except Exception as error:  # whatever a client raises before its server is there
                reason = f"{type(error).__name__}: {error}"
            child = self._children.get(service.name)
            if child is None or child.is_ending:
                raise Unavailable(f"{service.name} was stopped")
            if child.popen.poll() is not None and not self._monitor.is_alive():
                reason = f"it exited with {child.popen.returncode}"
            elif wait_until(deadline):
                continue
            raise Unavailable(
                f"{service.name} did not become ready within {service.ready_timeout:.0f} s ({reason[:300]}).\n"
                f"The end of {self.log_of(service.name)}:\n{tail(self.log_of(service.name))}"
            )

    def end(self, name: str) -> bool:
        """Stop one service, if it was started, and no longer restart it; returns False if it had died or had to be killed. It
        stands in the status until it has ended, so that a successor knows of it."""
        with self._lock:
            child = self._children.get(name)
            if child is None:
                return True
            child.is_ending, did_run = True, child.runs
        clean = stop(child.id, child.service.grace)
        child.popen.poll()
        with self._lock:
            if self._children.get(name) is child:
                del self._children[name]
            self._write()
        return clean and did_run

    def replace(self, name: str, at: float) -> bool:
        """Stop a service that could do no more at a time (wall time, s), and start it anew, unless that has happened since or is
        about to; returns False where none of that name is supervised. Its successor need not be ready then."""
        with self._lock:
            child = self._children.get(name)
            if child is None:
                return False
            if child.is_ending or not child.runs or child.id.started > at:
                return True
            child.is_ending = True
        stop(child.id, child.service.grace)
        child.popen.poll()
        with self._lock:
            if self._children.get(name) is child and not self._stopping.is_set():
                child.is_ending, child.restart_at = False, time.monotonic()
                with suppress(OSError):  # the monitor tries it again
                    self._spawn(child.service, child)
        return True

    def runs(self, name: str) -> bool:
        with self._lock:
            return name in self._children

    def waiting(self) -> set[str]:
        """Returns the services that have died and wait to be restarted."""
        with self._lock:
            return {name for name, child in self._children.items() if child.restart_at is not None}

    def restart_now(self, name: str) -> None:
        """Restart a service that waits for it, by its usual delay at the latest."""
        with self._lock:
            child = self._children.get(name)
            if child is not None and child.restart_at is not None:
                child.restart_at = min(child.restart_at, time.monotonic() + child.backoff)

    def exit_code(self, name: str) -> int | None:
        """Returns the exit code of a service that does not last; None while it runs, and if it never ran or was stopped."""
        with self._lock:
            return self._ended.get(name)

    def child_id(self, name: str) -> ProcessId:
        with self._lock:
            return self._children[name].id

    def _monitor_children(self) -> None:
        round_number = 0
        while not self._stopping.wait(0.25):
            round_number += 1
            with self._lock:
                for child in list(self._children.values()):
                    self._try(partial(self._check_child, child))
            if round_number % 20 == 0:
                self._try(self._housekeeping)
            if round_number % 4 == 0:
                for chore in self._chores:
                    self._try(chore)
                troubles, self._troubles = list(self._troubles), deque(maxlen=MAX_TROUBLES)
                self.note(troubles=troubles or None)

    def _try(self, work: Callable[[], object]) -> None:
        """Do a part of the monitoring. What it raises is noted: no failure may end it."""
        try:
            work()
        except Exception as error:
            self._note_trouble(error)

    def _note_trouble(self, error: Exception) -> None:
        kind = "" if isinstance(error, MartletError) else f"{type(error).__name__}: "
        self._troubles.append(f"{kind}{error}"[:300])

    def _check_child(self, child: _Child) -> None:
        now = time.monotonic()
        if child.is_ending:
            return
        if child.restart_at is not None:
            if now >= child.restart_at:
                self._spawn(child.service, child)
            return
        code = child.popen.poll()
        if code is None:
            if now - child.since > CALM:
                child.backoff = BACKOFF_FIRST
            return
        child.last_exit = code
        if child.service.lasts:
            child.restart_at = now + max(child.backoff, child.service.restart_after)
            self._hurry_last_of(child.service.kind)
        else:
            del self._children[child.service.name]
            self._ended[child.service.name] = code
        self._write()

    def _hurry_last_of(self, kind: str) -> None:
        """Where none of a kind runs, nobody takes over: those that wait are restarted by their usual delay."""
        alike = [child for child in self._children.values() if child.service.kind == kind]
        if not any(child.runs for child in alike):
            for child in alike:
                self.restart_now(child.service.name)

    def _housekeeping(self) -> None:
        with self._lock:
            for child in self._children.values():
                child.peak_mib = max(child.peak_mib, memory_mib(child.id))
                rotate(self.log_of(child.service.name))
            self._write()

    def _write(self) -> None:
        if self._closed:
            return
        try:
            note_processes(self._file, self._status())
        except OSError as error:  # no process is to stand or fall with the file: the next one that is written says so
            self._note_trouble(error)
            if error.errno in _NO_ROOM:  # health checks see by its time that this process lives
                with suppress(OSError):
                    os.utime(self._file)

    def _status(self) -> dict[str, object]:
        return {
            "supervisor": self._me.to_json(),
            **self._facts,
            "services": {
                name: {
                    **child.id.to_json(),
                    "address": child.service.address,
                    "restarts": child.restarts,
                    "last_exit": child.last_exit,
                    "peak_mib": child.peak_mib,
                    "running": child.restart_at is None,
                    "grace": child.service.grace,
                }
                for name, child in self._children.items()
            },
        }

    def stop_all(self, print_line: Callable[[str], None] = lambda _: None) -> dict[str, bool]:
        """Stop every child, the last started first, and remove the status file; returns by name whether each ran, and ended
        without SIGKILL."""
        with self._lock:
            self._stopping.set()
        if self._monitor.is_alive():
            self._monitor.join(timeout=60)
        clean: dict[str, bool] = {}
        for name in reversed(list(self._children)):
            began = time.monotonic()
            clean[name] = self.end(name)
            how = "" if clean[name] else " (it had died, or had to be killed)"
            print_line(f"{name} stopped{how} in {time.monotonic() - began:.1f} s")
        with self._lock:  # no thread may write the file again
            self._closed = True
            self._file.unlink(missing_ok=True)
        return clean


def _id_of(process: subprocess.Popen[Any]) -> ProcessId:
    return ProcessId.of(process.pid) or ProcessId(process.pid, time.time())


def stop_leftovers(file: Path, print_line: Callable[[str], None]) -> None:
    """Stop what a killed supervisor, which wrote its status into `file`, has left running, by recorded pid and start time. Those
    of a home that this one is a copy of are none of its."""
    services = (noted_processes(file) or {}).get("services", {})
    for name, entry in reversed(list(services.items())):
        target = ProcessId.from_json(entry)
        if target.process() is not None:
            stop(target, float(entry.get("grace", 10)))
            print_line(f"stopped {name} (pid {target.pid}), left by a supervisor that died")
    file.unlink(missing_ok=True)
