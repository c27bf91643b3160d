"""The whole way: garbage in the log, the clock, replay, verify, restarts."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from features.keys import DEFAULT_PARTITIONS, EVENTS, REJECTED, partition_of
from features.units import DAY_MS, HOUR_MS
from infra.flink import cluster
from infra.home.paths import Home
from infra.services import kafka
from infra.services.redis_instance import MAY_LOSE, NOTE_EVERY
from infra.system.repository import REPO
from streaming.operators.side_outputs import CUT_AT
from tests.home import Martlet, checkpoints, run_martlet, until
from tests.ledger import ledger, verify
from tests.patience import patience

pytestmark = pytest.mark.home

GARBAGE = [
    b"\xff\x00 garbage | with | bars",
    b'{"type": "rating", "user_id"',
    b"",
    b'{"type":"rating","user_id":910001,"event_id":"n","ts":1,"item_id":1,"rating":NaN}',
    b'{"type":"click","user_id":"","event_id":"w","ts":1,"item_id":1}',
    b'{"pad":"' + b"x" * (2 << 20) + b'"}',
    b'{"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


def rejects_of(martlet: Martlet, user: int) -> dict[int, tuple[bytes, dict[str, bytes]]]:
    """Rejects of a user's records by their offset in the log."""
    consumer = KafkaConsumer(
        bootstrap_servers=martlet.bootstrap,
        consumer_timeout_ms=1500,
        fetch_max_bytes=32 << 20,
        max_partition_fetch_bytes=8 << 20,
    )
    part = TopicPartition(REJECTED, 0)
    consumer.assign([part])
    consumer.seek_to_beginning(part)
    found = {}
    for record in consumer:
        headers = dict(record.headers)
        if record.key == str(user).encode():
            found[int(headers["offset"])] = (record.value or b"", headers)
    consumer.close()
    return found


def test_garbage_in_the_log_is_set_aside_byte_for_byte_and_its_neighbours_are_applied(martlet: Martlet) -> None:
    user = 910_001
    job = martlet.status()["job"]
    key, part = str(user).encode(), partition_of(user, DEFAULT_PARTITIONS)
    martlet.post({"type": "like", "user_id": user, "item_id": 1})
    places = [martlet.producer.send(EVENTS, key=key, value=value, partition=part).get(20).offset for value in GARBAGE]
    token = martlet.post({"type": "like", "user_id": user, "item_id": 2}).json()["seen"]
    martlet.applied(user, token)
    assert martlet.user(user)["counts"]["like"] == 2
    found = until(lambda: (got := rejects_of(martlet, user)) and len(got) == len(GARBAGE) and got, 60, "all rejects")
    assert {offset: value for offset, (value, _) in found.items()} == dict(zip(places, GARBAGE, strict=True))
    for _, headers in found.values():
        assert headers["topic"] == EVENTS.encode()
        assert headers["partition"] == str(part).encode()
        assert b"expected" in headers["reason"]
    assert martlet.status()["job"] == job


def test_records_larger_than_any_sink_takes_stop_nothing(martlet: Martlet) -> None:
    """A broker limits compressed batches: garbage of 41 MB comes in, and so does a good event of 5 MB without a key."""
    user, before = 910_020, ledger(martlet)
    job, key, part = martlet.status()["job"], str(user).encode(), partition_of(user, DEFAULT_PARTITIONS)
    event = {
        "event_id": "giant",
        "type": "like",
        "user_id": user,
        "item_id": 1,
        "ts": 893_000_000_000,
        "note": "y" * (5 << 20),
    }
    producer = KafkaProducer(bootstrap_servers=martlet.bootstrap, compression_type="gzip", max_request_size=64 << 20)
    garbage = producer.send(EVENTS, key=key, value=b"x" * (41 << 20), partition=part).get(20).offset
    producer.send(EVENTS, value=json.dumps(event).encode(), partition=part).get(20)
    producer.close(10)
    martlet.applied(user, martlet.post({"type": "like", "user_id": user, "item_id": 2}).json()["seen"])
    assert martlet.user(user)["counts"]["like"] == 1
    found = until(lambda: rejects_of(martlet, user), 60, "the reject")
    assert found[garbage][0] == b"x" * CUT_AT
    assert b"got 42991616: cut after 65536, SHA-256 of all " in found[garbage][1]["reason"]
    until(lambda: ledger(martlet)["rejected"] - before["rejected"] == 2, 20, "both are counted")
    assert (ledger(martlet)["rerouted"], martlet.status()["job"]) == (before["rerouted"], job)


