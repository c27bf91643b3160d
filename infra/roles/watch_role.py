"""`./martlet watch`: the watch over a home alone, in the foreground: alarms and metrics, the model server's configuration, the
judge."""

from collections.abc import Callable
from typing import Final

from features.errors import BadInput
from infra.attached.examine import require_engines
from infra.attached.store_entry import mirrored_to
from infra.home.home_lock import watch_lock
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.monitoring.probed_servers import probed_servers
from infra.roles.attached_home import attached_engines, record_with_base, require_plain_http, settings_naming
from infra.roles.logged_steps import steps_of
from infra.services.api import processes_at, reached_at
from infra.services.model_server_config import ServingConfig
from infra.services.supervisor import Supervisor, stop_leftovers
from infra.settings.table import Settings
from infra.system.processes import require_free
from infra.system.stop_signal import StopSignal
from infra.watching import add_chores, started_monitor

NEEDED: Final = ("kafka.bootstrap", "redis.url", "flink.address")
EVERY: Final = 5.0
"""Seconds between two looks at which base and generation the home has."""


def run_watch(home: Home, port: int) -> None:
    """Watch over a home until a signal; metrics are on `port`. Raises BadInput or Broken for what is wrong, Unavailable for a
    Kafka or a Redis that does not answer."""
    settings = settings_naming(home, NEEDED, "watch")
    require_plain_http(settings)
    steps, stop = steps_of(settings.log.format), StopSignal()
    stop.install()
    try:
        record_with_base(home)
        require_free(port)
        engines = attached_engines(home, settings)
        require_engines(home, engines.kafka, engines.redis)
        with watch_lock(home):
            stop_leftovers(home.watch_file, steps.print_line)
            supervisor = Supervisor(home, home.watch_file)
            try:
                try:
                    _begin(home, settings, supervisor, port, steps.print_line)
                finally:
                    stop.defer()  # a signal while all is being stopped is to change nothing
                steps.print_line(f"watching over {home.path}")
                while not stop.wait(0):
                    watch_generation(home, settings, supervisor, port, stop, steps.print_line)
                steps.print_line("stopping")
            finally:
                supervisor.stop_all(steps.print_line)
    except KeyboardInterrupt:
        steps.print_line("stopped before it watched")


def _begin(
    home: Home, settings: Settings, supervisor: Supervisor, port: int, print_line: Callable[[str], None]
) -> None:
    """Begin with all but the monitor."""
    address = settings.api.address
    serving = ServingConfig(home, lambda: api_processes(settings))
    serving.write()
    # The judge asks one process of the API, whichever that is: one of them may be replaced at any time.
    try:
        mirrored = mirrored_to(settings, HomeRecord(home).home_id)
    except BadInput as error:  # alarms do not wait for it
        print_line(f"models are not mirrored: {error}")
        mirrored = None
    add_chores(home, supervisor, serving, lambda: [] if address is None else [address], mirrored)
    supervisor.start_monitor()
    supervisor.note(
        state="up",
        flink=settings.flink.address,
        watch=reached_at(settings.watch.host, port),
        address=address,
        page=address,
    )


def api_processes(settings: Settings) -> list[str]:
    """Returns the addresses of the API's processes. Raises Unavailable where the host of `api.address` is not known."""
    return [] if settings.api.address is None else processes_at(settings.api.address)


def watch_generation(
    home: Home,
    settings: Settings,
    supervisor: Supervisor,
    port: int,
    stop: StopSignal,
    print_line: Callable[[str], None],
) -> None:
    """Watch until a signal, or until the home has another base or generation, which other figures belong to."""
    record, flink = HomeRecord(home), settings.flink.address
    assert flink is not None
    engines = attached_engines(home, settings)
    model_servers = {} if settings.models.server is None else {settings.models.server: ""}
    probed = probed_servers(lambda: dict.fromkeys(api_processes(settings), ""), lambda: model_servers)
    monitor = started_monitor(home, engines, flink, record, settings, port, supervisor, print_line, probed)
    try:
        while not stop.wait(EVERY):
            now = HomeRecord(home)
            if (now.generation, now.base_number) != (record.generation, record.base_number):
                return
    finally:
        monitor.stop()
