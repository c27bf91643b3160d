"""The health checks of containers."""

import os
import subprocess
import sys
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from infra.home.paths import Home, write_json
from infra.monitoring.http_endpoint import MonitorPage
from infra.roles.health_check import OUTDATED, trouble_of
from infra.system.processes import free_ports


def test_a_url_is_well_when_it_answers_with_200() -> None:
    (port,) = free_ports(1)
    page = MonitorPage(port, CollectorRegistry(), dict)
    try:
        assert trouble_of(f"http://127.0.0.1:{port}/metrics") is None
        assert trouble_of(f"http://127.0.0.1:{port}/no") == f"http://127.0.0.1:{port}/no answers with 404"
    finally:
        page.close()
    assert "refused" in str(trouble_of(f"http://127.0.0.1:{port}/metrics"))


def test_a_status_is_well_when_it_is_up_and_of_now(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert "No such file" in str(trouble_of(str(file)))
    write_json(file, {"state": "starting"})
    assert trouble_of(str(file)) == "it is starting"
    write_json(file, {"state": "up"})
    assert trouble_of(str(file)) is None
    then = time.time() - OUTDATED - 5
    os.utime(file, (then, then))
    assert "was written 35 s ago" in str(trouble_of(str(file)))


FULL = """
import os, resource, sys
from pathlib import Path
from infra.home.paths import Home
from infra.services.supervisor import Supervisor

home = Home(Path(sys.argv[1])).make()
supervisor = Supervisor(home)
supervisor.note(state="up")
os.utime(home.status_file, (1, 1))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # nothing can be written, as where a disk is full
supervisor.note(more=1)
"""


def test_a_supervisor_that_has_no_room_for_its_status_is_well(tmp_path: Path) -> None:
    """Whoever is killed for it stops a job that runs, and finds the disk as full."""
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, timeout=60)
    file = Home(tmp_path).status_file
    assert "more" not in file.read_text()
    assert trouble_of(str(file)) is None