def test_a_record_under_the_wrong_key_is_sent_on_to_its_user(martlet: Martlet) -> None:
    user, rerouted = 910_002, ledger(martlet)["rerouted"]
    for number, (key, part) in enumerate(
        [
            (b"910003", partition_of(user, DEFAULT_PARTITIONS)),
            (b"nobody", 0),
            (None, 3),
            (str(user).encode(), (partition_of(user, DEFAULT_PARTITIONS) + 1) % 8),
        ]
    ):
        event = {
            "type": "like",
            "user_id": user,
            "item_id": number + 1,
            "event_id": f"astray-{number}",
            "ts": 893_000_000_000,
        }
        martlet.producer.send(EVENTS, key=key, value=json.dumps(event).encode(), partition=part).get(20)
    until(lambda: martlet.user(user)["counts"]["like"] == 4, 60, "all four have found their user")
    assert ledger(martlet)["rerouted"] - rerouted == 4


def test_the_clock_goes_on_from_the_end_of_history(martlet: Martlet) -> None:
    base = json.loads(next((martlet.home / "base").glob("*/manifest.json")).read_text())
    user = 910_004
    token = martlet.post({"type": "like", "user_id": user, "item_id": 3}).json()["seen"]
    answer = martlet.applied(user, token)
    assert base["cut"] <= answer["freshness"]["last_event_ts"]
    # Nothing was replayed yet beyond a few days, so "just after" is what it must be.
    assert answer["freshness"]["last_event_ts"] <= max(base["cut"], base["last_ts"]) + 3_600_000
    now = martlet.user(user)["now"]
    token = martlet.post({"type": "like", "user_id": user, "item_id": 4, "ts": now + 20 * HOUR_MS}).json()["seen"]
    martlet.applied(user, token)
    time.sleep(1)  # more than an API process takes to see that a clock has moved
    assert martlet.user(user)["now"] < now + HOUR_MS, "one event moves nobody's time"
    far = martlet.post({"type": "like", "user_id": user, "item_id": 3, "ts": base["last_ts"] + 400 * DAY_MS})
    assert far.status_code == 422
    assert "clock" in far.json()["detail"]


