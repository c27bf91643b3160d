"""A process that stands still does nothing from the moment its stop has returned, and goes on afterwards."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.faults.suspended import suspended
from tests.home import until

BUSY = "import sys; n = 0\nwhile True: n += 1; open(sys.argv[1], 'w').write(str(n))"


def test_a_process_does_nothing_while_it_is_suspended_and_goes_on_after(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    with subprocess.Popen([sys.executable, "-c", BUSY, str(noted)]) as process:
        try:
            until(noted.exists, what="it works")
            with suspended(process.pid):
                assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
                before = noted.read_text()
                time.sleep(0.05)
                assert noted.read_text() == before
            until(lambda: noted.read_text() not in ("", before), what="it goes on")
        finally:
            process.kill()
