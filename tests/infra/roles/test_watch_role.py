"""`./martlet watch`: what it watches by."""

import threading
from pathlib import Path

import httpx
import pytest

from infra.home.record import HomeRecord
from infra.roles.attached_home import settings_naming
from infra.roles.watch_role import EVERY, NEEDED, watch_generation
from infra.services.supervisor import Supervisor
from infra.system.processes import free_ports
from infra.system.stop_signal import StopSignal
from tests.home import until
from tests.infra.roles.new_homes import new_home

pytestmark = pytest.mark.services


def test_another_generation_is_watched_by_other_figures(tmp_path: Path) -> None:
    home, _ = new_home(tmp_path)
    text = '[kafka]\nbootstrap = "127.0.0.1:1"\n[redis]\nurl = "redis://127.0.0.1:1"\n[flink]\naddress = "http://127.0.0.1:1"\n'
    home.settings_file.write_text(text)
    record = HomeRecord(home)
    record.take_base(1)
    record.save()
    settings, (port,) = settings_naming(home, NEEDED, "watch"), free_ports(1)
    supervisor, lines = Supervisor(home, home.watch_file), list[str]()

    def watch() -> None:
        watch_generation(home, settings, supervisor, port, StopSignal(), lines.append)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def alarms() -> bool:
        try:
            return "kafka_unreachable" in httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        except httpx.TransportError:
            return False

    until(alarms, 60, "it watches")
    assert thread.is_alive()
    record.fold_items(False)
    assert record.take_base(1), "the generation rises"
    record.save()
    thread.join(EVERY + 60)
    assert not thread.is_alive()
    supervisor.stop_all()
