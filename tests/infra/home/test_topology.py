"""How many servers a home has of each engine, and which ports they listen on."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from features.errors import BadInput, Unavailable
from infra.home.paths import Home
from infra.home.ports import USUAL, Ports
from infra.home.record import HomeRecord
from infra.home.topology import ALONE, SCALED
from infra.services.kafka import broker_settings
from infra.settings.addresses import engines_by
from infra.settings.table import Settings
from infra.system.processes import PORTS, claim_port, claim_ports, free_ports, is_free, release_port
from infra.system.repository import REPO


@pytest.fixture
def record(home: Home) -> HomeRecord:
    made = HomeRecord(home)
    made.describe("ml-100k", None)
    return made


def again(home: Home) -> HomeRecord:
    return HomeRecord(home)


def test_a_home_has_one_of_each_unless_it_is_made_with_several(home: Home, record: HomeRecord) -> None:
    assert record.scale(wanted=False) == ALONE
    record.save()
    assert again(home).scale(wanted=False) == ALONE
    assert again(home).parallelism == ALONE.parallelism


def test_a_home_that_is_made_with_several_has_them_for_good(home: Home, record: HomeRecord) -> None:
    assert record.scale(wanted=True) == SCALED
    record.save()
    home.kafka_meta.parent.mkdir(parents=True)
    home.kafka_meta.touch()
    later = again(home)
    assert later.scale(wanted=False) == later.scale(wanted=True) == later.topology == SCALED
    assert later.parallelism == SCALED.parallelism


def test_a_home_that_has_a_log_gets_no_more_servers(home: Home, record: HomeRecord) -> None:
    home.kafka_meta.parent.mkdir(parents=True)
    home.kafka_meta.touch()
    with pytest.raises(BadInput, match=r"--scale: expected a home that is made with it: .* has one of each engine"):
        record.scale(wanted=True)
    assert record.topology == ALONE


def test_every_server_has_a_port_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    chosen = Ports.choose(8000, {}, more=SCALED.port_names)
    names = chosen.named()
    assert len(set(names.values())) == len(names) == 9 + len(SCALED.port_names)
    assert chosen.of("kafka", 1) == chosen.kafka
    assert chosen.of("kafka", 3) == names["kafka-3"]
    assert chosen.of("redis_bus", 1) == names["redis_bus-1"]
    assert Ports.choose(8000, names, more=SCALED.port_names) == chosen
    assert Ports.choose(8000, names).named() == {name: names[name] for name in Ports.choose(8000, {}).named()}


def test_no_server_gets_the_port_of_the_api_though_nobody_listens_on_it_yet() -> None:
    before = Ports.choose(0, {}, more=SCALED.port_names).named()
    api = before["kafka_controller-3"]
    chosen = Ports.choose(api, before, {"kafka": api}, SCALED.port_names).named()
    assert list(chosen.values()).count(api) == 1
    assert not set(free_ports(200, but=range(20_000, 28_000))) & set(range(20_000, 28_000))


CHOOSE = """
import sys
from infra.home.ports import USUAL, Ports
before = {"kafka": USUAL["kafka"]} if sys.argv[1] == "again" else {}
print(Ports.choose(0, before, {} if before else {"kafka": USUAL["kafka"]}).kafka, flush=True)
sys.stdin.read()
"""


def home_that_runs(stack: ExitStack, how: str) -> int:
    """The port of Kafka of a home that comes up `again` or for the `first` time, in a process that lives on."""
    process = Popen([sys.executable, "-c", CHOOSE, how], stdin=PIPE, stdout=PIPE, text=True, cwd=REPO)
    stack.callback(process.communicate, timeout=20)
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.skipif(sys.platform != "linux", reason="a claim is a name of Linux'")
@pytest.mark.skipif(not is_free(USUAL["kafka"]), reason="something else listens on Kafka's usual port")
@pytest.mark.parametrize("how", ["again", "first"])
def test_a_usual_port_is_a_homes_while_it_runs_though_nobody_listens_on_it(how: str) -> None:
    """Kafka may just be restarted: another home must not take its port, whose log this home's job would read then."""
    with ExitStack() as homes:
        if home_that_runs(homes, how) != USUAL["kafka"]:
            pytest.skip("another home has claimed Kafka's usual port")
        for other in ("first", "again"):
            assert home_that_runs(homes, other) != USUAL["kafka"]


DRAW = """
import json, sys
from infra.home.ports import Ports
print(json.dumps(Ports.choose(0, {}).named()), flush=True)
sys.stdin.read()
"""


@contextmanager
def ports_of_another_home() -> Iterator[dict[str, int]]:
    """Those that a process has chosen which lives on; nobody listens on them."""
    with Popen([sys.executable, "-c", DRAW], stdin=PIPE, stdout=PIPE, text=True, cwd=REPO) as process:
        assert process.stdout is not None
        yield {name: port for name, port in json.loads(process.stdout.readline()).items() if port}
        process.communicate(timeout=20)


@pytest.mark.skipif(sys.platform != "linux", reason="a claim is a name of Linux'")
def test_ports_that_a_process_has_drawn_are_drawn_by_no_other_though_nobody_listens_on_them() -> None:
    """A JobManager takes half a minute on a slow machine until it listens: meanwhile another home may come up."""
    with ports_of_another_home() as ports:
        drawn = set(ports.values())
        others = set(PORTS) - drawn
        for draw in (free_ports, claim_ports):
            with pytest.raises(Unavailable, match=r"only 0 are free, 1 are needed"):
                draw(1, but=others)
        assert not any(map(claim_port, drawn))
    assert set(free_ports(1, but=others)) < drawn


@pytest.mark.skipif(sys.platform != "linux", reason="a claim is a name of Linux'")
def test_a_home_that_comes_up_again_leaves_another_the_ports_that_it_has_meanwhile() -> None:
    with ports_of_another_home() as ports:
        assert len(ports) == 8
        assert not set(ports.values()) & set(Ports.choose(0, ports).named().values())


@pytest.mark.skipif(sys.platform != "linux", reason="a claim is a name of Linux'")
def test_what_a_process_has_claimed_it_draws_not_again_until_it_is_released() -> None:
    mine = claim_ports(8)
    others = set(PORTS) - set(mine)
    assert all(map(claim_port, mine))
    with pytest.raises(Unavailable):
        claim_ports(1, but=others)
    for port in mine:
        release_port(port)
    assert set(free_ports(1, but=others)) < set(mine)


def test_the_address_of_flink_is_that_of_each_job_manager() -> None:
    alone = Ports(*range(1, 10))
    assert alone.flink == f"http://127.0.0.1:{alone.flink_rest}"
    both = replace(alone, more={"flink_rest-2": 99})
    assert both.flink == f"{alone.flink},http://127.0.0.1:99"


def test_what_is_acknowledged_is_on_a_majority_of_the_brokers() -> None:
    several = broker_settings(SCALED.brokers)
    assert (several["default.replication.factor"], several["min.insync.replicas"]) == ("3", "2")
    assert "min.insync.replicas" not in broker_settings()


def test_the_engines_of_a_scaled_home_are_named_by_all_their_servers(home: Home) -> None:
    chosen = Ports.choose(8000, {}, more=SCALED.port_names)
    engines = engines_by(Settings(), home, chosen, SCALED, 8)
    assert engines.kafka.servers == [("127.0.0.1", chosen.of("kafka", number)) for number in (1, 2, 3)]
    assert engines.redis.cluster
    assert engines.redis.servers == tuple(("127.0.0.1", chosen.of("redis", number)) for number in range(1, 7))
