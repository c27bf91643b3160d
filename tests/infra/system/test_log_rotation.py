"""Logs are kept below a limit while they are written; what was there before is not lost where that fails."""

import subprocess
import sys
from pathlib import Path

from infra.home.paths import Home
from infra.services.model_server_config import ServingConfig
from infra.services.supervisor import Supervisor
from infra.system.processes import rotate
from infra.watching import add_chores
from tests.home import until

WITHOUT_ROOM = """
import resource, signal, sys
from pathlib import Path
from infra.system.processes import rotate
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    rotate(Path(sys.argv[1]), limit=1000)
except OSError as error:
    sys.exit(error.strerror)
"""
"""Rotates a log where no file may have more than 1000 bytes, which is as where the disk is full."""


def test_a_log_is_kept_below_its_limit_without_its_writer_knowing(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        for number in range(5):
            writer.write(b"%d" % number * 1000)
            writer.flush()
            rotate(log, limit=1000, copies=3)
        writer.write(b"last")
    assert log.read_bytes() == b"last"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2", "x.log.3"]
    assert log.with_suffix(".log.1").read_bytes() == b"4" * 1000


def test_where_there_is_no_room_nothing_is_lost(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"now" * 1000)
    for number in (1, 2, 3):
        log.with_suffix(f".log.{number}").write_bytes(b"%d" % number * 3000)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    tried = subprocess.run([sys.executable, "-c", WITHOUT_ROOM, str(log)], capture_output=True, text=True)
    assert (tried.returncode, tried.stderr.strip()) == (1, "File too large")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_an_up_in_the_background_prints_is_rotated_while_it_runs(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    supervisor = Supervisor(home)
    home.up_log.write_bytes(b"printed " * (3 << 20))
    add_chores(home, supervisor, ServingConfig(home, list), list, None)
    supervisor.start_monitor()
    try:
        until(lambda: home.up_log.stat().st_size == 0)
    finally:
        supervisor.stop_all()
    assert home.up_log.with_suffix(".log.1").stat().st_size == 24 << 20
