"""The persistent record of a home: its data set, the base in use, the generation of writes, the clock."""

import secrets
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from features.base.reader import MANIFEST, Base
from features.clock import Clock
from features.errors import BadInput, Broken
from features.fold.state import FOLD_VERSION
from features.ids import SALT_BYTES
from infra.home.dataset_choice import check_made_of, chosen_dataset, default_history
from infra.home.paths import Home, read_json
from infra.home.record_file import RecordFile
from infra.home.schema_file import check_given, check_unchanged, put_schema, read_given, takes_another
from infra.home.topology import ALONE, SCALED, Topology
from offline.datasets.own.description import FILE as DATASET_FILE
from streaming.operators.stored_state import STATE_VERSION


def _cluster_id() -> str:
    """Returns a random Kafka cluster id: 22 characters of URL-safe base64 without dashes, since Kafka's command line would take a
    leading one for an option."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").translate(str.maketrans("-_", "AB"))


class HomeRecord:
    """Reads and writes home.json, which only `up` and the offline commands of this home change."""

    def __init__(self, home: Home) -> None:
        """Raises Broken if the file can't be parsed."""
        self._home = home
        self._file = RecordFile(home)
        self._settings = self._file.settings

    @property
    def is_new(self) -> bool:
        return self._settings.dataset is None

    @property
    def has_base(self) -> bool:
        """Whether there is a base, in use or not: what the home is made of is settled then."""
        return self.newest_base is not None or any(self._home.bases.glob(f"*/{MANIFEST}"))

    def require_described(self) -> None:
        """Raise Broken for a folder that is no home yet."""
        if self.is_new:
            raise Broken(f"{self._home.path} is no home yet; ./martlet up makes it")

    @property
    def is_blank(self) -> bool:
        """Whether there is neither base nor log: nothing yet that has a meaning."""
        return not self.has_base and not self._has_log

    def take_schema(self, given: str) -> None:
        """Take what events mean from a preset's name or a file while the home is blank; check later that it is what the home's
        file says. Raises BadInput if it is not, and where that file would be lost."""
        text, schema = read_given(given)
        if self.is_blank and takes_another(self._home):
            self.put_schema(text)
        else:
            check_given(self._home, given, schema, self.is_blank)

    def put_schema(self, text: str) -> None:
        """Give events another meaning. Where there is no base yet, a data set that went without saying does so again."""
        went_without_saying = not self.has_base and self._settings.dataset == chosen_dataset(self._home, None)
        put_schema(self._home, text)
        if went_without_saying and (chosen := chosen_dataset(self._home, None)) != self._settings.dataset:
            self._settings.dataset, self._settings.history = chosen, default_history(chosen)

    def describe(self, dataset: str | None, history: float | None) -> None:
        """Set the data set and history until there is a base, later check that they match. Raises BadInput if they differ."""
        recorded = self._settings.dataset
        self._settings.home_id = self._settings.home_id or secrets.token_hex(8)
        if recorded is None:
            self._settings.cluster_id = _cluster_id()
            self._settings.salt = secrets.token_hex(SALT_BYTES)
        if recorded is None or not self.has_base:
            before = None if self._home.dataset_file.exists() else recorded
            chosen = chosen_dataset(self._home, before if dataset is None else dataset)
            if history is not None or chosen != recorded:
                self._settings.history = default_history(chosen) if history is None else history
            self._settings.dataset = chosen
            return
        if dataset is not None:
            check_made_of(self._home, recorded, dataset)
        if history is not None and history != self.history:
            raise BadInput(
                "--history",
                f"{self.history}, which {self._home.path} was made with (another --home takes another)",
                str(history),
            )

    def divide(self, partitions: int | None) -> int:
        """Set into how many partitions the home's log is divided, until there is a base or a log; later check that it is so.
        None: as it is. Returns the number. Raises BadInput for another than the home was made with."""
        before = self._settings.partitions
        if partitions is not None and partitions != before:
            if not self.is_blank:
                raise BadInput(
                    "kafka.partitions",
                    f"{before}, which {self._home.path} was made with (another --home takes another)",
                    str(partitions),
                )
            self._settings.partitions = partitions
        return self._settings.partitions

    @property
    def _has_log(self) -> bool:
        return bool(self.topics) or self._home.kafka_meta.exists()

    def scale(self, wanted: bool) -> Topology:
        """Have several servers of each engine, if that is wanted and there is no log yet; returns how many there are. Raises
        BadInput for a home whose log was begun with one of each."""
        if wanted and not self._settings.scaled:
            if self._has_log:
                raise BadInput(
                    "--scale",
                    f"a home that is made with it: {self._home.path} has one of each engine (another --home)",
                    "it",
                )
            self._settings.scaled = True
            self._settings.parallelism = SCALED.parallelism
        return self.topology

    @property
    def topology(self) -> Topology:
        """How many servers `up` starts of each engine."""
        return SCALED if self._settings.scaled else ALONE

    def configure(
        self, parallelism: int | None = None, state: str | None = None, attribution: int | None = None
    ) -> None:
        """Change the job's settings; None leaves a setting as it is. Raises BadInput for more degrees than there are
        partitions."""
        settings = self._settings
        if (parallelism or settings.parallelism) > settings.partitions:
            raise BadInput(
                "--parallelism",
                f"at most {settings.partitions}, the partitions of {self._home.path}",
                str(parallelism or settings.parallelism),
            )
        settings.parallelism = parallelism or settings.parallelism
        settings.state = state or settings.state
        settings.attribution = attribution or settings.attribution

    @property
    def dataset(self) -> str:
        """What `open_dataset` takes. Raises Broken if the home has not been described."""
        self.require_described()
        return str(self._home.dataset_file if self._settings.dataset == DATASET_FILE else self._settings.dataset)

    @property
    def history(self) -> float:
        return self._settings.history

    @property
    def cluster_id(self) -> str:
        return self._settings.cluster_id

    @property
    def home_id(self) -> str:
        return self._settings.home_id

    @property
    def job_name(self) -> str:
        """Name of the home's job, by which it is known in its Flink cluster: in one that others use, too, by the home's id."""
        return f"martlet-{self.home_id}" if self._settings.flink else "martlet"

    @property
    def flink(self) -> str:
        """REST address of the attached Flink cluster that was used last; "": the one that `up` starts."""
        return self._settings.flink

    def put_flink(self, address: str) -> None:
        """Record which Flink cluster is used ("": the one that `up` starts)."""
        self._settings.flink = address

    @property
    def topics(self) -> dict[str, str]:
        """Ids of the home's topics in an attached Kafka, by name; empty before there are any."""
        return dict(self._settings.topics)

    def put_log(self, cluster_id: str, topics: dict[str, str]) -> None:
        """Record in which cluster the home's topics are, and by which ids, for good."""
        self._settings.cluster_id, self._settings.topics = cluster_id, topics

    def put_redis(self, address: str) -> bool:
        """Record which Redis is used ("": the one that `up` starts); returns whether it was another before."""
        before, self._settings.redis = self._settings.redis, address
        return before != address

    @property
    def salt(self) -> str:
        """The salt of ids that are strings, hexadecimal; "" in a home of a version whose ids were numbers alone."""
        return self._settings.salt

    def take_salt(self, salt: str) -> None:
        """Use the salt of a home whose rows this one takes over: ids that are strings are the same inside, then."""
        self._settings.salt = salt

    def salt_of_new_base(self) -> str:
        """The salt that a base made of the data set has: the home's, or a new one where it has none yet."""
        return self.salt or secrets.token_hex(SALT_BYTES)

    @property
    def ports(self) -> dict[str, int]:
        return dict(self._settings.ports)

    @property
    def generation(self) -> int:
        return self._settings.generation

    @property
    def partitions(self) -> int:
        """Of each topic of users."""
        return self._settings.partitions

    @property
    def parallelism(self) -> int:
        """Parallelism of the job's operators."""
        return self._settings.parallelism

    @property
    def attribution(self) -> int:
        """Attribution window: seconds that a shown list waits for actions on it."""
        return self._settings.attribution

    @property
    def state(self) -> str:
        """Where Flink keeps state: infra.flink.cluster.MEMORY or ROCKSDB."""
        return self._settings.state

    @property
    def folds_items(self) -> bool:
        """Whether the job also folds items and pairs."""
        return self._settings.items

    def fold_items(self, items: bool) -> None:
        """Set whether the job also folds items and pairs."""
        self._settings.items = items

    @property
    def clock_since(self) -> int | None:
        """Wall time, ms, at which the home's clock stood at the base's cut; None: the clock is wall time. Raises Broken before
        the first base."""
        if self._settings.clock_since is None:
            raise Broken(f"{self._home.path} has no base yet; ./martlet up makes it")
        return None if self._settings.wall_clock else self._settings.clock_since

    @property
    def clock(self) -> Clock:
        """The home's clock as the job has it. Raises Broken before the first base."""
        base = self.base()
        return Clock(max(base.clock_start, base.horizon), self.clock_since)

    @property
    def base_number(self) -> int | None:
        return self._settings.base

    @property
    def newest_base(self) -> int | None:
        """The base that the next `up` starts from, else the one in use: what is learned from."""
        return self._settings.next_base or self.base_number

    def base_folder(self) -> Path:
        """Raises Broken if the home has no base yet."""
        number = self.base_number
        if number is None:
            raise Broken(f"{self._home.path} has no base yet; ./martlet up makes it")
        return self._home.bases / str(number)

    def base(self) -> Base:
        """The base in use. Raises Broken if there is none, or it is not of this home's log."""
        base = Base(self.base_folder())
        if base.partitions != self.partitions:
            expected = f"expected a base for a log of {self.partitions} partitions, got one for {base.partitions}"
            raise Broken(f"{base.folder}: {expected}")
        return base

    def next_base_number(self) -> int:
        """Returns the base to start from: the requested one, else the one in use. If that base is missing or was made by another
        version of the fold, returns an unused number for a new one to be made from the data set: everything starts anew then."""
        number = self._settings.next_base or self.base_number or 1
        manifest = read_json(self._home.bases / str(number) / MANIFEST)
        lost = manifest is None and number == self.base_number
        if manifest is not None and manifest["fold_version"] == FOLD_VERSION:
            check_unchanged(self._home, manifest["schema"], number)
        if lost or (manifest is not None and manifest["fold_version"] != FOLD_VERSION):
            return self.free_base_number()
        return number

    def free_base_number(self) -> int:
        """Returns a number above all existing and former bases."""
        numbers = [int(folder.name) for folder in self._home.bases.iterdir() if folder.name.isdigit()]
        return 1 + max([*numbers, self.base_number or 0, self._settings.given_up])

    def give_up(self, number: int) -> None:
        """Have no other base get the number of one that goes."""
        self._settings.given_up = max(self._settings.given_up, number)

    def take_base(self, number: int) -> bool:
        """Use a base; returns True if the generation rose, so that all states start anew from it."""
        settings = self._settings
        settings.next_base = None
        manifest = read_json(self._home.bases / str(number) / MANIFEST) or {}
        settings.salt = manifest.get("salt", settings.salt)
        fence = {
            "base": number,
            "fold_version": FOLD_VERSION,
            "state_version": STATE_VERSION,
            "fold_items": settings.items,
        }
        if all(getattr(settings, name) == value for name, value in fence.items()):
            return False
        for name, value in fence.items():
            setattr(settings, name, value)
        settings.generation += 1
        if settings.clock_since is None:
            settings.clock_since = time.time_ns() // 1_000_000
        settings.wall_clock = manifest.get("clock") == "wall"
        return True

    @property
    def has_other_state(self) -> bool:
        """Whether the job's checkpoints hold states of another version than this one's, or that another fold has made."""
        versions = self._settings.state_version, self._settings.fold_version
        return self.base_number is not None and versions != (STATE_VERSION, FOLD_VERSION)

    def set_next_base(self, number: int) -> None:
        """Have the next `up` start from this base."""
        self._settings.next_base = number

    def put_ports(self, ports: dict[str, int]) -> None:
        self._settings.ports = ports

    def save(self) -> None:
        """Write what was changed into home.json; raises as `RecordFile.save`."""
        self._file.save()
