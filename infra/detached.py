"""`up --detach` and `down`: a supervisor in the background, and the end of it."""

import time
from pathlib import Path

from infra.home.paths import Home, read_json
from infra.services import environment
from infra.services.supervisor import stop_leftovers
from infra.system.processes import ProcessId, spawn
from infra.system.progress import Steps


def down(home: Home, steps: Steps) -> bool:
    """Stop what runs in a home. False if nothing does."""
    status = read_json(home.status_file)
    if status is None:
        return False
    supervisor = ProcessId.from_json(status["supervisor"])
    process = supervisor.process()
    if process is None:
        stop_leftovers(home, steps.say)
        return True
    process.terminate()
    deadline = time.monotonic() + 180
    while supervisor.process() is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    if supervisor.process() is not None:
        process.kill()
        stop_leftovers(home, steps.say)
    return True


def detach(home: Home, argv: list[str], steps: Steps, whole: bool = False) -> int:
    """Run `up` in the background and show its lines until it serves, or if `whole` until it has nothing left to prepare; its
    exit code if it gives up."""
    home.make()
    log = home.logs / "up.log"
    start = log.stat().st_size if log.exists() else 0
    child = spawn(argv, log, environment.python_env(), Path.cwd())
    with log.open("rb") as file:
        file.seek(start)
        while True:
            line = file.readline()
            if line:
                steps.say(line.decode(errors="replace").rstrip("\n"))
                continue
            if (code := child.poll()) is not None:
                steps.say(file.read().decode(errors="replace").rstrip())
                return code or 1
            status = read_json(home.status_file)
            serves = status is not None and status.get("state") == "up" and status["supervisor"]["pid"] == child.pid
            if status is not None and serves and not (whole and status.get("preparing")):
                steps.say(file.read().decode(errors="replace").rstrip())
                return 0
            time.sleep(0.1)
