"""Replays requested by the pages: run as one process at most, under the supervisor."""

import sys
from pathlib import Path

from infra.home.paths import Home, read_json
from infra.services.environment import python_env
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.system.processes import tail
from online.monitoring.replay_control import REQUEST_FILE, STATE, ReplayRequest, ReplayState, read_request, write_file

NAME = "replay"
GRACE = 3.0
ERROR_CHARS = 200
"""Characters of the log's last line that are shown on the page."""


class Replays:
    """Carries out the newest request at each poll. Requests to an earlier `up` are dropped: nothing starts by itself."""

    def __init__(self, home: Home, supervisor: Supervisor) -> None:
        self._home = home
        self._supervisor = supervisor
        self._done = ReplayRequest(None)
        self._reported: ReplayState | None = None
        for name in (REQUEST_FILE, STATE):
            (home.run / name).unlink(missing_ok=True)

    def poll(self) -> None:
        request = read_request(self._home.run)
        if request is not None and request != self._done:
            self._supervisor.end(NAME)  # another speed is another process: it goes on where this one stops
            if request.speed is not None:
                self._supervisor.begin(self._service(request.speed))
            self._done = request
        self._report()

    def _service(self, speed: float | str) -> Service:
        pace = speed if isinstance(speed, str) else f"{speed:g}"
        argv: tuple[str | Path, ...] = (
            sys.executable, "-m", "infra", "replay", "--home", self._home.path, "--speed", pace,
        )  # fmt: skip
        return Service(NAME, argv, lambda: None, env=python_env(), cwd=self._home.path, grace=GRACE, lasts=False)

    def _report(self) -> None:
        noted = read_json(self._home.data / "replay.json", sync=False) or {}
        code = self._supervisor.exit_code(NAME)
        error = None
        if code:
            last_line = tail(self._supervisor.log_of(NAME), 1).strip()[-ERROR_CHARS:]
            error = last_line or f"it exited with {code}"
        state = ReplayState(
            self._done.id,
            self._supervisor.runs(NAME),
            self._done.speed,
            first=int(noted.get("first", 0)),
            row=int(noted.get("row", 0)),
            last=int(noted.get("last", 0)),
            error=error,
        )
        if state != self._reported:
            write_file(self._home.run / STATE, state)
            self._reported = state
