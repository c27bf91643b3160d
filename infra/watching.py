"""Watching over a home: what `up` and the role `watch` do alike, beside keeping services and the job alive."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from features.engines.shared_engines import Engines
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.timings import read_timings
from infra.judging.judge_service import Judges
from infra.learning.learner_view import learning_report
from infra.monitoring.collector import collector_of
from infra.monitoring.host import HostReader
from infra.monitoring.monitor import Monitor, no_steps
from infra.monitoring.probed_servers import ProbedServer
from infra.services.model_server_config import ServingConfig
from infra.services.supervisor import Supervisor
from infra.settings.addresses import file_in
from infra.settings.table import Settings
from infra.storage.mirror_service import MirroredTo, mirror_service
from infra.system.processes import rotate


def add_chores(
    home: Home,
    supervisor: Supervisor,
    serving: ServingConfig,
    addresses: Callable[[], Sequence[str]],
    mirrored: MirroredTo | None,
) -> None:
    """Have the supervisor keep the model server's configuration, run the judge and mirror the models, if they are to be,
    and rotate the log of an `up` in the background. addresses: of the API's processes, as of now."""
    if mirrored is not None:
        supervisor.begin(mirror_service(home, mirrored))
    supervisor.add_chore(serving.write)
    supervisor.add_chore(Judges(home, addresses, supervisor).poll)
    supervisor.add_chore(partial(rotate, home.up_log))


def started_monitor(
    home: Home,
    engines: Engines,
    flink: str,
    record: HomeRecord,
    settings: Settings,
    port: int,
    supervisor: Supervisor,
    print_line: Callable[[str], None],
    probed: Sequence[ProbedServer],
    steps: Callable[[], dict[str, list[Any]]] = no_steps,
) -> Monitor:
    """Returns the monitor of a home, which runs: it raises alarms and serves metrics on `port`, at the address of the settings.
    `flink`: the URL of Flink's REST interface; `probed`: servers that are only to answer; `steps`: as `Monitor`'s. Raises
    Broken if the home has no base yet."""
    every = read_timings(home).watch_every
    host = HostReader(home.path, _certificate(home, settings))
    collector = collector_of(engines, flink, record, host, probed, lambda: learning_report(home))
    monitor = Monitor(
        collector,
        port,
        supervisor.note,
        print_line,
        every,
        flink,
        steps,
        settings.watch.host,
    )
    monitor.start()
    return monitor


def _certificate(home: Home, settings: Settings) -> tuple[Path, Path] | None:
    certificate, key = file_in(home, settings.api.certificate), file_in(home, settings.api.key)
    return None if certificate is None or key is None else (Path(certificate), Path(key))
