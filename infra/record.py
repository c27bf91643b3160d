"""What a home is, from one start to the next: its data set, the base in use, the generation of writes, the clock."""

import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from features.base import MANIFEST, Base
from features.errors import BadInput, Broken
from features.state import FOLD_VERSION
from features.units import ATTRIBUTION_S
from infra.home import Home, read_json, write_json


def _cluster_id() -> str:
    """A random id as Kafka wants it, 22 characters of URL-safe base64; none of them a dash, which its command line would
    take for an option where it leads."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").translate(str.maketrans("-_", "AB"))


class HomeRecord:
    """home.json. Written only by `up` and the offline commands of this home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._values: dict[str, Any] = read_json(home.record_file) or {}

    @property
    def is_new(self) -> bool:
        return "dataset" not in self._values

    def describe(self, dataset: str | None, history: float | None) -> None:
        """Say what the home is for (first start), or check that it is still that. Raises BadInput if it is another."""
        if self.is_new:
            self._values |= {
                "dataset": dataset or "ml-100k",
                "history": 0.8 if history is None else history,
                "cluster_id": _cluster_id(),
                "ports": {},
                "generation": 0,
            }
            return
        if dataset is not None and dataset != self.dataset:
            raise BadInput(
                "--dataset",
                f"{self.dataset}, which {self._home.path} was made for (another --home takes another)",
                dataset,
            )
        if history is not None and history != self.history:
            raise BadInput(
                "--history",
                f"{self.history}, which {self._home.path} was made with (another --home takes another)",
                str(history),
            )

    @property
    def dataset(self) -> str:
        return str(self._values["dataset"])

    @property
    def history(self) -> float:
        return float(self._values["history"])

    @property
    def cluster_id(self) -> str:
        return str(self._values["cluster_id"])

    @property
    def ports(self) -> dict[str, int]:
        return dict(self._values.get("ports", {}))

    @property
    def generation(self) -> int:
        return int(self._values["generation"])

    @property
    def parallelism(self) -> int:
        """Of the job's operators."""
        return int(self._values.get("parallelism", 1))

    @property
    def attribution(self) -> int:
        """Seconds that a shown list waits for what is done about it."""
        return int(self._values.get("attribution", ATTRIBUTION_S))

    @property
    def state(self) -> str:
        """Where Flink keeps state: infra.flink.MEMORY or ROCKSDB."""
        return str(self._values.get("state", "memory"))

    @property
    def clock_since(self) -> int:
        """Wall time, ms, at which the home's clock stood at the base's cut."""
        return int(self._values["clock_since"])

    @property
    def base_number(self) -> int | None:
        value = self._values.get("base")
        return None if value is None else int(value)

    def base_folder(self) -> Path:
        """Raises Broken if the home has no base yet."""
        number = self.base_number
        if number is None:
            raise Broken(f"{self._home.path} has no base yet; ./martlet up makes it")
        return self._home.bases / str(number)

    def base(self) -> Base:
        return Base(self.base_folder())

    def next_base_number(self) -> int:
        """The base to start from now: the one asked for, else the one in use. A number that is not taken yet, for one to be
        made, where that base is of another version of the fold, or was lost: then all starts anew, as what is made of the
        data set is not what a base of the log was."""
        number = int(self._values.get("next_base") or self.base_number or 1)
        manifest = read_json(self._home.bases / str(number) / MANIFEST)
        lost = manifest is None and number == self.base_number
        if lost or (manifest is not None and manifest["fold_version"] != FOLD_VERSION):
            return self.free_base_number()
        return number

    def free_base_number(self) -> int:
        """Above all bases there are and were."""
        there = [int(folder.name) for folder in self._home.bases.iterdir() if folder.name.isdigit()]
        return 1 + max([*there, self.base_number or 0])

    def take_base(self, number: int) -> bool:
        """Use a base. True if the generation rose: all states start anew from it."""
        self._values.pop("next_base", None)
        fence = {"base": number, "fold_version": FOLD_VERSION}
        if all(self._values.get(key) == value for key, value in fence.items()):
            return False
        self._values |= fence
        self._values["generation"] = self.generation + 1
        self._values.setdefault("clock_since", time.time_ns() // 1_000_000)
        return True

    def put_ports(self, ports: dict[str, int]) -> None:
        self._values["ports"] = ports

    def put_flag(self, name: str, value: object) -> None:
        self._values[name] = value

    def save(self) -> None:
        write_json(self._home.record_file, self._values)
