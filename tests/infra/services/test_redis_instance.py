"""What is remembered of the servers that were last written to, and what is lost where others came instead."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from benchmarks.faults.suspended import resume, suspend
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.keys import LOADED_KEY, item_key
from features.store.loaded_marks import loaded_keys
from infra.home.paths import write_json
from infra.services.redis_instance import MAY_LOSE, NOTE_EVERY, NOTES, Instance, Instances, RedisRun
from tests.home import until
from tests.redis_cluster import RedisCluster, redis_cluster, three_primaries

pytestmark = pytest.mark.services

NOWHERE = RedisAddress("127.0.0.1", 1)


def seen(at: float, *servers: Instance) -> Instances:
    return Instances(at, servers)


def server(name: str, written: int | None = None, history: str = "", **more: object) -> Instance:
    return Instance(name, history or f"history of {name}", written, **more)  # type: ignore[arg-type]


def run_of(folder: Path) -> RedisRun:
    return RedisRun(folder / "redis_run.json", NOWHERE)


def test_another_instance_is_noted_at_once_and_the_same_one_now_and_then(tmp_path: Path) -> None:
    run, a, b = run_of(tmp_path), server("a"), server("b")
    assert run.lost_since(seen(1000, a)) is None
    run.note(seen(1000, a))
    run.note(seen(1000 + NOTE_EVERY / 2, a))
    assert (run.lost_since(seen(1001, a)), run.lost_since(seen(1001, b))) == (None, 1000 - MAY_LOSE)
    run.note(seen(1000 + NOTE_EVERY, a))
    assert run.lost_since(seen(1003, b)) == 1000 + NOTE_EVERY - MAY_LOSE
    run.note(seen(1000 + NOTE_EVERY, b))
    assert (run.lost_since(seen(1003, b)), run.lost_since(seen(1003, a))) == (None, 1000 + NOTE_EVERY - MAY_LOSE)


def test_a_clock_that_was_set_back_is_followed(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    run.note(seen(1000, server("a")))
    run.note(seen(400, server("a")))
    assert run.lost_since(seen(401, server("b"))) == 400 - MAY_LOSE


def test_after_an_orderly_stop_nothing_is_lost_and_the_next_note_is_made(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    run.note(seen(1000, server("a")))
    run.note_clean_stop()
    assert run.lost_since(seen(1001, server("b"))) is None
    run.note(seen(1000, server("a")))
    assert run.lost_since(seen(1001, server("b"))) == 1000 - MAY_LOSE


def test_the_next_up_reads_what_was_noted_also_by_a_version_that_noted_one_run_id(tmp_path: Path) -> None:
    run_of(tmp_path).note(seen(1000, server("a", 5), server("b", 6)))
    assert run_of(tmp_path).lost_since(seen(1001, server("a", 5), server("c", 6))) == 1000 - MAY_LOSE
    write_json(tmp_path / "redis_run.json", {"run_id": "a", "seen_at": 700.0})
    assert run_of(tmp_path).lost_since(seen(1001, server("a", 5))) is None
    assert run_of(tmp_path).lost_since(seen(1001, server("c", 6))) == 700 - MAY_LOSE


def test_a_replica_that_took_over_has_lost_what_it_did_not_have(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    for number in range(10):
        run.note(seen(1000 + 10 * number, server("a", 100 * number), server("b", 7)))
    for had, since in ((900, 1090), (899, 1080), (500, 1050), (0, 1000)):
        heir = server("c", had, inherited="history of a", had=had)
        assert run.lost_since(seen(1095, heir, server("b", 7))) == since
    run.note(seen(1095, server("c", 899), server("b", 7)))
    assert run.lost_since(seen(1096, server("c", 899), server("b", 7))) is None
    heir = server("d", 7, inherited="history of b", had=7)
    assert run.lost_since(seen(1096, server("c", 899), heir)) == 1095


def test_what_is_lost_of_several_is_lost_since_the_first(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    run.note(seen(1000, server("a", 5), server("b", 5)))
    run.note(seen(1010, server("a", 9), server("b", 9)))
    heirs = [server(f"next {name}", 9, inherited=f"history of {name}", had=had) for name, had in (("a", 9), ("b", 8))]
    assert run.lost_since(seen(1011, *heirs)) == 1000


def test_one_that_was_further_behind_than_is_remembered_has_lost_nobody_knows_what(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    for number in range(NOTES + 5):
        run.note(seen(1000 + 10 * number, server("a", 100 + number)))
    assert run.lost_since(seen(2000, server("b", 9, inherited="history of a", had=104))) == 0


@pytest.mark.parametrize(("inherited", "since"), [(None, None), ("history of b", 1000 - MAY_LOSE)])
def test_a_server_with_another_history_went_on_unless_it_was_a_replica_meanwhile(
    tmp_path: Path, inherited: str | None, since: float | None
) -> None:
    run = run_of(tmp_path)
    run.note(seen(1000, server("a", 5)))
    assert run.lost_since(seen(1001, server("a", None, "another", inherited=inherited))) == since


def mark_loaded(cluster: RedisCluster, generation: int) -> None:
    with RedisNodes(cluster.address, 5) as nodes:
        pipe = nodes.pipeline()
        for key in loaded_keys(cluster=True):
            pipe.add("set", key, generation)
        pipe.execute()


def write(cluster: RedisCluster, keys: Sequence[str]) -> None:
    with RedisNodes(cluster.address, 5) as nodes:
        for key in keys:
            nodes.call("set", key, "1")


def test_what_a_real_failover_lost_is_known_to_the_note(tmp_path: Path) -> None:
    """The replica stands still while its primary takes writes and dies: what it lacks came after a note that is told of."""
    with redis_cluster(tmp_path / "cluster", node_timeout=3.0) as cluster:
        mark_loaded(cluster, 4)
        clock = map(float, count(1000, 10)).__next__
        run, key = RedisRun(tmp_path / "run.json", cluster.address, clock), item_key(7)
        primary = cluster.owner_of(key)
        replica = cluster.replica_of(primary)
        noted: list[Instances] = []

        def note() -> None:
            instances, loaded = run.read_instances()
            assert loaded == 4
            run.note(instances)
            noted.append(instances)

        note()
        write(cluster, [key])
        until(lambda: replica.run("READONLY") and replica.client.get(key), 10, "the replica has it")
        note()
        suspend(replica.process.pid)
        primary.run("CLIENT", "KILL", "TYPE", "replica")  # what the primary had sent, the replica would read later
        write(cluster, [f"lost:{{{key}}}:{number}" for number in range(10)])
        note()
        primary.kill()
        resume(replica.process.pid)
        assert cluster.await_takeover(key, primary) is replica
        instances, loaded = run.read_instances()
        assert loaded == 4
        assert run.lost_since(instances) == noted[1].seen_at
        run.note(instances)
        assert run.lost_since(run.read_instances()[0]) is None


def test_a_primary_that_was_emptied_holds_no_base(tmp_path: Path) -> None:
    with three_primaries(tmp_path / "cluster") as cluster:
        run = RedisRun(tmp_path / "run.json", cluster.address)
        assert run.read_instances()[1] is None
        mark_loaded(cluster, 4)
        assert run.read_instances()[1] == 4
        cluster.owner_of(LOADED_KEY).client.flushall()
        assert run.read_instances()[1] is None
