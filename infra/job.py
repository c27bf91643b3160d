"""Keeps the Flink job running: submits it, and again from the newest complete checkpoint when Flink has lost it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from features.errors import Unavailable
from infra import ask
from infra.flink_rest import ALIVE, JOB_NAME
from infra.home import REPO, Home
from infra.processes import tail
from infra.services import LOOPBACK, Ports
from infra.supervisor import Supervisor
from streaming.settings import JobSettings

SUBMIT_WITHIN = 120


def newest_checkpoint(home: Home) -> Path | None:
    """The newest complete checkpoint (or savepoint) that is kept under the home; None if there is none."""
    complete = list(home.checkpoints.glob("*/chk-*/_metadata")) + list(home.checkpoints.glob("savepoint-*/_metadata"))
    return max((path for path in complete), key=lambda path: path.stat().st_mtime, default=None)


class JobKeeper:
    """One home's job. `look` is a chore of the supervisor."""

    def __init__(
        self, home: Home, ports: Ports, env: dict[str, str], settings: JobSettings, supervisor: Supervisor
    ) -> None:
        self._home = home
        self._rest = f"http://{LOOPBACK}:{ports.flink_rest}"
        self._env = env
        self._supervisor = supervisor
        self._file = home.flink / "job.json"
        self._file.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
        self.job_id: str | None = None

    def running(self) -> str | None:
        """Id of the job that Flink knows and has not given up; None if there is none. Raises Unavailable."""
        jobs = ask.http_json(f"{self._rest}/jobs/overview")["jobs"]
        return next((job["jid"] for job in jobs if job["name"] == JOB_NAME and job["state"] in ALIVE), None)

    def submit(self) -> None:
        """Submit, from the newest checkpoint if there is one. Raises Unavailable with the client's last lines."""
        argv = [sys.executable, "-m", "streaming.job", "--settings", str(self._file)]
        checkpoint = newest_checkpoint(self._home)
        if checkpoint is not None:
            argv += ["--from", checkpoint.parent.as_uri()]
        log = self._home.logs / "submit.log"
        with log.open("ab") as out:
            try:
                done = subprocess.run(
                    argv,
                    env=self._env,
                    cwd=REPO,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    timeout=SUBMIT_WITHIN,
                )
            except subprocess.TimeoutExpired as error:
                raise Unavailable(f"the job was not submitted within {SUBMIT_WITHIN} s; see {log}") from error
        if done.returncode != 0:
            raise Unavailable(f"the job was not submitted:\n{tail(log)}")
        self._supervisor.note(job_from=str(checkpoint.parent) if checkpoint else "the base")

    def wait_running(self, within: float = 90.0) -> None:
        """Return once every task of the job runs. Raises Unavailable after `within` seconds."""
        deadline = time.monotonic() + within
        state = "unknown"
        while time.monotonic() < deadline:
            try:
                job = self.running()
                if job is not None:
                    detail = ask.http_json(f"{self._rest}/jobs/{job}")
                    states = {vertex["status"] for vertex in detail["vertices"]}
                    state = f"{detail['state']} ({', '.join(sorted(states))})"
                    if states == {"RUNNING"}:
                        self.job_id = job
                        self._supervisor.note(job=job)
                        return
            except Unavailable as error:
                state = str(error)
            time.sleep(0.2)
        raise Unavailable(
            f"the job does not run after {within:.0f} s: {state}; see the logs of the TaskManagers in {self._home.logs}"
        )

    def look(self) -> None:
        """Submit again if Flink has lost the job (a JobManager has no memory of its own)."""
        try:
            job = self.running()
        except Unavailable:
            return  # the JobManager is away; the supervisor sees to it
        if job is None:
            self.submit()
            self.wait_running()
            self._supervisor.note(job_submitted_again=time.strftime("%Y-%m-%d %H:%M:%S"))
        elif job != self.job_id:
            self.job_id = job
            self._supervisor.note(job=job)

    def stop_with_savepoint(self) -> None:
        """Before a planned stop: a last complete checkpoint, so that the next start has nothing to read again.

        Best effort: without it, the newest retained checkpoint serves.
        """
        try:
            job = self.running()
            if job is None:
                return
            target = self._home.checkpoints.as_uri()
            request = ask.http_json(
                f"{self._rest}/jobs/{job}/stop", method="POST", body={"targetDirectory": target, "drain": False}
            )["request-id"]
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                status = ask.http_json(f"{self._rest}/jobs/{job}/savepoints/{request}")["status"]["id"]
                if status == "COMPLETED":
                    return
                time.sleep(0.1)
        except (Unavailable, KeyError, TypeError):
            return


def forget_checkpoints(home: Home) -> None:
    """When the generation rises, states start from the base: older checkpoints are of no use and in the way."""
    shutil.rmtree(home.checkpoints, ignore_errors=True)
    home.checkpoints.mkdir(parents=True, exist_ok=True)
