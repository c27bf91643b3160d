"""`./martlet learn --run`: the learner of a home alone, in the foreground; another role runs the home's job."""

import os
from typing import Final

from infra.home.paths import Home
from infra.learning.learner_loop import run_for_ever
from infra.learning.learner_service import NICE
from infra.roles.attached_home import record_with_base, settings_naming
from infra.roles.logged_steps import steps_of
from infra.system.processes import lower_priority
from infra.system.stop_signal import StopSignal

NEEDED: Final = ("kafka.bootstrap",)


def run_learn(home: Home) -> None:
    """Learn as `serving.json` says until a signal, which breaks off what is being learned: the next run does it again. Raises
    BadInput or Broken for what is wrong, Unavailable where nobody runs the home's job."""
    steps, stop = steps_of(settings_naming(home, NEEDED, "learn").log.format), StopSignal()
    record_with_base(home)
    lower_priority(os.getpid(), NICE)
    stop.install()
    try:
        steps.print_line(f"learns what {home.path} shows, as serving.json says")
        run_for_ever(home, steps.print_line)
    except KeyboardInterrupt:
        steps.print_line("stopped")
