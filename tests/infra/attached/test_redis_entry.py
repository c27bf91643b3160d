"""An attached Redis at the door: whose it is, what its user may, whether its certificate is one to trust."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hiredis import pack_command

from features.engines.redis_address import RedisAddress
from features.engines.tls import Tls
from features.errors import BadInput, Unavailable
from features.keys import HOME_KEY, LOADED_KEY, user_key
from infra.attached.redis_entry import GRANT, claim_redis, enter_redis, examine_redis, version_finding
from infra.services.redis_instance import Instance, Instances, RedisRun
from online.redis_client.redis_reader import RedisReader
from streaming.redis_sink.redis_commands import UserWrite
from streaming.redis_sink.redis_writer import FeatureWriter
from tests.redis_process import RedisProcess, redis_process
from tests.secured_engines import PASSWORD, USER, Certificates, by_tls, certificates

pytestmark = pytest.mark.services


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as started:
        yield started


def plain(server: RedisProcess, database: int = 0) -> RedisAddress:
    return RedisAddress("127.0.0.1", server.port, database)


def test_a_redis_is_one_homes_a_database(server: RedisProcess) -> None:
    server.client.set("somebody's", "1")
    assert enter_redis(plain(server), "home-1").startswith("attached: Redis 8.")
    assert enter_redis(plain(server), "home-1")
    with pytest.raises(
        BadInput, match=r"Redis: owner: expected .* this home's or nobody's, got another home's: home-1"
    ):
        enter_redis(plain(server), "home-2")
    assert enter_redis(plain(server, 3), "home-2")
    assert server.client.get("somebody's") == b"1"
    assert sorted(server.client.keys("*")) == [HOME_KEY.encode(), b"somebody's"], "no key of the door's stays"


def test_nothing_is_tried_in_another_homes(server: RedisProcess) -> None:
    enter_redis(plain(server), "home-1")
    written = server.client.info("persistence")["rdb_changes_since_last_save"]
    with pytest.raises(BadInput, match="another home's: home-1"):
        enter_redis(plain(server), "home-2")
    assert [each.name for each in examine_redis(plain(server), "home-2") if each.help] == ["Redis: owner"]
    with pytest.raises(BadInput, match="another home's: home-1"):
        claim_redis(plain(server), "home-2")
    assert server.client.info("persistence")["rdb_changes_since_last_save"] == written


def test_one_that_drops_keys_is_refused(server: RedisProcess) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(BadInput, match="Redis: maxmemory-policy: expected noeviction, got allkeys-lru"):
        enter_redis(plain(server), "home-1")


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"redis_version": "6.2.14"}, "expected Redis 7.0 or newer, got 6.2.14"),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.9"}, "expected Valkey 7.2 or newer, got 7.1.9"),
        ({"redis_version": "7.0.0"}, "None"),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.1"}, "None"),
    ],
)
def test_an_older_version_is_refused(reported: dict[str, str], expected: str) -> None:
    """As INFO reports it: a Valkey says of itself that it is a Redis of an older version, too."""
    assert expected in str(version_finding(reported, "Redis").error)


def test_a_replica_is_refused(server: RedisProcess) -> None:
    server.client.replicaof("127.0.0.1", "9")
    with pytest.raises(BadInput, match="Redis: role: expected a primary, got a replica"):
        enter_redis(plain(server), "home-1")


def test_one_that_is_away_is_named() -> None:
    with pytest.raises(Unavailable, match=r"Redis: 127\.0\.0\.1:9: .*refused"):
        enter_redis(RedisAddress("127.0.0.1", 9), "home-1")


def set_user(server: RedisProcess, *rules: str) -> RedisAddress:
    client: Any = server.client  # of redis-py, without types
    client.execute_command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", *rules)
    return msgspec.structs.replace(plain(server), user=USER, password=PASSWORD)


def test_missing_rights_name_command_and_grant(server: RedisProcess) -> None:
    address = set_user(server, "~*", "&*", "+@all", "-eval", "-publish")
    helps = {each.name: each.help for each in examine_redis(address, "home-1") if each.help}
    assert helps == dict.fromkeys(("Redis: rights, eval", "Redis: rights, publish"), GRANT.format(user=USER))
    with pytest.raises(BadInput, match="Redis: rights, eval: expected that user martlet may"):
        enter_redis(address, "home-1")
    with pytest.raises(BadInput, match="Redis: login: expected a user and a password") as refused:
        enter_redis(msgspec.structs.replace(address, password="guessed"), "home-1")
    assert "guessed" not in str(refused.value)


def test_what_the_door_says_to_grant_will_do(server: RedisProcess) -> None:
    rules = GRANT.format(user=USER).split()[3:]
    address = set_user(
        server, "reset", "on", f">{PASSWORD}", *[rule for rule in rules if rule not in ("on", ">PASSWORD")]
    )
    assert not [each for each in examine_redis(address, "home-1") if each.help]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


def test_every_client_enters_by_tls_and_password(server: RedisProcess, drawn: Certificates, tmp_path: Path) -> None:
    entered = set_user(server, "~*", "&*", "+@all")
    with by_tls(server.port, drawn.signed("IP:127.0.0.1")) as port:
        address = msgspec.structs.replace(entered, port=port, tls=Tls(drawn.ca), database=2)
        assert enter_redis(address, "home-1")
        writer = FeatureWriter(address, 1, "users", 0)
        writer.put({user_key(7): UserWrite(1, 0, b"features")})
        writer.close()
        run = RedisRun(tmp_path / "redis_run.json", address)
        assert run.read_instances()[1] is None

        async def read() -> list[object]:
            reader = RedisReader(address)
            try:
                return await reader.read(user_key(7), [pack_command(("HGET", user_key(7), "v"))])
            finally:
                await reader.close()

        assert asyncio.run(read()) == [b"features"]


def test_a_server_that_wants_a_certificate_gets_ones_own(server: RedisProcess, drawn: Certificates) -> None:
    with by_tls(server.port, drawn.signed("IP:127.0.0.1"), drawn.ca) as port:
        own = RedisAddress("127.0.0.1", port, tls=Tls(drawn.ca, drawn.signed("DNS:client.example")))
        assert enter_redis(own, "home-1")
        writer = FeatureWriter(own, 1, "users", 0)
        writer.put({user_key(7): UserWrite(1, 0, b"features")})
        writer.close()
        assert server.client.hget(user_key(7), "v") == b"features"
        late = msgspec.structs.replace(own, tls=Tls(drawn.ca, drawn.signed("DNS:client.example", -1)))
        with pytest.raises(BadInput, match=r"Redis: certificate: .*has expired.*renew redis\.certificate"):
            enter_redis(late, "home-1")
        with pytest.raises((BadInput, Unavailable)):
            enter_redis(RedisAddress("127.0.0.1", port, tls=Tls(drawn.ca)), "home-1")


@pytest.mark.parametrize(
    ("name", "days", "reason"),
    [("IP:127.0.0.1", -1, "certificate has expired"), ("DNS:elsewhere.example", 2, "IP address mismatch")],
)
def test_a_certificate_that_ran_out_or_is_anothers_is_refused(
    server: RedisProcess, drawn: Certificates, name: str, days: int, reason: str
) -> None:
    with by_tls(server.port, drawn.signed(name, days)) as port:
        address = RedisAddress("127.0.0.1", port, tls=Tls(drawn.ca))
        with pytest.raises(BadInput, match=f"expected a certificate for 127.0.0.1 that is valid now, .*{reason}"):
            enter_redis(address, "home-1")


def test_a_port_that_speaks_no_tls_is_asked_about(server: RedisProcess, drawn: Certificates) -> None:
    with pytest.raises(Unavailable, match=r"does not answer within 5 s .*is TLS meant here"):
        enter_redis(RedisAddress("127.0.0.1", server.port, tls=Tls(drawn.ca)), "home-1")


def test_a_redis_without_a_file_of_its_writes_has_lost_them_after_a_restart(
    server: RedisProcess, tmp_path: Path
) -> None:
    run = RedisRun(tmp_path / "redis_run.json", plain(server))
    server.client.set(LOADED_KEY, 4)
    instances, loaded = run.read_instances()
    assert loaded == 4
    run.note(Instances(1.0, (Instance("another", "history", None),)))
    again, loaded = run.read_instances()
    assert (again.servers, loaded) == (instances.servers, None)
    server.client.config_set("appendonly", "yes")
    assert run.read_instances()[1] == 4
