"""An attached Kafka: examined by `doctor`, entered by `up`."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic, OffsetSpec
from kafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
)

from features.engines.kafka_address import KafkaAddress
from features.engines.own_certificate import kafka_principal, shown_by_client
from features.errors import Unavailable
from features.keys import EVENTS
from infra.attached.findings import Finding, away, refused, require_well, well
from infra.attached.reaching import reach, tls_finding
from infra.home.record import HomeRecord
from infra.services.kafka_topics import IN_SYNC, required_configs, topics_of
from streaming.settings import GROUP

OLDEST: Final = (3, 0)
"""The first version of brokers that is supported."""
REQUEST_MS: Final = 10_000
_LOGIN: Final = "does it know kafka.user, with kafka.password, by kafka.mechanism?"
_UNKNOWN, _FORBIDDEN = 3, 29
"""Codes of Kafka's for a topic that is missing, and for one that the user may not know of."""
_RIGHTS: Final = {"READ": "Read", "WRITE": "Write", "DESCRIBE": "Describe", "DESCRIBE_CONFIGS": "DescribeConfigs"}
"""Operations that each topic of a home needs, as Kafka's protocol and as its tools name them."""


class Expected(NamedTuple):
    """What a home expects of a Kafka: its cluster ("": any) and the ids of its topics by name (empty: it has none yet)."""

    cluster_id: str
    topics: Mapping[str, str]


def expected_by(record: HomeRecord) -> Expected:
    """Returns what a home expects of an attached Kafka."""
    return Expected(record.cluster_id if record.topics else "", record.topics)


def enter_kafka(address: KafkaAddress, record: HomeRecord, replication: int) -> str:
    """Examine a Kafka, create the topics that it lacks, and record that they are the home's; returns how to name it. Raises
    BadInput where it won't do, or what it has is not the home's, Unavailable if it does not answer."""
    require_well(examine_kafka(address, expected_by(record)))
    wanted = topics_of(address, replication)
    try:
        with _admin(address) as admin:
            cluster, described = admin.describe_cluster(), _described(admin, wanted)
            missing = [topic for topic in wanted if described[topic.name]["error_code"] == _UNKNOWN]
            for topic in missing:
                _create(admin, topic)
            if missing:
                admin.wait_for_topics([topic.name for topic in wanted])
            ids = {name: str(each["topic_id"]) for name, each in _described(admin, wanted).items()}
    except KafkaError as error:
        raise Unavailable(f"Kafka at {address.bootstrap}: its topics could not be made or read: {error!r}") from error
    record.put_log(cluster["cluster_id"], ids)
    record.save()
    created = f", {len(missing)} topics created" if missing else ""
    return f"attached: cluster {cluster['cluster_id']}{created}"


def examine_kafka(address: KafkaAddress, expected: Expected, oldest: tuple[int, ...] = OLDEST) -> Iterator[Finding]:
    """Yields what is found, up to the first finding after which nothing else can be asked. oldest: the version that all brokers
    must have reached."""
    if (unusable := tls_finding("Kafka", "kafka", address.tls)) is not None:
        yield unusable
        return
    reached = [reach("Kafka", host, port, address.tls) for host, port in address.servers]
    bad = [each for each in reached if each.help]
    fatal = next((each for each in bad if not isinstance(each.error, Unavailable)), None)
    if fatal is not None or len(bad) == len(reached):
        yield fatal or bad[0]
        return
    yield from (each for each in reached if not each.help)
    try:
        with _admin(address) as admin:
            yield from _examine(admin, address, expected, oldest)
    except SaslAuthenticationFailedError as error:
        yield refused("Kafka: login", "a user and a password that it knows", str(error), _LOGIN)
    except KafkaError as error:  # it ends the connection of who can't log in, without a word
        name, help_ = (
            (
                "Kafka",
                "does this port speak another protocol, and do brokers answer where the cluster says that they are?",
            )
            if address.user is None
            else ("Kafka: login", _LOGIN)
        )
        yield away(name, f"{address.bootstrap}: {error!r}"[:300], help_)


