"""The process that submits the job (`streaming.job`). It may be started ahead of the submission, to be warm by then: starting its
Java, loading Flink's planner and importing Python's modules in the TaskManagers take longer than all the rest."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from features.errors import Unavailable
from infra.flink.client import innermost_cause
from infra.services.supervisor import Supervisor
from infra.system.processes import rotate, tail
from infra.system.repository import REPO

SUBMIT_TIMEOUT = 300.0
"""Seconds: over 120 of them on two busy cores that are a third as fast as usual ones."""
WARM_TIMEOUT = 120.0
"""Seconds on top for a client and TaskManagers that have still to warm themselves: 90 on two very busy cores."""
PREPARE_EVERY = 20.0
"""Seconds from one start of a client ahead of need to the next, if it does not live."""
NAME = "job-client"


class NotSubmitted(Unavailable):
    """The client failed; `output` is its whole output, at most 1 MiB."""

    def __init__(self, reason: str, output: str) -> None:
        super().__init__(reason)
        self.output = output


class JobClient:
    """Starts clients for one home's job, at most one ahead, which the supervisor ends with all else if it is not used. If one
    waits when the JobManager dies, the job is away for half as long.
    `settings`: the job's settings file, read when the job is submitted; `env`: the environment of Flink's client."""

    def __init__(self, settings: Path, log: Path, env: Mapping[str, str], supervisor: Supervisor) -> None:
        self._settings = settings
        self._log = log
        self._env = env
        self._supervisor = supervisor
        self._ahead: _Client | None = None
        self._prepare_at = 0.0

    def start_ahead(self, slots: int) -> None:
        """Start a client that warms itself and TaskManagers with `slots` slots, and then waits for `submit`."""
        self._ahead = self._start(SUBMIT_TIMEOUT + WARM_TIMEOUT, "--warm", str(slots))

    def prepare(self) -> None:
        """Start a client that warms itself alone and then waits for `submit`, if there is none; to be called repeatedly."""
        lives = self._ahead is not None and self._ahead.lives
        if not lives and time.monotonic() >= self._prepare_at:
            self._prepare_at = time.monotonic() + PREPARE_EVERY
            self.drop()
            self._ahead = self._start(SUBMIT_TIMEOUT, "--warm", "0")

    def drop(self) -> None:
        """End the client that was started ahead, if there is one."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.end()

    def submit(self, restore: str | None) -> None:
        """Submit the job, from a checkpoint or savepoint (URI) or from the base. Raises NotSubmitted if the client fails, and
        Unavailable if it takes too long."""
        client, self._ahead = self._ahead, None
        if client is not None and not client.lives:
            client.end()
            client = None
        (client or self._start(SUBMIT_TIMEOUT)).submit(restore)

    def _start(self, timeout: float, *more: str) -> "_Client":
        argv = [sys.executable, "-m", "streaming.job", "--settings", str(self._settings), *more]
        rotate(self._log)
        out = self._log.open("ab")
        return _Client(argv, out, self._log, self._env, self._supervisor, timeout)


class _Client:
    """One client process, which submits once, within `timeout` seconds."""

    def __init__(
        self,
        argv: list[str],
        out: IO[bytes],
        log: Path,
        env: Mapping[str, str],
        supervisor: Supervisor,
        timeout: float,
    ) -> None:
        self._log = log
        self._timeout = timeout
        with out:
            self._begins_at = out.tell()
            self._process = subprocess.Popen(
                argv, env=dict(env), cwd=REPO, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True
            )
        self._attended = ExitStack()
        try:
            self._attended.enter_context(supervisor.attending(NAME, self._process))
        except Unavailable:  # everything is being stopped, this process too
            self.end()
            raise

    def submit(self, restore: str | None) -> None:
        with self._attended:
            try:
                self._process.communicate(json.dumps({"restore": restore}).encode() + b"\n", timeout=self._timeout)
            except subprocess.TimeoutExpired as error:
                raise Unavailable(f"the job was not submitted within {self._timeout:.0f} s; see {self._log}") from error
        if self._process.returncode != 0:
            output = self._output()
            cause = innermost_cause(output)
            reason = f" {cause}; see {self._log}" if cause else f"\n{tail(self._log)}"
            raise NotSubmitted(f"the job was not submitted:{reason}", output)

    def end(self) -> None:
        """End the process, if it lives, and attend to it no longer."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(Unavailable):  # everything is being stopped, the client too
            self._attended.close()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def _output(self) -> str:
        with self._log.open("rb") as file:
            file.seek(self._begins_at)
            return file.read(1 << 20).decode(errors="replace")
