"""The file home.json: what it holds, and how several processes change it."""

import threading

import msgspec

from features.errors import Broken, Unavailable
from features.keys import DEFAULT_PARTITIONS
from features.units import ATTRIBUTION_S
from infra.home.paths import Home, read_json, write_json
from infra.system.pid_lock import pid_lock

WRITE_S = 10.0
"""Seconds to wait for another process that writes the record, which takes it milliseconds."""


class Settings(msgspec.Struct):
    """
    dataset       a name that offline.datasets.dataset knows, a folder, or `dataset.toml`, the home's own file; None before the
                  home is described
    history       share of it loaded as history
    home_id       drawn when the home is made: what is the home's in an engine that it shares is known by it
    cluster_id    Kafka's
    topics        of an attached Kafka: name of each topic of the home → its id there; empty of the Kafka that `up` starts
    flink         the attached Flink cluster of the last `up`; "": the one that `up` starts
    redis         the attached Redis that was used last; "": the one that `up` starts
    scaled        whether `up` starts several servers of each engine (`infra.home.topology`)
    partitions    of each topic of users: what `kafka.partitions` said when the home was made; of homes from before, 8
    salt          keys the hash of ids that are strings (hexadecimal); the base in use has the same
    ports         of every service but the API, by name (infra.home.ports.Ports), to be taken again if they are free
    generation    fence of all writes, rises with the base, the versions of the fold and of the job's state, and `items`
    base          number of the base in use
    next_base     number of the base that the next `up` is to start from
    given_up      the largest number of a base that was given up: no other gets it, as an API may have read of that one
    fold_version  of the fold that `generation` was made for …
    state_version … and of the job's state (`streaming.operators.stored_state`) …
    fold_items    … and what `items` was then
    clock_since   wall time, ms, at which the home's clock stood at the base's cut …
    wall_clock    … unless the clock is wall time
    parallelism   of the job's operators
    state         where Flink keeps state: infra.flink.cluster.MEMORY or ROCKSDB
    attribution   seconds that a shown list waits for actions on it
    items         whether the job folds items and pairs as well as users; set by hand, see docs/operating.md
    """

    dataset: str | None = None
    history: float = 0.8
    home_id: str = ""
    cluster_id: str = ""
    topics: dict[str, str] = {}
    flink: str = ""
    redis: str = ""
    scaled: bool = False
    partitions: int = DEFAULT_PARTITIONS
    salt: str = ""
    ports: dict[str, int] = {}
    generation: int = 0
    base: int | None = None
    next_base: int | None = None
    given_up: int = 0
    fold_version: int | None = None
    state_version: int | None = None
    clock_since: int | None = None
    wall_clock: bool = False
    parallelism: int = 1
    state: str = "memory"
    attribution: int = ATTRIBUTION_S
    items: bool = True
    fold_items: bool = True


class RecordFile:
    """What a process knows of the file. settings: to be changed; `save` writes what was."""

    def __init__(self, home: Home) -> None:
        """Raises Broken if the file can't be parsed."""
        self._home = home
        self.settings = self._on_disk()
        self._as_read = msgspec.structs.asdict(self.settings)
        self._saving = threading.Lock()

    def _on_disk(self) -> Settings:
        try:
            return msgspec.convert(read_json(self._home.record_file) or {}, Settings)
        except msgspec.ValidationError as error:
            raise Broken(f"{self._home.record_file}: {error}") from error

    def save(self) -> None:
        """Write into home.json what was changed since this record was read or saved; what another process has changed meanwhile
        stays, and is read. Raises Broken if the file can't be parsed, Unavailable where another process writes for too long."""

        def refusal(pid: str) -> Unavailable:
            return Unavailable(f"{self._home.record_file}: waited {WRITE_S:.0f} s for process {pid}, which writes it")

        self._home.run.mkdir(parents=True, exist_ok=True)
        with self._saving, pid_lock(self._home.run / "record.lock", WRITE_S, refusal):
            mine = msgspec.structs.asdict(self.settings)
            changed = {name: value for name, value in mine.items() if value != self._as_read[name]}
            before = self._on_disk() if self._home.record_file.exists() else Settings(**mine)
            written = msgspec.structs.replace(before, **changed)
            values = msgspec.to_builtins(written)
            write_json(self._home.record_file, {name: value for name, value in values.items() if value is not None})
            self._as_read = msgspec.structs.asdict(written)
            for name, value in self._as_read.items():
                if getattr(self.settings, name) == mine[name]:  # else another thread has set it meanwhile
                    setattr(self.settings, name, value)