@contextmanager
def _admin(address: KafkaAddress) -> Iterator[Any]:
    admin = KafkaAdminClient(
        **address.client_options(),
        request_timeout_ms=REQUEST_MS,
        bootstrap_timeout_ms=REQUEST_MS,
        max_in_flight_requests_per_connection=1,
    )
    try:
        yield admin
    finally:
        admin.close()


def _examine(admin: Any, address: KafkaAddress, expected: Expected, oldest: tuple[int, ...]) -> Iterator[Finding]:
    cluster = admin.describe_cluster()
    found = str(cluster["cluster_id"])
    if expected.cluster_id and found != expected.cluster_id:
        yield refused(
            "Kafka: cluster",
            f"cluster {expected.cluster_id}, which has this home's log",
            found,
            "kafka.bootstrap names another Kafka",
        )
        return
    yield well("Kafka: cluster", f"{found}, {len(cluster['brokers'])} brokers")
    reached = advertised_findings(address, cluster["brokers"])
    yield from reached
    if any(each.help for each in reached):
        return
    version = min(_versions(admin, cluster["brokers"]))
    named = ".".join(map(str, version))
    if version < oldest:
        yield refused("Kafka: version", f"{'.'.join(map(str, oldest))} or newer", named, "upgrade the brokers")
        return
    yield well("Kafka: version", named)
    wanted = topics_of(address)
    if others := sorted(set(expected.topics) - {topic.name for topic in wanted}):
        yield refused(
            "Kafka: topics",
            f"a kafka.topic_prefix by which the home's log is {others[0]}",
            repr(address.prefix),
            "the log stays where it is: give the prefix of before",
        )
        return
    described = _described(admin, wanted)
    yield from _examine_rights(admin, address, wanted, described)
    yield from _examine_topics(admin, expected, wanted, described)


