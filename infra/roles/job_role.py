"""`./martlet job`: the keeper of a home's job alone, in the foreground.

It enters engines that run already, submits the job to the attached Flink, and sees to it as `up` does.
"""

from typing import Final

from features.errors import BadInput
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.roles.attached_home import settings_naming
from infra.roles.logged_steps import steps_of
from infra.stack import Stack
from infra.system.stop_signal import StopSignal
from infra.up_options import UpOptions

NEEDED: Final = ("kafka.bootstrap", "redis.url", "flink.address")


def run_job(home: Home, options: UpOptions) -> None:
    """Run the home's job until a signal; the job is stopped with a savepoint then. Raises BadInput or Broken for what is wrong,
    Unavailable for an engine that does not answer or a job that does not run."""
    settings = settings_naming(home, NEEDED, "job")
    steps, stop = steps_of(settings.log.format), StopSignal()
    stop.install()
    try:
        with home_lock(home.make()), Stack.opened(home, options, steps) as stack:
            try:
                _start(stack)
                steps.print_line("the job runs")
            finally:
                stop.defer()  # a signal while all is being stopped is to change nothing
            stop.wait()
            steps.print_line("stopping")
    except KeyboardInterrupt:
        steps.print_line("stopped before the job ran")


def _start(stack: Stack) -> None:
    """Do what `up` does until the job runs, step by step: nothing else waits for it here."""
    if stack.lacks_base:
        raise BadInput(
            "--home",
            "a home with a base of this version: ./martlet features makes one, where Spark is",
            f"{stack.home.path}, which has none",
        )
    stack.fetch_packages()
    stack.enter_cluster()  # first: it alone leaves no mark on what it enters
    stack.start_redis()
    stack.make_base()
    stack.start_kafka()
    stack.load_base()
    stack.start_cluster()
    stack.start_job()
    stack.start_watching()
    stack.supervisor.note(state="up")
