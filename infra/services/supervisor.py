"""Starts services, keeps them running, stops them; and writes down what it does, so that a successor can clean up.

A service that dies is started again after 0.5, 1, 2, … 30 s; one that has run for a minute starts from 0.5 again.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import MartletError, Unavailable
from infra.home.paths import Home, read_json, write_json
from infra.services.service import Service
from infra.system.processes import ProcessId, memory_mib, rotate, spawn, stop, tail, wait_until

BACKOFF_FIRST, BACKOFF_LAST, CALM = 0.5, 30.0, 60.0


@dataclass
class _Child:
    service: Service
    popen: subprocess.Popen[bytes]
    id: ProcessId
    since: float
    restarts: int = 0
    backoff: float = BACKOFF_FIRST
    again_at: float | None = None
    last_exit: int | None = None
    peak_mib: int = 0


class Supervisor:
    """Owns the children of one home. Not for use by two processes at once: infra.up holds the home's lock."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._children: dict[str, _Child] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._gone = False
        self._ended: dict[str, int] = {}
        """Exit codes of services that did not last."""
        self._facts: dict[str, object] = {}
        self._chores: list[Callable[[], object]] = []
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        me = ProcessId.of(os.getpid())
        assert me is not None
        self._me = me

    def start_monitor(self) -> None:
        self._monitor.start()

    def add_chore(self, chore: Callable[[], object]) -> None:
        """Something to do each second beside watching children; what it raises is noted in `status`, not fatal."""
        self._chores.append(chore)

    def note(self, **facts: object) -> None:
        """Facts for `status` (state, ports, job …); None removes one."""
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
        """A process that somebody else has started for a piece of work, and waits for: while the context lasts it is known in
        `status`, and is stopped with everything else, by a successor too. Raises Unavailable where everything is being stopped,
        in the beginning or in the end."""
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

    def _refuse_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise Unavailable("everything is being stopped")

    def start(self, service: Service) -> None:
        """Start a service and wait until it has answered. Raises Unavailable with the end of its log if it does not."""
        self.begin(service)
        self.await_ready(service)

    def _spawn(self, service: Service, previous: _Child | None) -> None:
        popen = spawn(service.argv, self.log_of(service.name), service.env, service.cwd)
        child = _Child(service, popen, _id_of(popen), time.monotonic())
        if previous is not None:
            child.restarts = previous.restarts + 1
            child.last_exit = previous.last_exit
            child.peak_mib = previous.peak_mib
            child.backoff = min(BACKOFF_LAST, previous.backoff * 2)
        self._children[service.name] = child
        self._ended.pop(service.name, None)
        self._write()

    def await_ready(self, service: Service) -> None:
        """Ask until the service answers, within its bound. Raises Unavailable with the reason and the end of its log, and at
        once where everything is being stopped."""
        deadline = time.monotonic() + service.ready_within
        while True:
            self._refuse_when_stopping()
            try:
                service.ready()
                return
            except Exception as error:  # whatever a client raises before its server is there
                reason = f"{type(error).__name__}: {error}"
            child = self._children.get(service.name)
            if child is None:
                raise Unavailable(f"{service.name} was stopped")
            if child.popen.poll() is not None and not self._monitor.is_alive():
                reason = f"it exited with {child.popen.returncode}"
            elif wait_until(deadline):
                continue
            raise Unavailable(
                f"{service.name} did not become ready within {service.ready_within:.0f} s ({reason[:300]}).\n"
                f"The end of {self.log_of(service.name)}:\n{tail(self.log_of(service.name))}"
            )

    def end(self, name: str) -> bool:
        """Stop one service, if it was started, and look after it no longer. False if it had to be killed."""
        with self._lock:
            child = self._children.pop(name, None)
            self._write()
        if child is None:
            return True
        clean = stop(child.id, child.service.grace)
        child.popen.poll()
        return clean

    def runs(self, name: str) -> bool:
        with self._lock:
            return name in self._children

    def exit_code(self, name: str) -> int | None:
        """How a service that does not last ended; None while it runs, and where it never did or was stopped."""
        with self._lock:
            return self._ended.get(name)

    def child_id(self, name: str) -> ProcessId:
        with self._lock:
            return self._children[name].id

    def _watch(self) -> None:
        turn = 0
        while not self._stopping.wait(0.25):
            turn += 1
            with self._lock:
                for child in list(self._children.values()):
                    self._look_after(child)
            if turn % 4 == 0:
                self._do_chores()
            if turn % 20 == 0:
                self._housekeeping()

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.again_at is not None:
            if now >= child.again_at:
                self._spawn(child.service, child)
            return
        code = child.popen.poll()
        if code is None:
            if now - child.since > CALM:
                child.backoff = BACKOFF_FIRST
            return
        child.last_exit = code
        if child.service.lasts:
            child.again_at = now + child.backoff
        else:
            del self._children[child.service.name]
            self._ended[child.service.name] = code
        self._write()

    def _do_chores(self) -> None:
        troubles = []
        for chore in self._chores:
            try:
                chore()
            except Exception as error:  # a chore that fails must not end the watch over processes
                troubles.append(
                    f"{'' if isinstance(error, MartletError) else type(error).__name__ + ': '}{error}"[:300]
                )
        self.note(troubles=troubles or None)

    def _housekeeping(self) -> None:
        with self._lock:
            for child in self._children.values():
                child.peak_mib = max(child.peak_mib, memory_mib(child.id))
                rotate(self.log_of(child.service.name))
            self._write()

    def _write(self) -> None:
        if self._gone:
            return
        write_json(
            self._home.status_file,
            {
                "supervisor": {"pid": self._me.pid, "started": self._me.started},
                **self._facts,
                "services": {
                    name: {
                        "pid": child.id.pid,
                        "started": child.id.started,
                        "address": child.service.address,
                        "restarts": child.restarts,
                        "last_exit": child.last_exit,
                        "peak_mib": child.peak_mib,
                        "running": child.again_at is None,
                        "grace": child.service.grace,
                    }
                    for name, child in self._children.items()
                },
            },
            sync=False,
        )

    def stop_all(self, say: Callable[[str], None] = lambda _: None) -> dict[str, bool]:
        """Stop every child, the last started first, and forget what was written down; which went by themselves."""
        with self._lock:
            self._stopping.set()
        if self._monitor.is_alive():
            self._monitor.join(timeout=60)
        clean: dict[str, bool] = {}
        for name in reversed(list(self._children)):
            began = time.monotonic()
            clean[name] = self.end(name)
            how = "" if clean[name] else " (killed: it did not go by itself)"
            say(f"{name} stopped{how} in {time.monotonic() - began:.1f} s")
        with self._lock:  # whoever still works for us has nothing to write down any more
            self._gone = True
            self._home.status_file.unlink(missing_ok=True)
        return clean


def _id_of(process: subprocess.Popen[Any]) -> ProcessId:
    return ProcessId.of(process.pid) or ProcessId(process.pid, time.time())


def stop_leftovers(home: Home, say: Callable[[str], None]) -> None:
    """Stop what a supervisor that was killed has left running, by recorded pid and start time."""
    status = read_json(home.status_file)
    if status is None:
        return
    for name, entry in reversed(list(status.get("services", {}).items())):
        target = ProcessId.from_json(entry)
        if target.process() is not None:
            stop(target, float(entry.get("grace", 10)))
            say(f"stopped {name} (pid {target.pid}), left by a supervisor that died")
    home.status_file.unlink(missing_ok=True)