def advertised_findings(address: KafkaAddress, brokers: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Returns what came of connecting to those of a cluster's brokers that the settings don't name, by the address at which it
    says that they are: clients go there."""
    advertised = {(each["host"], each["port"]) for each in brokers} - set(address.servers)
    return [reach("Kafka", host, port, address.tls) for host, port in sorted(advertised)]


def _versions(admin: Any, brokers: Sequence[Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """Returns the versions of a cluster's brokers, but those that don't answer: one that the settings name may be away. Raises
    KafkaError if none does."""
    found, failure = [], None
    for each in brokers:
        try:
            found.append(admin.get_broker_version_data(each["broker_id"]).broker_version)
        except KafkaError as error:
            failure = error
    if not found and failure is not None:
        raise failure
    return found


def _described(admin: Any, wanted: list[NewTopic]) -> dict[str, Any]:
    return {each["name"]: each for each in admin.describe_topics([topic.name for topic in wanted])}


def _examine_rights(
    admin: Any, address: KafkaAddress, wanted: list[NewTopic], described: Mapping[str, Any]
) -> Iterator[Finding]:
    user = f"User:{_principal(address)}"
    pattern = f"--topic '{address.prefix or '*'}'{' --resource-pattern-type prefixed' if address.prefix else ''}"
    principal = shlex.quote(user)
    granting = f"kafka-acls.sh --add --allow-principal {principal} {pattern}"
    lacking: dict[str, list[str]] = {}
    for topic in wanted:
        each = described[topic.name]
        held = set(each["authorized_operations"] or ()) if each["error_code"] != _FORBIDDEN else set()
        needed = _RIGHTS | ({"CREATE": "Create"} if each["error_code"] else {})
        for name in (shown for operation, shown in needed.items() if operation not in held):
            lacking.setdefault(name, []).append(topic.name)
    if "Create" in lacking and "CREATE" in (admin.describe_cluster()["authorized_operations"] or ()):
        del lacking["Create"]
    for operation, names in lacking.items():
        yield refused(
            f"Kafka: rights, {operation}",
            f"{operation} on {', '.join(names)} for {user}",
            "no such ACL",
            f"{granting} --operation {operation}",
        )
    group = address.prefix + GROUP
    try:
        admin.describe_groups([group])
    except GroupAuthorizationFailedError:
        yield refused(
            "Kafka: rights, group", f"Read on the group {group} for {user}", "no such ACL",
            f"kafka-acls.sh --add --allow-principal {principal} --operation Read --group '{group}'",
        )  # fmt: skip
        return
    except KafkaError:  # no group was ever made there: whether one may be is not known
        pass
    if not lacking:
        yield well("Kafka: rights", f"{user} may read, write and describe the topics {address.prefix}…")


def _principal(address: KafkaAddress) -> str:
    """Returns whom Kafka takes a client for."""
    if address.user is not None:
        return address.user
    if address.tls is None or address.tls.certificate is None:
        return "ANONYMOUS"
    return kafka_principal(shown_by_client(address.tls.certificate)) or f"the subject of {address.tls.certificate}"


def _examine_topics(
    admin: Any, expected: Expected, wanted: list[NewTopic], described: Mapping[str, Any]
) -> Iterator[Finding]:
    present = [topic for topic in wanted if not described[topic.name]["error_code"]]
    for topic in wanted:
        each, label = described[topic.name], f"Kafka: topic {topic.name}"
        known = expected.topics.get(topic.name)
        if topic not in present:
            if known is not None:
                yield refused(
                    label, f"the topic with the id {known}", "none", "it was deleted, and with it the home's log"
                )
            continue
        if len(each["partitions"]) != topic.num_partitions:
            yield refused(
                label,
                f"{topic.num_partitions} partitions",
                str(len(each["partitions"])),
                "another kafka.topic_prefix, or delete the topic",
            )
        elif known is not None and str(each["topic_id"]) != known:
            yield refused(
                label,
                f"the topic with the id {known}",
                str(each["topic_id"]),
                "it was deleted and made anew: its log is not this home's",
            )
        elif known is None and (records := _records(admin, topic)):
            yield refused(
                label,
                "a topic that is empty or this home's",
                f"{records} records of another home",
                "another kafka.topic_prefix",
            )
    yield from _examine_configs(admin, present)
    yield from _examine_replicas(admin, present, described)
    if present and len(present) == len(wanted) and expected.topics:
        yield well("Kafka: topics", "this home's")


def _records(admin: Any, topic: NewTopic) -> int:
    """Returns how many records a topic has had."""
    parts = [TopicPartition(topic.name, number) for number in range(topic.num_partitions)]
    return sum(found.offset for found in admin.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.LATEST)).values())


def _examine_configs(admin: Any, present: list[NewTopic]) -> Iterator[Finding]:
    for topic in present:
        found = _configs(admin, topic)
        for name, wanted in required_configs(topic).items():
            if name in found and not _will_do(name, wanted, found[name]):
                yield refused(
                    f"Kafka: topic {topic.name}", f"{name}={wanted}", found[name],
                    f"kafka-configs.sh --alter --topic {topic.name} --add-config {name}={wanted}",
                )  # fmt: skip


def _examine_replicas(admin: Any, present: list[NewTopic], described: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields how many replicas have an event at least once it is acknowledged."""
    for topic in (each for each in present if each.name.endswith(EVENTS)):
        replicas = min(len(each["replica_nodes"]) for each in described[topic.name]["partitions"])
        value = _configs(admin, topic).get("min.insync.replicas")
        if value is None:  # the right to describe settings may be missing, which is a finding of its own
            return
        in_sync = int(value)
        alone = (
            f": with min.insync.replicas={IN_SYNC} none is lost with a broker" if in_sync < IN_SYNC <= replicas else ""
        )
        yield well("Kafka: replicas", f"{replicas}, of which {in_sync} have an event before it is acknowledged{alone}")


def _configs(admin: Any, topic: NewTopic) -> dict[str, str]:
    """Returns the settings of a topic, those that are the cluster's defaults among them."""
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)], config_filter="all")
    return {name: str(entry["value"]) for name, entry in found["topic"][topic.name].items()}


def _will_do(name: str, wanted: str, held: str) -> bool:
    return int(held) >= int(wanted) if name == "max.message.bytes" else held == wanted


def _create(admin: Any, topic: NewTopic) -> None:
    try:
        admin.create_topics([topic])
    except TopicAlreadyExistsError:
        return
    except KafkaError as error:
        raise Unavailable(f"Kafka: the topic {topic.name} could not be made: {error}") from error
