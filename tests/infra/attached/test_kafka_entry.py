"""An attached Kafka at the door: what `up` creates, what it refuses, what it says to grant."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from features.engines.kafka_address import KafkaAddress
from features.engines.tls import Tls
from features.errors import BadInput, Unavailable
from features.keys import DEFAULT_PARTITIONS, EVENTS, ITEMS, REJECTED, SAMPLES, SCORES, SERVED, SHOWN
from infra.attached.kafka_entry import advertised_findings, enter_kafka, examine_kafka, expected_by
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.services.kafka_topics import topics_of
from offline.base.kafka_log import KafkaLog, Span
from tests.home import until
from tests.kafka_process import Broker, kafka_process
from tests.secured_engines import ALL_RIGHTS, Certificates, SecuredBroker, by_tls, certificates, secured_kafka

pytestmark = pytest.mark.services

BARE = 1
"""Replicas of a topic on one broker."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("kafka"), topics=False) as started:
        yield started


def record_of(folder: Path) -> HomeRecord:
    record = HomeRecord(Home(folder).make())
    record.describe("none", None)
    return record


def with_prefix(address: KafkaAddress, prefix: str) -> KafkaAddress:
    return msgspec.structs.replace(address, prefix=prefix)


def test_topics_are_created_once_and_known_again(broker: Broker, tmp_path: Path) -> None:
    address, record = with_prefix(broker.address, "a."), record_of(tmp_path)
    assert enter_kafka(address, record, BARE).endswith("7 topics created")
    assert record.topics.keys() == {f"a.{name}" for name in (EVENTS, REJECTED, SERVED, SHOWN, SAMPLES, SCORES, ITEMS)}
    assert not enter_kafka(address, HomeRecord(Home(tmp_path)), BARE).endswith("created")
    with KafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        producer.send("a.events", b"{}", partition=3).get(10)
    assert not enter_kafka(address, HomeRecord(Home(tmp_path)), BARE).endswith("created")
    (written,) = KafkaLog(address).read(Span(EVENTS, 3, 0, 1))
    assert written.value == b"{}"


def test_two_homes_share_a_kafka_by_prefix_and_none_by_the_same(broker: Broker, tmp_path: Path) -> None:
    first, second = record_of(tmp_path / "1"), record_of(tmp_path / "2")
    enter_kafka(with_prefix(broker.address, "one."), first, BARE)
    enter_kafka(with_prefix(broker.address, "two."), second, BARE)
    assert not first.topics.keys() & second.topics.keys()
    with KafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        producer.send("one.events", b"{}", partition=0).get(10)
    third = record_of(tmp_path / "3")
    with pytest.raises(
        BadInput, match=r"topic one\.events: expected a topic that is empty or this home's, got 1 records"
    ):
        enter_kafka(with_prefix(broker.address, "one."), third, BARE)
    assert third.topics == {}


def test_a_topic_of_another_shape_is_refused(broker: Broker, tmp_path: Path) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic("odd.events", DEFAULT_PARTITIONS + 1, 1), NewTopic("short.items", 1, 1)])
    admin.wait_for_topics(["odd.events", "short.items"])
    admin.close()
    with pytest.raises(BadInput, match=r"topic odd\.events: expected 8 partitions, got 9"):
        enter_kafka(with_prefix(broker.address, "odd."), record_of(tmp_path), BARE)
    divided = msgspec.structs.replace(with_prefix(broker.address, "odd."), partitions=64)
    with pytest.raises(BadInput, match=r"topic odd\.events: expected 64 partitions, got 9"):
        enter_kafka(divided, record_of(tmp_path), BARE)
    compacted = with_prefix(broker.address, "short.")
    found = list(examine_kafka(compacted, expected_by(record_of(tmp_path))))
    assert not [each for each in found if each.help], "the broker's defaults are those of `up`"


