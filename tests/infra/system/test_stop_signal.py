"""A signal to stop is noted by whichever thread it comes to, and whatever the main thread is doing then."""

import subprocess
import sys

from tests.patience import patience

TO_ANOTHER_THREAD = """
import signal, threading, time
from infra.system.stop_signal import StopSignal
stop, resting = StopSignal(), threading.Thread(target=time.sleep, args=(60,), daemon=True)
stop.install()
stop.defer()
resting.start()
send = lambda: signal.pthread_kill(resting.ident, signal.SIGTERM)
threading.Timer(0.5, send).start()
print(stop.wait(50), stop.wait(0))
"""
WHILE_IT_STARTS = """
import os, signal, time
from infra.system.stop_signal import StopSignal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
stop = StopSignal()
stop.install()
assert not stop.wait(0)
try:
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(50)
except KeyboardInterrupt:
    print(stop.wait())
"""
WITH_NOHUP = """
import os, signal
from infra.system.stop_signal import StopSignal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
stop = StopSignal()
stop.install()
os.kill(os.getpid(), signal.SIGHUP)
print(stop.wait(0.2))
os.kill(os.getpid(), signal.SIGTERM)
"""
AT_ANY_TIME = """
import os, random, signal, threading, time
from infra.system.stop_signal import StopSignal
def send():
    time.sleep(draw.random() / 500)
    os.kill(os.getpid(), signal.SIGTERM)
draw = random.Random(7)
for _ in range(100):
    stop = StopSignal()
    stop.install()
    stop.defer()
    thread = threading.Thread(target=send)
    thread.start()
    while not stop.wait(0):
        pass
    thread.join()
print(stop.wait())
"""
ASKED_WHERE_IT_IS = """
import os, signal
from infra.system.stop_signal import StopSignal
stop = StopSignal()
stop.install()
os.kill(os.getpid(), signal.SIGQUIT)
print(stop.wait(0))
"""


def output(program: str) -> tuple[str, str]:
    """Standard output and error of a program of Python; one that hangs is killed, since it would note another signal, too."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=patience(40), check=True
    )
    return done.stdout.strip(), done.stderr


def test_one_that_comes_to_another_thread_wakes_the_main_one() -> None:
    assert output(TO_ANOTHER_THREAD) == ("True True", "")


def test_the_first_one_breaks_off_a_start() -> None:
    assert output(WHILE_IT_STARTS) == ("True", "")


def test_with_nohup_a_process_outlives_its_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_NOHUP], capture_output=True, text=True, timeout=patience(40), check=False
    )
    assert done.stdout == "False\n"
    assert "KeyboardInterrupt" in done.stderr, "SIGTERM"


def test_one_that_comes_as_the_main_thread_begins_or_ends_to_wait_is_noted() -> None:
    assert output(AT_ANY_TIME) == ("True", "")


def test_a_process_without_standard_error_stops_all_the_same() -> None:
    assert output("import os; os.close(2); import sys; sys.stderr = None\n" + WHILE_IT_STARTS) == ("True", "")


def test_a_process_prints_where_its_threads_are() -> None:
    out, err = output(ASKED_WHERE_IT_IS)
    assert out == "False"
    assert "Current thread" in err
