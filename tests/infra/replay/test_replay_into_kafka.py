"""`replay` against a real broker: order, exactness, and progress when the broker or the replay itself dies."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from benchmarks.faults.suspended import resume, suspend, suspended
from benchmarks.harness.base_writer import write_small_base
from examples.shop import draw_shop
from features.contracts.events import read_event
from features.engines.kafka_address import KafkaAddress
from features.engines.loopback import LOOPBACK
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines
from features.errors import BadInput, Unavailable
from features.fold.state import FOLD_VERSION
from features.keys import DEFAULT_PARTITIONS, EVENTS, partition_of
from features.schema.tables import Schema
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.replay.perturbation import UNPERTURBED
from infra.replay.replayer import Plan, Replayer, Sent, events_of, replay_home
from infra.system.repository import REPO
from offline.datasets.dataset import Dataset, cut_row, open_dataset
from tests.kafka_process import kafka_process
from tests.patience import patience
from tests.schemas import MOVIES, SHOP

pytestmark = pytest.mark.services

MANY_ROWS = 30_000
ROWS = 12_000
SPAN_S = 6
"""Wall seconds in which a paced replay sends them."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which only Kafka runs, supervised as ever; its lock is held, as `up` holds it."""
    with kafka_process(tmp_path_factory.mktemp("home")) as broker, home_lock(broker.home):
        broker.supervisor.start_monitor()
        engines = Engines(KafkaAddress(broker.bootstrap), RedisAddress(LOOPBACK, 1))
        broker.home.engines_file.write_bytes(msgspec.json.encode(engines))
        yield broker.home


@pytest.fixture(scope="module")
def dataset(home: Home) -> Dataset:
    return open_dataset("ml-100k", home.data)


@pytest.fixture
def log(home: Home) -> Iterator["Log"]:
    with_new = Log(bootstrap(home))
    yield with_new
    with_new.close()


def bootstrap(home: Home) -> str:
    return f"{LOOPBACK}:{json.loads(home.status_file.read_text())['ports']['kafka']}"


class Log:
    """What came into the topic since this was made, by partition: event ids in the log's order."""

    def __init__(self, address: str) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=address, consumer_timeout_ms=30_000)
        self._partitions = [TopicPartition(EVENTS, number) for number in range(DEFAULT_PARTITIONS)]
        self._consumer.assign(self._partitions)
        self._starts = self._consumer.end_offsets(self._partitions)

    def read(self, schema: Schema = MOVIES) -> list[list[str]]:
        ends = self._consumer.end_offsets(self._partitions)
        found: list[list[str]] = [[] for _ in self._partitions]
        for at, start in self._starts.items():
            self._consumer.seek(at, start)
        missing = sum(ends[at] - self._starts[at] for at in self._partitions)
        while missing:
            record = next(self._consumer)
            event = read_event(record.value, schema)
            assert record.key == str(event.outer_user).encode()
            assert record.partition == partition_of(event.outer_user, DEFAULT_PARTITIONS)
            found[record.partition].append(event.event_id)
            missing -= 1
        return found

    def close(self) -> None:
        self._consumer.close()


def expected(dataset: Dataset, plan: Plan) -> list[list[str]]:
    """The same for a replay that is neither provoked nor repeated."""
    ids: list[list[str]] = [[] for _ in range(DEFAULT_PARTITIONS)]
    for each in events_of(dataset, plan):
        ids[partition_of(each.event.outer_user, DEFAULT_PARTITIONS)].append(each.event.event_id)
    return ids


def paced(dataset: Dataset, first: int = 0) -> Plan:
    times = [each.event.ts for each in events_of(dataset, Plan(first, first + ROWS, None))]
    return Plan(first, first + ROWS, (times[-1] - times[0]) / 1000 / SPAN_S)


def until_noted(home: Home, above: int, says: Callable[[], str] = str, timeout: float = 60.0) -> int:
    """The row that the replay has noted, once it is above another; `says`: its output, for when that doesn't come."""
    deadline, file = time.monotonic() + patience(timeout), home.data / "replay.json"
    while not file.exists() or (row := int(json.loads(file.read_text())["row"])) <= above:
        assert time.monotonic() < deadline, f"no progress noted: {says()}"
        time.sleep(0.05)
    return row


def test_users_with_names_lie_where_their_names_say(home: Home, log: Log, tmp_path: Path) -> None:
    draw_shop(tmp_path / "shop", users=60, items=20, seed=3)
    shop = open_dataset(str(tmp_path / "shop"), tmp_path / "data", SHOP)
    plan = Plan(0, shop.rows, None)
    assert Replayer(home, KafkaAddress(bootstrap(home)), shop, SHOP).run(plan, 0).records == shop.rows
    assert log.read(SHOP) == expected(shop, plan)


