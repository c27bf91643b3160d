"""A home on a real Kafka whose learner takes a slice for learned once it has its offsets, and can be killed anywhere."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from features.contracts.samples import Action, write_forgotten, write_sample
from features.contracts.scores import SliceRecord, read_score
from features.engines.kafka_address import KafkaAddress
from features.keys import DEFAULT_PARTITIONS, SAMPLES, SCORES, partition_of
from infra.home.paths import Home
from infra.learning.learner import Learner
from infra.learning.learner_state import FILE, LearnerState, read_state, write_state
from infra.learning.pending_samples import PendingSamples
from infra.learning.slice_run import LearningSteps, MadeLists
from infra.services import kafka_topics
from models.learning.slice_result import SliceResult
from models.registry import (
    MANIFEST,
    DataSeen,
    change_labels,
    encode_manifest,
    folder_digests,
    list_versions,
    publish,
    staging_folder,
)
from offline.training_data.file_names import MAPS, META
from offline.training_data.slice_lists import SliceSpans
from online.ranking.policy import Learning
from tests.kafka_process import Broker, read_to_end
from tests.models.fake_version import a_manifest, publish_one
from tests.schemas import MOVIES

SETTINGS = Learning(model="toy", positives=8, slice_s=1, publish_s=1, anew_hour=None)


class Killed(BaseException):
    """The end of the process, as `kill -9` makes it: nothing after it runs but what frees memory."""


class CountedSteps(LearningSteps):
    """Steps that take a slice for learned once they have its offsets. kill: the names of steps before or after which the process
    ends, each once, as `before learn`; refuse: what a step raises, by its name; learned_bases: of the versions that are published
    while all is made anew, once."""

    def __init__(self, home: Home, kill: list[str]) -> None:
        super().__init__(home, "toy", print)
        self.models, self.kill = home.models, kill
        self.refuse: dict[str, BaseException] = {}
        self.since: list[int] = []
        self.starts: list[str] = []
        self.whole: list[list[str]] = []
        self.renewed: list[int] = []
        self.discarded: list[int] = []
        self.learned_bases: list[str] = []

    def _point(self, name: str) -> None:
        if name in self.kill:
            self.kill.remove(name)
            raise Killed(name)

    def make_lists(self, start: Path, spans: SliceSpans, since: int, out: Path) -> MadeLists:
        self._point("before make_lists")
        self.starts.append(start.name)
        (out / "asks").mkdir(parents=True)
        offsets = [f"{part}:{offset}" for part, (low, high, _) in spans.items() for offset in range(low, high)]
        pq.write_table(pa.table({"offset": offsets}), out / "asks" / "part-0.parquet")
        made = MadeLists(len(offsets), len(offsets), 0, {})
        (out / MAPS).write_text("{}")
        (out / META).write_text(json.dumps({**msgspec.to_builtins(made), "layout": "one"}))
        self._point("after make_lists")
        return made

    def learn(self, start: Path, work: Path, since: int) -> SliceResult:
        self._point("before learn")
        if "learn" in self.refuse:
            raise self.refuse["learn"]
        self.whole.append(sorted(path.name for path in (work / "whole" / "asks").iterdir()))
        version = work / "out" / "version"
        (version / "variables").mkdir(parents=True)
        offsets = pq.read_table(work / "new" / "asks" / "part-0.parquet")["offset"].to_pylist()
        (version / "saved_model.pb").write_text(f"after {start.name}: {offsets}")
        manifest = a_manifest("toy", digests=folder_digests(version))
        (version / MANIFEST).write_bytes(encode_manifest(manifest))
        self._point("after learn")
        return SliceResult(lists=len(offsets), users=3, ndcg10={"weights": 0.5}, learned=len(offsets), megabytes=1)

    def publish(self, folder: Path) -> None:
        self._point("before publish")
        if "publish" in self.refuse:
            raise self.refuse["publish"]
        staged = staging_folder(self.models, "toy")
        for path in folder.rglob("*"):
            target = staged / path.relative_to(folder)
            target.mkdir(exist_ok=True) if path.is_dir() else target.write_bytes(path.read_bytes())
        publish(staged, self.models, "toy")
        self._point("after publish")

    def renew(self, number: int) -> str:
        self._point("before renew")
        self.renewed.append(number)
        if "renew" in self.refuse:
            raise self.refuse["renew"]
        while self.learned_bases:
            publish_one(self.models, data=DataSeen(base=self.learned_bases.pop(0)))
        self._point("after renew")
        return f"made anew: base {number}"

    def discard_renewal(self, number: int) -> None:
        self.discarded.append(number)
        super().discard_renewal(number)


class Trial:
    """A home with one version that ranks, its log under topics of its own, and learners of it."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._address = KafkaAddress(broker.bootstrap, prefix=f"{folder.name[:40].replace('_', '-')}-")
        self.home = Home(folder).make()
        publish_one(self.home.models)
        change_labels(self.home.models, "toy", lambda found: found.decided(1, "begun", stable=1))
        self.lines: list[str] = []
        kafka_topics.create(self._address)
        self._shown = 0

    def learner(
        self,
        steps: LearningSteps,
        once: bool = False,
        lacks_memory: Callable[[], str | None] = lambda: None,
        **settings: object,
    ) -> Learner:
        learning = msgspec.structs.replace(SETTINGS, **settings)
        return Learner(self.home, learning, self._address, MOVIES, steps, self.lines.append, once, lacks_memory)

    def pending(self) -> PendingSamples:
        """The samples from the first on."""
        return PendingSamples(self._address, MOVIES, {}, {}, self.lines.append)

    def read_until(self, pending: PendingSamples, records: int) -> None:
        """Read until so many samples were read."""
        deadline = time.monotonic() + 60
        while pending.records < records:
            assert time.monotonic() < deadline, pending.records
            try:
                pending.read(200)
            except UnknownTopicOrPartitionError:  # made this moment
                time.sleep(0.1)

    def steps(self, *kill: str) -> CountedSteps:
        return CountedSteps(self.home, list(kill))

    def show(self, users: range, closed: int = 1000) -> None:
        """A sample for each of these users, in which an item was liked."""
        values = []
        for user in users:
            self._shown += 1
            act = Action(f"e{self._shown}", "like", 1, 10)
            values.append((user, write_sample(f"r{self._shown}", user, 0, 0, [act], closed + self._shown)))
        self._send(values)

    def forget(self, user: int) -> None:
        self._send([(user, write_forgotten(user, 1, 1))])

    def fill(self, records: int) -> None:
        """So many records that say nothing of likes."""
        self._send([(1, b"{}")] * records)

    def _send(self, values: list[tuple[int, bytes]]) -> None:
        producer = KafkaProducer(bootstrap_servers=self._address.bootstrap)
        for user, value in values:
            producer.send(self._address.topic(SAMPLES), value, partition=partition_of(user, DEFAULT_PARTITIONS))
        producer.flush()
        producer.close()

    def change(self, **changes: object) -> None:
        """Change the state on disk, as another process does."""
        state = read_state(self.home.path / FILE) or LearnerState(model="toy")
        write_state(self.home.path / FILE, msgspec.structs.replace(state, **changes))

    def learned(self) -> list[str]:
        """Partition and offset of all samples that the newest weights and those before them have learned."""
        state = read_state(self.home.path / FILE)
        assert state is not None
        folders = (self.home.path / "learning" / "toy").glob("lists-*")
        return sorted(each for path in folders for each in pq.read_table(path / "asks")["offset"].to_pylist())

    def scores(self) -> list[SliceRecord]:
        part = TopicPartition(self._address.topic(SCORES), 0)
        consumer = KafkaConsumer(bootstrap_servers=self._address.bootstrap, auto_offset_reset="earliest")
        consumer.assign([part])
        return [each for record in read_to_end(consumer) if isinstance(each := read_score(record.value), SliceRecord)]

    def until(self, learner: Learner, slices: int, versions: int = 1) -> None:
        """Step until so many slices are done, and so many versions are there."""
        self.step_until(
            learner, lambda: learner.state.slice >= slices and len(list_versions(self.home.models, "toy")) >= versions
        )

    def step_until(self, learner: Learner, is_reached: Callable[[], bool]) -> None:
        """Step until something is reached, then leave the log."""
        deadline = time.monotonic() + 60
        while not is_reached():
            assert time.monotonic() < deadline, learner.state
            try:
                learner.step(200)
            except UnknownTopicOrPartitionError:  # made this moment
                time.sleep(0.1)
        learner.close()