def test_a_topic_that_goes_by_the_clusters_defaults_is_examined_too(broker: Broker, tmp_path: Path) -> None:
    """Somebody else may have made it, in a cluster that keeps records for a week."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    everywhere = (ConfigResourceType.BROKER, str(admin.describe_cluster()["brokers"][0]["broker_id"]))
    admin.create_topics([NewTopic("week.items", 1, 1)])
    admin.wait_for_topics(["week.items"])
    admin.alter_configs([ConfigResource(*everywhere, {"log.retention.ms": "604800000"})])
    address = with_prefix(broker.address, "week.")
    try:
        help_ = "kafka-configs.sh --alter --topic week.items --add-config retention.ms=-1"
        until(lambda: help_ in helps(address, tmp_path), 20, "it is seen")
    finally:
        admin.alter_configs([ConfigResource(*everywhere, {"log.retention.ms": "-1"})])
        until(lambda: not helps(address, tmp_path), 20, "it is as it was")
        admin.close()


def test_a_topic_that_was_deleted_and_made_anew_is_not_the_homes(broker: Broker, tmp_path: Path) -> None:
    address, record = with_prefix(broker.address, "lost."), record_of(tmp_path)
    enter_kafka(address, record, BARE)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_topics(["lost.items"])
    until(lambda: "lost.items" not in admin.list_topics(), 30, "Kafka has forgotten it")
    with pytest.raises(BadInput, match=r"topic lost\.items: expected the topic with the id .*, got none"):
        enter_kafka(address, record, BARE)
    admin.create_topics([NewTopic("lost.items", 1, 1)])
    admin.wait_for_topics(["lost.items"])
    admin.close()
    with pytest.raises(BadInput, match=r"topic lost\.items: expected the topic with the id .* made anew"):
        enter_kafka(address, record, BARE)


def test_another_cluster_is_refused(broker: Broker, tmp_path: Path) -> None:
    record = record_of(tmp_path)
    record.put_log("elsewhere", {"x.events": "1"})
    with pytest.raises(BadInput, match="Kafka: cluster: expected cluster elsewhere, which has this home's log, got "):
        enter_kafka(with_prefix(broker.address, "x."), record, BARE)


def test_the_prefix_of_a_home_stays(broker: Broker, tmp_path: Path) -> None:
    record = record_of(tmp_path)
    enter_kafka(with_prefix(broker.address, "before."), record, BARE)
    refusal = r"Kafka: topics: expected a kafka\.topic_prefix by which the home's log is before\.events, got 'after\.'"
    with pytest.raises(BadInput, match=refusal):
        enter_kafka(with_prefix(broker.address, "after."), record, BARE)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    assert not [name for name in admin.list_topics() if name.startswith("after.")]
    admin.close()


def test_a_broker_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"Kafka: 127\.0\.0\.1:9: .*refused"):
        enter_kafka(KafkaAddress("127.0.0.1:9"), record_of(tmp_path), BARE)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(drawn: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_kafka(tmp_path_factory.mktemp("secured"), drawn, drawn.signed("IP:127.0.0.1")) as started:
        yield started


def helps(address: KafkaAddress, folder: Path) -> list[str]:
    return [each.help for each in examine_kafka(address, expected_by(record_of(folder))) if each.help]


def test_missing_rights_name_the_acl(secured: SecuredBroker, tmp_path: Path) -> None:
    address = with_prefix(secured.address, "little.")
    found = helps(address, tmp_path)
    to = "--topic 'little.' --resource-pattern-type prefixed"
    granting = f"kafka-acls.sh --add --allow-principal User:martlet {to} --operation "
    assert {each.removeprefix(granting) for each in found if each.startswith(granting)} == {
        "Read", "Write", "Describe", "DescribeConfigs", "Create",
    }  # fmt: skip
    assert any("--operation Read --group 'little.martlet-job'" in each for each in found)
    secured.grant("little.", ("READ", "WRITE", "DESCRIBE", "CREATE", "GROUP_READ"))
    assert [each.rpartition(" ")[2] for each in helps(address, tmp_path)] == ["DescribeConfigs"]
    with pytest.raises(
        BadInput, match=r"Kafka: rights, DescribeConfigs: expected .* on little\.events, .* for User:martlet"
    ):
        enter_kafka(address, record_of(tmp_path), BARE)


def test_a_home_enters_by_tls_and_password(secured: SecuredBroker, tmp_path: Path) -> None:
    secured.grant("shop.", ALL_RIGHTS)
    assert enter_kafka(secured.address, record_of(tmp_path), BARE).endswith("7 topics created")
    with KafkaProducer(**secured.address.client_options()) as producer:
        producer.send("shop.events", b"{}", partition=1).get(10)
    log = KafkaLog(secured.address, patience=20)
    assert [span.end for span in log.spans(EVENTS)] == [0, 1, 0, 0, 0, 0, 0, 0]
    assert [record.value for record in log.read(Span(EVENTS, 1, 0, 1))] == [b"{}"]


def test_a_client_with_a_certificate_alone_is_granted_by_its_subject(secured: SecuredBroker, tmp_path: Path) -> None:
    address = with_prefix(secured.certified, "certified.")
    assert all("--allow-principal User:CN=test " in each for each in helps(address, tmp_path))
    secured.grant("certified.", ALL_RIGHTS, user="CN=test")
    assert enter_kafka(address, record_of(tmp_path), BARE).endswith("7 topics created")


def test_a_client_without_a_certificate_is_asked_for_one(
    secured: SecuredBroker, drawn: Certificates, tmp_path: Path
) -> None:
    bare = msgspec.structs.replace(secured.certified, tls=Tls(drawn.ca))
    assert any("does it ask for a certificate" in each or "another protocol" in each for each in helps(bare, tmp_path))


def test_a_certificate_of_ones_own_that_ran_out_is_named(
    secured: SecuredBroker, drawn: Certificates, tmp_path: Path
) -> None:
    late = msgspec.structs.replace(secured.certified, tls=Tls(drawn.ca, drawn.signed("DNS:client.example", -1)))
    with pytest.raises(
        BadInput, match=r"Kafka: certificate: expected .* valid now, .*has expired.*renew kafka\.certificate"
    ):
        enter_kafka(late, record_of(tmp_path), BARE)


@pytest.mark.parametrize(
    ("name", "days", "reason"),
    [("IP:127.0.0.1", -1, "certificate has expired"), ("DNS:elsewhere.example", 2, "IP address mismatch")],
)
def test_a_brokers_certificate_that_ran_out_or_is_anothers_is_refused(
    broker: Broker, drawn: Certificates, tmp_path: Path, name: str, days: int, reason: str
) -> None:
    with by_tls(int(broker.bootstrap.rpartition(":")[2]), drawn.signed(name, days)) as port:
        address = KafkaAddress(f"127.0.0.1:{port}", tls=Tls(drawn.ca))
        with pytest.raises(BadInput, match=f"expected a certificate for 127.0.0.1 that is valid now, .*{reason}"):
            enter_kafka(address, record_of(tmp_path), BARE)


def test_each_broker_that_the_cluster_names_is_reached(broker: Broker) -> None:
    """The one that is named in the settings may be entered, and another one not."""
    host, _, port = broker.bootstrap.rpartition(":")
    own, other = {"host": host, "port": int(port)}, {"host": "127.0.0.1", "port": 1}
    (found,) = advertised_findings(broker.address, [own, other])
    assert found.error is not None
    assert "127.0.0.1:1" in found.found


def test_brokers_of_an_older_version_are_refused(broker: Broker, tmp_path: Path) -> None:
    *_, last = examine_kafka(broker.address, expected_by(record_of(tmp_path)), oldest=(99, 0))
    assert (last.name, last.help) == ("Kafka: version", "upgrade the brokers")
    assert "expected 99.0 or newer" in str(last.error)


def test_topics_with_replicas_are_acknowledged_by_two(broker: Broker) -> None:
    assert {each.topic_configs["min.insync.replicas"] for each in topics_of(broker.address, 3)} == {"2"}
    assert not any("min.insync.replicas" in each.topic_configs for each in topics_of(broker.address, 2))


def test_the_doctor_says_how_many_replicas_have_an_event(broker: Broker, tmp_path: Path) -> None:
    address = with_prefix(broker.address, "counted.")
    enter_kafka(address, record_of(tmp_path), BARE)
    found = {each.name: each.found for each in examine_kafka(address, expected_by(HomeRecord(Home(tmp_path))))}
    assert found["Kafka: replicas"] == "1, of which 1 have an event before it is acknowledged"


def test_a_wrong_password_is_named(secured: SecuredBroker, tmp_path: Path) -> None:
    wrong = msgspec.structs.replace(secured.address, password="guessed")
    with pytest.raises(Unavailable, match=r"Kafka: login: .*does it know kafka\.user, with kafka\.password") as refused:
        enter_kafka(wrong, record_of(tmp_path), BARE)
    assert "guessed" not in str(refused.value)


def test_an_authority_that_is_not_trusted_is_named(
    secured: SecuredBroker, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = certificates(tmp_path_factory.mktemp("others"))
    stranger = msgspec.structs.replace(secured.address, tls=Tls(other.ca))
    with pytest.raises(BadInput, match=r"expected a certificate for 127\.0\.0\.1 .*, got .*certificate"):
        enter_kafka(stranger, record_of(tmp_path), BARE)