def test_a_home_that_has_learned_from_its_log_sends_the_rest_of_its_files(home: Home, log: Log, tmp_path: Path) -> None:
    """Not of what it learned from, whose events are known by other ids and have been in the log."""
    draw_shop(tmp_path / "shop", users=60, items=20, seed=4)
    learner = Home(tmp_path / "home").make()
    record = HomeRecord(learner)
    record.put_schema(SHOP.text())
    record.describe(str(tmp_path / "shop"), 0.5)
    shop = open_dataset(str(tmp_path / "shop"), learner.data, SHOP.salted(record.salt))
    shutil.copytree(learner.data / shop.name, learner.data / "log-2")
    for number, name in ((1, shop.name), (2, "log-2")):
        manifest = {"number": number, "root": 1, "cut": shop.last_ts, "dataset": name, "fold_version": FOLD_VERSION}
        write_small_base(
            learner.bases / str(number), SHOP, manifest | {"salt": record.salt, "schema": SHOP.digest}, shop.items
        )
        record.take_base(number)
    record.save()
    engines = Engines(KafkaAddress(bootstrap(home)), RedisAddress(LOOPBACK, 1))
    printed = list[str]()
    replay_home(learner, engines, None, "max", None, None, False, UNPERTURBED, printed.append)
    assert log.read(SHOP.salted(record.salt)) == expected(shop, Plan(cut_row(shop, 0.5), shop.rows, None)), printed


def test_a_data_set_of_a_later_time_than_the_homes_is_refused_with_a_way_on(
    home: Home, dataset: Dataset, log: Log, tmp_path: Path
) -> None:
    """The job rejects what is ahead of the home's clock: as good as nothing of a shop's new year comes into films of 1998."""
    older = Home(tmp_path / "home").make()
    record = HomeRecord(older)
    record.describe("ml-100k", 0.5)
    films = {"number": 1, "root": 1, "cut": dataset.last_ts, "dataset": dataset.name, "fold_version": FOLD_VERSION}
    write_small_base(older.bases / "1", MOVIES, films | {"salt": record.salt, "schema": MOVIES.digest}, dataset.items)
    record.take_base(1)
    record.save()
    first = datetime.fromtimestamp(dataset.last_ts / 1000, UTC)
    own_files(tmp_path / "new", first)
    engines, printed = Engines(KafkaAddress(bootstrap(home)), RedisAddress(LOOPBACK, 1)), list[str]()

    def replay(end: str | None) -> None:
        replay_home(older, engines, str(tmp_path / "new"), "max", None, end, False, UNPERTURBED, printed.append)

    with pytest.raises(BadInput, match="after this home's clock"):
        replay(None)
    assert sum(map(len, log.read())) == 0
    replay((first + timedelta(hours=12)).isoformat())
    assert sum(map(len, log.read())) == 1, printed


def own_files(folder: Path, first: datetime) -> None:
    """Two ratings, a year between them."""
    folder.mkdir()
    times = (int(first.timestamp()), int((first + timedelta(days=365)).timestamp()))
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"1,1,4.0,{ts}\n" for ts in times)
    )
    (folder / "movies.csv").write_text("movieId,title,genres\n1,One (1990),Drama\n")


def test_each_partition_has_its_rows_once_and_in_order(home: Home, dataset: Dataset, log: Log) -> None:
    plan = Plan(0, MANY_ROWS, None)
    sent = Replayer(home, KafkaAddress(bootstrap(home)), dataset, MOVIES).run(plan, 0)
    assert (sent.rows, sent.records) == (MANY_ROWS, MANY_ROWS)
    assert log.read() == expected(dataset, plan)
    assert json.loads((home.data / "replay.json").read_text())["row"] == MANY_ROWS