@pytest.mark.soak
def test_an_interrupted_replay_goes_on_where_it_stopped(martlet: Martlet) -> None:
    # The newest fifth spans some seven weeks: at this speed minutes, if nobody interrupts it.
    argv = [str(REPO / "martlet"), "replay", "--speed", "20000x", "--home", str(martlet.home)]
    replay = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = martlet.home / "data" / "replay.json"

    def noted() -> int:
        return int(json.loads(file.read_text())["row"]) if file.exists() else 0

    until(lambda: noted() > 80_000, 120, "some progress")
    replay.send_signal(signal.SIGINT)
    assert replay.wait(patience(60)) != 0
    row = noted()
    assert 80_000 < row < 100_000
    done = martlet.command("replay", "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert f"going on at row {row}" in done.stdout


def test_replay_is_exact_and_changes_nothing_the_second_time(martlet: Martlet) -> None:
    replay = ("replay", "--speed", "max", "--restart", "--to", "1998-03-20")
    done = martlet.command(*replay)
    assert done.returncode == 0, done.stderr
    assert "events acknowledged" in done.stdout
    verified = martlet.command("verify", "--wait", "60")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    counted = ledger(martlet)
    before = {user: martlet.user(user)["counts"] for user in range(1, 60)}
    again = martlet.command(*replay)
    assert again.returncode == 0, again.stderr
    after = verify(martlet)
    assert after["applied"] == counted["applied"]
    assert after["duplicate"] - counted["duplicate"] == after["read"] - counted["read"] > 2_500, "seen, and not folded"
    assert {user: martlet.user(user)["counts"] for user in range(1, 60)} == before


def test_verify_finds_a_planted_byte(martlet: Martlet) -> None:
    value = martlet.redis.hget("{u:6}", "v")
    assert isinstance(value, bytes)
    martlet.redis.hset("{u:6}", "v", value[:-1] + bytes([value[-1] ^ 1]))
    try:
        found = martlet.command("verify", "--wait", "0")
        assert found.returncode == 1
        assert "{u:6}" in found.stdout
    finally:
        martlet.redis.hset("{u:6}", "v", value)
    verify(martlet, 5)


VICTIMS = ["api", "model-server"]
"""Flink's processes have tests of their own in tests/faults."""


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_process_comes_back_and_nothing_is_lost_or_counted_twice(martlet: Martlet, victim: str) -> None:
    user = 910_100 + VICTIMS.index(victim)
    assert martlet.post({"type": "like", "user_id": user, "item_id": 1}).status_code == 202
    entry = martlet.status()["services"][victim]
    os.kill(entry["pid"], signal.SIGKILL)
    until(
        lambda: martlet.status()["services"][victim]["restarts"] > entry["restarts"], 30, f"{victim} is started again"
    )

    def posted() -> bool:
        try:
            return (
                martlet.post({"type": "like", "user_id": user, "item_id": 2, "event_id": f"after-{victim}"}).status_code
                == 202
            )
        except Exception:
            return False

    until(posted, 60, "events are taken")
    until(lambda: martlet.user(user)["counts"]["like"] == 2, 90, "the event after the fault is applied")
    until(lambda: martlet.http.get("/readyz").status_code == 200, 60, "all is ready again")
    if victim == VICTIMS[-1]:  # of all of them: a reader of the whole log takes its time
        verify(martlet)


def test_a_second_up_in_the_same_home_and_a_taken_port_are_clear_errors(martlet: Martlet) -> None:
    port = martlet.address.rsplit(":", 1)[1]
    second = run_martlet("up", "--home", str(martlet.home), "--port", "1")
    assert second.returncode == 1
    assert "a home in which no up or job runs, got" in second.stderr
    taken = run_martlet("up", "--home", str(martlet.home.parent / "other"), "--port", port)
    assert taken.returncode == 1
    assert f"got {port}, which process" in taken.stderr


def test_status_says_what_runs(martlet: Martlet) -> None:
    words = ("redis", "kafka", "jobmanager", "taskmanager-1", "model-server", "api", "RUNNING", "last checkpoint")

    def are_there() -> bool:
        said = martlet.command("status")
        assert said.returncode == 0
        return all(word in said.stdout for word in words)

    until(are_there, 60, f"{words}: in one answer, for which nothing was late")


def test_without_a_home_commands_say_what_to_do(tmp_path: Path) -> None:
    said = run_martlet("status", "--home", str(tmp_path / "none"))
    assert said.returncode == 1
    assert "./martlet up" in said.stderr
    assert run_martlet("replay", "--home", str(tmp_path / "none")).returncode == 1


@pytest.mark.soak  # every run has it in tests/faults/test_processes.py, with all else killed, too
def test_after_a_kill_of_the_supervisor_the_next_up_cleans_up_and_goes_on(martlet: Martlet) -> None:
    """It starts the shared home anew."""
    user = 910_200
    assert martlet.post({"type": "like", "user_id": user, "item_id": 1}).status_code == 202
    # Redis is left over and stopped, and may lack its last seconds: what counts is a checkpoint from before them.
    newest = until(lambda: checkpoints(martlet), 90, "a checkpoint")[0]
    may_lose = MAY_LOSE + NOTE_EVERY + 1
    until(lambda: time.time() - newest.stat().st_mtime > may_lose, 30, "the checkpoint is old enough")
    before = martlet.status()
    os.kill(before["supervisor"]["pid"], signal.SIGKILL)
    started = martlet.command("up", "--detach", "--wait", "--port", martlet.address.rsplit(":", 1)[1], within=300)
    assert started.returncode == 0, started.stdout + started.stderr
    assert "left by a supervisor that died" in started.stdout
    assert "from its last checkpoint" in started.stdout
    after = martlet.status()
    assert not {entry["pid"] for entry in before["services"].values()} & {e["pid"] for e in after["services"].values()}
    verify(martlet)
    assert martlet.user(user)["counts"]["like"] == 1


def test_a_redis_that_was_emptied_is_filled_again_from_base_and_log(martlet: Martlet) -> None:
    martlet.redis.flushall()
    until(lambda: "emptied" in martlet.status().get("job_submitted_again", ""), 150, "the base is loaded again")
    verify(martlet)


@pytest.mark.soak
def test_after_redis_has_lost_its_disk_the_next_up_makes_it_again_from_base_and_log(martlet: Martlet) -> None:
    """It starts the shared home anew."""
    assert martlet.command("down", within=240).returncode == 0
    shutil.rmtree(martlet.home / "redis")
    started = martlet.command("up", "--detach", "--wait", "--port", martlet.address.rsplit(":", 1)[1], within=300)
    assert started.returncode == 0, started.stdout + started.stderr
    assert "base into Redis" in started.stdout
    verify(martlet)


@pytest.mark.soak
@pytest.mark.timeout(patience(1200))
def test_once_it_is_up_its_next_start_has_archives_of_javas_classes(martlet: Martlet) -> None:
    """Made at the lowest priority, which a busy machine starves, and once for an environment."""
    home = Home(martlet.home)
    archives = [kafka.class_archive(home), cluster.class_archive(home)]

    def are_used() -> bool:
        return all(str(archive.java_options()).startswith("['-XX:SharedArchiveFile=") for archive in archives)

    try:
        until(are_used, 900, "there are archives")
    except AssertionError as error:
        raise AssertionError(f"{error}: {(home.logs / 'classes.log').read_text()}") from error
