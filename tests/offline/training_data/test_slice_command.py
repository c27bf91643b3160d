"""A slice made of a real broker: its lists, and what users had done before lists were shown that no slice has had."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from kafka import KafkaProducer

from features.base.reader import Base
from features.contracts.events import write_event
from features.contracts.samples import write_forgotten
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import width_of
from features.keys import EVENTS, SAMPLES, partition_of
from features.types import RATING, Event, Millis
from models.registry import MANIFEST, encode_manifest
from offline.training_data.slice_lists import main
from tests.kafka_process import kafka_process
from tests.models.fake_version import a_manifest
from tests.offline.conftest import Based, Row
from tests.offline.training_data.test_from_impressions import GENRES, act, sample_of, served

pytestmark = pytest.mark.spark

Write = Callable[..., Path]
WINDOW_S = 30
LISTS = 9


def write_log(bootstrap: str, base: Base, closed: Millis) -> None:
    """Lists of samples, the newest closed then, and an event each of users 1 to 5 and 9 on an item of the base and on another
    one; user 9 is forgotten after the last of the lists."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for number in range(LISTS):
        shown = served(number, schema=base.schema)
        producer.send(SAMPLES, sample_of(shown, (act("like", 10),), closed - LISTS + 1 + number), partition=0)
    now = int(time.time() * 1000)
    for user in (1, 2, 3, 4, 5, 9):
        for item in (user, 9_999):
            event = Event(f"e{user}-{item}", RATING, user, item, 500, "", now)
            partition = partition_of(str(user), base.partitions)
            producer.send(EVENTS, write_event(event, base.schema), str(user).encode(), partition=partition)
    producer.send(SAMPLES, write_forgotten(9, now, now), partition=0)
    producer.flush(60)
    producer.close(10)


@pytest.mark.soak
@pytest.mark.parametrize(("later_s", "acts"), [(600, 5), (-600, 0)], ids=["shown after them", "shown before them"])
def test_acts_of_before_the_lists_are_learned(
    later_s: int, acts: int, based: Based, some_rows: list[Row], write_folder: Write, tmp_path: Path
) -> None:
    _, base = based(write_folder(some_rows), 0.3)
    user, item = width_of("user", GENRES), width_of("item", GENRES)
    maps = InputMaps(GENRES, (0.0,) * user, (1.0,) * user, (0.0,) * item, (1.0,) * item)
    version, samples, engines = tmp_path / "version", tmp_path / "samples", tmp_path / "engines.json"
    for folder in (version, samples):
        folder.mkdir()
    (version / MANIFEST).write_bytes(encode_manifest(a_manifest(maps=maps, schema=base.schema.digest)))
    (samples / "meta.json").write_text(json.dumps({"mean_weight": 1.0}))
    with kafka_process(tmp_path / "home") as broker:
        address = KafkaAddress(broker.bootstrap)
        engines.write_bytes(msgspec.json.encode(Engines(address, RedisAddress("127.0.0.1", 1))))
        write_log(broker.bootstrap, base, int(1000 * (time.time() + later_s + WINDOW_S)))
        argv = [
            "--base",
            base.folder,
            "--engines",
            engines,
            "--data-dir",
            tmp_path,
            "--samples",
            samples,
            "--version",
            version,
        ]
        argv += ["--spans", json.dumps({"0": [0, LISTS, 0]}), "--attribution", WINDOW_S, "--horizon", 0]
        assert main([*map(str, argv), "--out", str(tmp_path / "out")]) == 0
    assert pq.read_table(tmp_path / "out" / "asks").num_rows == LISTS
    sequences = tmp_path / "out" / "sequences"
    assert sequences.is_dir() == bool(acts)
    rows = pq.read_table(sequences).to_pylist() if acts else []
    assert {row["user_id"]: row["items"] for row in rows} == {user: [user] for user in range(1, acts + 1)}