def test_progress_that_can_not_be_noted_costs_no_event(
    home: Home, dataset: Dataset, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, elsewhere = Plan(0, ROWS, None), Home(tmp_path).make()
    replayer = Replayer(elsewhere, KafkaAddress(bootstrap(home)), dataset, MOVIES)
    shutil.rmtree(elsewhere.data)
    assert replayer.run(plan, 0).rows == ROWS
    assert log.read() == expected(dataset, plan)
    assert capsys.readouterr().out.count("expected to note in it how far the replay is") == 1


def test_a_broker_that_is_killed_meanwhile_costs_nothing(home: Home, dataset: Dataset, log: Log) -> None:
    (home.data / "replay.json").unlink(missing_ok=True)
    plan, result = paced(dataset), list[Sent]()
    replay = threading.Thread(
        target=lambda: result.append(Replayer(home, KafkaAddress(bootstrap(home)), dataset, MOVIES).run(plan, 0))
    )
    replay.start()
    until_noted(home, 0)
    kafka = json.loads(home.status_file.read_text())["services"]["kafka"]
    subprocess.run(["kill", "-9", str(kafka["pid"])], check=True)
    replay.join(patience(120))
    assert result, "the replay did not end"
    assert json.loads(home.status_file.read_text())["services"]["kafka"]["restarts"] == kafka["restarts"] + 1
    assert log.read() == expected(dataset, plan)


def test_a_provoked_replay_that_is_interrupted_goes_on_at_what_was_not_acknowledged(
    home: Home, dataset: Dataset, log: Log, tmp_path: Path
) -> None:
    (home.data / "replay.json").unlink(missing_ok=True)
    ts = [each.event.ts for each in events_of(dataset, Plan(0, ROWS + 1, None))]
    plan = paced(dataset)
    argv = [sys.executable, "-m", "infra", "replay", "--home", str(home.path), "--to", str(ts[-1])]
    last = ts.index(ts[-1])  # rows at the same time as that one are left out, too
    perturb = ["--shuffle", "300", "--duplicate", "--late", "0.0005", "--seed", "11"]
    output = tmp_path / "out"
    with output.open("w+") as out:
        slow = subprocess.Popen([*argv, *perturb, "--speed", f"{plan.speed}x"], cwd=REPO, stdout=out, stderr=out)
        noted = until_noted(home, 0, output.read_text)
        slow.send_signal(signal.SIGINT)
        assert slow.wait(patience(60)) != 0
    assert "--shuffle 300 --duplicate 3 --late 0.0005 --seed 11" in output.read_text()
    row = until_noted(home, noted - 1)
    rows = [each.event.event_id for each in events_of(dataset, Plan(0, last, None))]
    before = set(chain.from_iterable(log.read()))
    assert row < last
    assert set(rows[:row]) <= before <= set(rows)
    resumed = subprocess.run([*argv, "--speed", "max"], cwd=REPO, capture_output=True, text=True, timeout=patience(120))
    assert resumed.returncode == 0, resumed.stderr
    assert f"going on at row {row}," in resumed.stdout
    assert set(chain.from_iterable(log.read())) == set(rows)


@pytest.mark.soak
def test_a_broker_that_does_not_answer_is_told_and_nothing_is_noted(home: Home, dataset: Dataset, log: Log) -> None:
    (home.data / "replay.json").unlink(missing_ok=True)
    plan = Plan(0, ROWS, None)
    kafka = json.loads(home.status_file.read_text())["services"]["kafka"]["pid"]
    impatient = Replayer(home, KafkaAddress(bootstrap(home)), dataset, MOVIES, ack_timeout=2)
    with suspended(kafka), pytest.raises(Unavailable, match="goes on at row 0"):
        impatient.run(plan, 0)
    assert impatient.resume_row(0, ROWS) == 0
    assert Replayer(home, KafkaAddress(bootstrap(home)), dataset, MOVIES).run(plan, 0).rows == ROWS
    assert log.read() == expected(dataset, plan)


@pytest.mark.soak
def test_a_broker_that_stops_half_way_is_given_up_in_time(home: Home, dataset: Dataset, log: Log) -> None:
    (home.data / "replay.json").unlink(missing_ok=True)
    plan = paced(dataset)
    kafka = json.loads(home.status_file.read_text())["services"]["kafka"]["pid"]
    output = list[str]()

    def run() -> None:
        with pytest.raises(Unavailable) as error:
            Replayer(home, KafkaAddress(bootstrap(home)), dataset, MOVIES, ack_timeout=2).run(plan, 0)
        output.append(str(error.value))

    replay = threading.Thread(target=run)
    replay.start()
    try:
        until_noted(home, 0)
        suspend(kafka)
        replay.join(patience(60))
    finally:
        resume(kafka)
    row = int(json.loads((home.data / "replay.json").read_text())["row"])
    assert output[0].endswith(f"goes on at row {row}")
    assert 0 < row < ROWS
    assert (
        Replayer(home, KafkaAddress(bootstrap(home)), dataset, MOVIES).run(Plan(row, ROWS, None), 0).rows == ROWS - row
    )
    # What was on its way when the broker stopped may have come in, too: then it is there twice, the first time in order.
    assert [list(dict.fromkeys(ids)) for ids in log.read()] == expected(dataset, plan)
