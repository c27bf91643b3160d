"""What `doctor` finds out about the engines that the settings name."""

from collections.abc import Iterator

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.errors import BadInput
from infra.attached.findings import Finding, require_well
from infra.attached.flink_entry import flink_findings
from infra.attached.kafka_entry import examine_kafka, expected_by
from infra.attached.log_choice import check_log
from infra.attached.model_server_entry import examine_model_server
from infra.attached.reaching import reach
from infra.attached.redis_entry import examine_redis
from infra.attached.store_entry import CHECKPOINTS, MODELS, checkpoints_store, examine_store, mirrored_to
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.addresses import attached_kafka, attached_redis
from infra.settings.table import Settings
from infra.storage.file_store import FileStore


def attached_findings(home: Home, settings: Settings) -> Iterator[Finding]:
    """Yields what is found of each engine that is attached, whatever is wrong with another one. Raises Broken for a home whose
    record can't be read."""
    record = HomeRecord(home)
    try:
        record.divide(settings.kafka.partitions)
    except BadInput as error:
        yield Finding(error.where, error.received, f"it is {error.expected}", error)
    try:
        check_log(home, record, settings.kafka.bootstrap is not None)
    except BadInput as error:
        yield Finding(error.where, error.received, f"it is {error.expected}", error)
    if (kafka := attached_kafka(settings.kafka, home, record.partitions)) is not None:
        yield from examine_kafka(kafka, expected_by(record))
    if (redis := attached_redis(settings.redis, home)) is not None:
        yield from examine_redis(redis, record.home_id)
    if settings.flink.address is not None:
        yield from flink_findings(home, record, settings.flink, kafka, redis)
    yield from _store_findings(home, settings, record.home_id)
    if settings.models.server is not None:
        yield examine_model_server(settings.models.server)
    if settings.spark.master is not None and settings.spark.master.startswith("spark://"):
        host, _, port = settings.spark.master.removeprefix("spark://").split(",")[0].rpartition(":")
        yield reach("Spark", host, int(port), None)


def _store_findings(home: Home, settings: Settings, home_id: str) -> Iterator[Finding]:
    """Yields what is found of the stores that the settings name."""

    def opened(setting: str) -> FileStore | None:
        if setting == MODELS:
            mirrored = mirrored_to(settings, home_id)
            return None if mirrored is None else mirrored.opened()
        return None if settings.flink.checkpoints is None else checkpoints_store(home, settings, home_id)

    for setting in (CHECKPOINTS, MODELS):
        try:
            if (store := opened(setting)) is not None:
                yield examine_store(setting, store)
        except BadInput as error:
            yield Finding(setting, str(error), "is it mounted?", error)


def require_engines(home: Home, kafka: KafkaAddress, redis: RedisAddress) -> None:
    """Raises BadInput for a Kafka or a Redis that won't do or is not the home's, Unavailable if it does not answer."""
    record = HomeRecord(home)
    check_log(home, record, is_attached=True)
    require_well(examine_kafka(kafka, expected_by(record)))
    require_well(examine_redis(redis, record.home_id))
