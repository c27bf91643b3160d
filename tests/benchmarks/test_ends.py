"""A benchmark that is ended by a signal ends in order: what it has suspended would stand still for good."""

import signal
import subprocess
import sys

import pytest

from tests.patience import patience

PROGRAM = """
import time
from benchmarks.__main__ import end_in_order

end_in_order()
try:
    print("begun", flush=True)
    while True:  # in short steps: a signal on the way into one long sleep would not end it
        time.sleep(0.01)
finally:
    print("what was suspended goes on", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_benchmark_in_order(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        run.send_signal(number)
        said, _ = run.communicate(timeout=patience(60))
    assert said == "what was suspended goes on\n"
