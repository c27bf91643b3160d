"""Which Kafka has a home's log: the one that is attached, or the one that `up` starts. That is settled when it is first made."""

from features.errors import BadInput
from infra.home.paths import Home
from infra.home.record import HomeRecord

SETTING = "kafka.bootstrap"


def check_log(home: Home, record: HomeRecord, is_attached: bool) -> None:
    """Raise BadInput where the home's log is in the other Kafka. is_attached: whether the settings name one."""
    if is_attached and not record.topics and home.kafka_meta.exists():
        raise BadInput(SETTING, "none: this home's log is in the Kafka that `up` starts", "one to attach to")
    if record.topics and not is_attached:
        expected = f"the Kafka with this home's log, cluster {record.cluster_id}"
        raise BadInput(SETTING, expected, "none: the home was made with an attached one")
