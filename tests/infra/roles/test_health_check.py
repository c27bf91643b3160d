"""The health checks of containers."""

import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from infra.home.paths import write_json
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
