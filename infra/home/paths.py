"""The home: the one folder under which a Martlet instance keeps everything."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.durable import write_whole
from features.errors import Broken
from features.schema.document import FILE
from offline.datasets.own.description import FILE as DATASET_FILE


@dataclass(frozen=True)
class Home:
    """Paths of one home. Two homes share nothing but the installed packages."""

    path: Path

    @property
    def run(self) -> Path:
        """Pids, ports and the status of what runs."""
        return self.path / "run"

    @property
    def classes(self) -> Path:
        """What processes of Java note of their classes (see `infra.system.class_archive`)."""
        return self.run / "classes"

    @property
    def vectors(self) -> Path:
        """Item vectors as the API searches them (see `online.vectors.shared_sets`)."""
        return self.run / "vectors"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def up_log(self) -> Path:
        """What an `up` in the background prints."""
        return self.logs / "up.log"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def kafka(self) -> Path:
        return self.path / "kafka"

    @property
    def kafka_meta(self) -> Path:
        """Is there once the Kafka that `up` starts has been prepared: the home's log is in it then."""
        return self.kafka / "data" / "meta.properties"

    @property
    def flink(self) -> Path:
        return self.path / "flink"

    @property
    def flink_conf(self) -> Path:
        """The configuration of Flink's processes."""
        return self.flink / "conf"

    @property
    def flink_lib(self) -> Path:
        """Links to the jars of Flink's processes."""
        return self.flink / "lib"

    @property
    def flink_plugins(self) -> Path:
        """Links to the plugins of Flink's processes."""
        return self.flink / "plugins"

    @property
    def checkpoints(self) -> Path:
        return self.flink / "checkpoints"

    @property
    def models(self) -> Path:
        """The model base: <name>/<version>/."""
        return self.path / "models"

    @property
    def embeddings(self) -> Path:
        """Embeddings of items: <version>/<kind>/."""
        return self.path / "embeddings"

    @property
    def bases(self) -> Path:
        """Immutable bases: <number>/."""
        return self.path / "base"

    @property
    def data(self) -> Path:
        """The history of each data set, kept for good; downloads, training data and the replay's progress."""
        return self.path / "data"

    @property
    def status_file(self) -> Path:
        return self.run / "status.json"

    @property
    def watch_file(self) -> Path:
        """The status of the role `watch`, which runs beside the role `job`."""
        return self.run / "watch.json"

    @property
    def record_file(self) -> Path:
        """The home's record: data set, history, generation (see infra.home.record)."""
        return self.path / "home.json"

    @property
    def schema_file(self) -> Path:
        """What the events of this home mean (see `features.schema.document`); without it, as the preset for films says."""
        return self.path / FILE

    @property
    def dataset_file(self) -> Path:
        """Which files one's own data lies in, as `init` recognised them (see `offline.datasets.own.description`)."""
        return self.path / DATASET_FILE

    @property
    def access_file(self) -> Path:
        """Keys that may call the API (see `online.access.access`)."""
        return self.path / "access.json"

    @property
    def engines_file(self) -> Path:
        """Where Kafka and Redis are (`features.engines.shared_engines`), for its owner's eyes alone."""
        return self.run / "engines.json"

    @property
    def settings_file(self) -> Path:
        """Where engines are and how Martlet runs (see `infra.settings`)."""
        return self.path / "martlet.toml"

    def make(self) -> "Home":
        """Create the folders; returns itself."""
        for folder in (
            self.run,
            self.logs,
            self.redis,
            self.kafka,
            self.checkpoints,
            self.models,
            self.bases,
            self.data,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        return self


def read_json(path: Path, sync: bool = True) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is no file. sync=False, as it was written: what a power cut may leave of it is
    as if there were none. Raises Broken for anything else."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        if not sync:
            return None
        raise Broken(f"{path} is not JSON ({error}); remove it if it was cut short") from error
    if not isinstance(value, dict):
        raise Broken(f"{path} holds {type(value).__name__}, expected an object")
    return value


def write_json(path: Path, value: dict[str, Any], sync: bool = True) -> None:
    """Replace a JSON file in one step. sync=False: not durable across a power cut (see `features.durable.atomic_file`)."""
    write_whole(path, (json.dumps(value, indent=1) + "\n").encode(), sync)
