"""The judge on a real Kafka: it joins lists with acts, decides, and goes on after a kill with nothing lost or counted twice."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from features.contracts.scores import DecisionRecord, InterleavedList, read_score, write_score
from features.engines.kafka_address import KafkaAddress
from features.errors import Broken
from features.keys import DEFAULT_PARTITIONS, EVENTS, SCORES, partition_of
from features.schema.tables import Schema
from infra.judging.judge import Judge, begin, release
from infra.system.times import wall_ms
from models.registry import Labels, change_labels, read_labels
from tests.kafka_process import Broker, kafka_process, read_to_end
from tests.models.fake_version import publish_one
from tests.schemas import MOVIES, SHOP

pytestmark = pytest.mark.services

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("home")) as running:
        yield running


class Trial:
    """A model with versions 1 and 2 of which the second is on trial, its users, and judges of it."""

    def __init__(self, broker: Broker, folder: Path, schema: Schema = MOVIES) -> None:
        """schema: which the second version was trained under."""
        self._broker, self.models = broker, folder / "models"
        self._state, self._serving = folder / "judge.json", folder / "serving.json"
        self._serving.write_text('{"judge": {"window_s": 1}}')
        publish_one(self.models)
        publish_one(self.models, schema=schema.digest)
        begun = Labels().decided(wall_ms(), "begun", stable=1, candidate=2, phase="trial")
        change_labels(self.models, "toy", lambda _: begun)

    def judge(self) -> Judge:
        made = Judge(self.models, self._state, self._serving, KafkaAddress(self._broker.bootstrap), NOWHERE, MOVIES)
        made.load()
        deadline = time.monotonic() + 20
        while True:
            try:
                made.step()
                return made
            except UnknownTopicOrPartitionError:  # made this moment
                assert time.monotonic() < deadline

    def show(self, users: range, liked: int, takes_back: bool = False) -> None:
        """A list for each of these users, who like one of its two items, 1 of the stable version's and 2 of its opponent's, and
        take that back or not."""
        producer = KafkaProducer(bootstrap_servers=self._broker.bootstrap)
        for user in users:
            value = write_score(InterleavedList(f"list {user}", user, "toy", 1, "toy:2", (1,), (2,)))
            act = {
                "event_id": f"e{user}",
                "type": "like",
                "ts": 1,
                "user_id": user,
                "item_id": liked,
                "request_id": f"list {user}",
            }
            producer.send(SCORES, value, partition=0)
            producer.send(
                EVENTS, json.dumps(act).encode(), str(user).encode(), partition=partition_of(user, DEFAULT_PARTITIONS)
            )
            if takes_back:
                undo = {"event_id": f"u{user}", "type": "undo", "ts": 2, "user_id": user, "target": f"e{user}"}
                producer.send(
                    EVENTS,
                    json.dumps(undo).encode(),
                    str(user).encode(),
                    partition=partition_of(user, DEFAULT_PARTITIONS),
                )
            producer.send(
                EVENTS, b'{"request_id": 7', partition=partition_of(user, DEFAULT_PARTITIONS)
            )  # what can't be read is none
        producer.flush()
        producer.close()

    def forget(self, user: int) -> None:
        producer = KafkaProducer(bootstrap_servers=self._broker.bootstrap)
        wish = {"event_id": f"f{user}", "type": "forget_user", "ts": 9, "user_id": user}
        producer.send(EVENTS, json.dumps(wish).encode(), partition=partition_of(user, DEFAULT_PARTITIONS))
        producer.flush()
        producer.close()

    def decisions(self) -> list[str]:
        labels = read_labels(self.models, "toy")
        assert labels is not None
        return [each.text for each in labels.decisions]


def until_counted(judge: Judge, lists: int) -> None:
    deadline = time.monotonic() + 60
    while judge.evidence.of("toy", 1, "toy:2").lists < lists:
        assert time.monotonic() < deadline, f"{judge.evidence.of('toy', 1, 'toy:2').lists} lists counted"
        judge.step()


def test_a_judge_that_was_killed_counts_each_list_once(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    killed = trial.judge()
    killed.save()
    trial.show(range(20), liked=2)
    until_counted(killed, 20)
    killed.save()
    trial.show(range(20, 30), liked=2)
    until_counted(killed, 30)  # and is killed before it saves this
    successor = trial.judge()
    until_counted(successor, 30)
    found = successor.evidence.of("toy", 1, "toy:2")
    assert (found.lists, found.liked) == (30, (0, 30))
    assert found.differences.sums == dict.fromkeys(range(30), -1.0)
    assert trial.decisions() == ["begun"]


def test_an_undo_takes_back_what_was_liked_of_a_list(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    judge = trial.judge()
    trial.show(range(200, 205), liked=2, takes_back=True)
    trial.show(range(205, 208), liked=1)
    until_counted(judge, 8)
    found = judge.evidence.of("toy", 1, "toy:2")
    assert (found.lists, found.liked) == (8, (3, 0))


def test_who_is_forgotten_counts_on_without_a_name(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    judge = trial.judge()
    trial.show(range(777_000, 777_003), liked=1)
    until_counted(judge, 3)
    trial.forget(777_001)
    deadline = time.monotonic() + 60
    while 777_001 in (found := judge.evidence.of("toy", 1, "toy:2").differences).counts:
        assert time.monotonic() < deadline
        judge.step()
    assert (sorted(found.sums.values()), len(found.counts)) == ([1.0, 1.0, 1.0], 3)


def test_a_better_candidate_is_promoted_and_the_topic_has_the_decision(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    judge = trial.judge()
    trial.show(range(100, 170), liked=2)
    deadline = time.monotonic() + 60
    while len(trial.decisions()) < 2 and time.monotonic() < deadline:
        judge.step()
    assert "2 ranks in place of 1" in trial.decisions()[1]
    labels = read_labels(trial.models, "toy")
    assert labels is not None
    assert (labels.stable, labels.last_good) == (2, 1)
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(SCORES, 0)])
    found = [each for record in read_to_end(consumer) if isinstance(each := read_score(record.value), DecisionRecord)]
    assert [(each.model, each.text, each.labels) for each in found] == [
        ("toy", trial.decisions()[1], {"stable": 2, "last-good": 1})
    ]


def test_a_better_candidate_that_can_not_rank_is_none(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path, SHOP)
    judge = trial.judge()
    trial.show(range(300, 370), liked=2)
    until_counted(judge, 70)
    assert trial.decisions() == ["begun", "2 is no candidate any more: it is not on disk, or can't rank"]


def test_where_judging_is_off_the_newest_version_ranks_that_has_not_lost(tmp_path: Path) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    state_file = tmp_path / "judge.json"
    begin(state_file)
    release(tmp_path, state_file)
    assert read_labels(tmp_path, "toy") is None
    begin(state_file)
    change_labels(tmp_path, "toy", lambda found: found.decided(1, "begun", stable=1, candidate=2, lost=(3,)))
    release(tmp_path, state_file)
    labels = read_labels(tmp_path, "toy")
    assert labels is not None
    assert (labels.named(), labels.order([1, 2, 3])) == ({}, [2, 1])


def test_a_state_that_was_cut_is_named(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "judge.json").write_text('{"offsets": ')
    judge = Judge(
        tmp_path, tmp_path / "judge.json", tmp_path / "serving.json", KafkaAddress(broker.bootstrap), NOWHERE, MOVIES
    )
    with pytest.raises(Broken, match=r"judge\.json.*remove it"):
        judge.load()
