"""`export`: a running home's items, users and events as files."""

from collections.abc import Iterator
from pathlib import Path

from features.errors import BadInput
from features.keys import EVENTS
from features.types import Event
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.running import running_status
from infra.offline_jobs.runner import dataset_of
from offline.base.applied_log import AppliedLog
from offline.base.from_log import read_catalogue
from offline.base.kafka_log import KafkaLog
from offline.datasets.dataset import open_dataset
from offline.datasets.own.proposal import by_count
from offline.export_home import FORMATS, export_home
from streaming.settings import read_settings


def export_files(home: Home, folder: Path, form: str) -> list[str]:
    """Write the files; returns what to print. Raises BadInput for a format that there is not or a folder that is not empty,
    Unavailable if nothing runs or the log does not come."""
    chosen = next((each for each in FORMATS if each == form), None)
    if chosen is None:
        raise BadInput("--format", " or ".join(FORMATS), form)
    running_status(home)
    base, settings = HomeRecord(home).base(), read_settings(home.flink / "job.json")
    root = base.root_base()
    log = KafkaLog(settings.kafka)
    spans = [span._replace(start=root.offsets[EVENTS][span.partition]) for span in log.spans(EVENTS)]
    applied = AppliedLog(root, log, spans, settings.clock())
    history = open_dataset(dataset_of(home, root), home.data, base.schema)

    def events() -> Iterator[Event]:
        yield from applied.history(history)
        yield from applied.events()

    versions = read_catalogue(log, base, log.items_end())
    kinds, items, users = export_home(
        events(),
        versions.items(versions.end),
        base.schema,
        folder,
        chosen,
        applied.profiles(),
        base.manifest.get("clock", "data"),
    )
    lines = [f"  {kinds[name]:>12,}  {name}" for name in by_count(kinds)]
    if base.schema.users:
        lines.append(f"  {users:>12,}  users with attributes")
    return [f"{kinds.total():,} events and {items:,} items in {folder}", *lines]
