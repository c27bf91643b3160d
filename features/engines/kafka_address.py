"""Where Kafka is, how it is entered, and how the home's log is divided there, for every client in Python;
`streaming.kafka_properties` has how it is entered for Java's."""

from typing import Any, Literal

import msgspec

from features.engines.passwords import KAFKA_VARIABLE, password_of
from features.engines.tls import Tls
from features.ids import OuterId
from features.keys import DEFAULT_PARTITIONS, partition_of

Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


class KafkaAddress(msgspec.Struct, frozen=True):
    """
    bootstrap  host:port of one broker or several, separated by commas
    prefix     what the names of all topics and consumer groups of the home begin with
    tls        None: plain text
    user       whom SASL names; None: no SASL
    password   of that user
    password_from  environment variable that has it where the address is used, in place of it
    mechanism  of SASL
    partitions of each topic of users: `events`, `served`, `shown` and `samples`
    """

    bootstrap: str
    prefix: str = ""
    tls: Tls | None = None
    user: str | None = None
    password: str | None = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    partitions: int = DEFAULT_PARTITIONS
    password_from: str | None = None

    def without_password(self) -> "KafkaAddress":
        """Returns the address as another machine may be told it: the password is in its environment."""
        if self.password is None:
            return self
        return msgspec.structs.replace(self, password=None, password_from=KAFKA_VARIABLE)

    def topic(self, name: str) -> str:
        """Returns the name in Kafka of a topic of the home (`features.keys`).

        >>> KafkaAddress("kafka:9092", prefix="shop.").topic("events")
        'shop.events'
        """
        return self.prefix + name

    def partition_of(self, user: OuterId) -> int:
        """Returns the partition, in each topic of users, with the records of the user with this id outside."""
        return partition_of(user, self.partitions)

    @property
    def servers(self) -> list[tuple[str, int]]:
        """Host and port of each server that `bootstrap` names.

        >>> KafkaAddress("a:9092,[::1]:9093").servers
        [('a', 9092), ('::1', 9093)]
        """
        pieces = (each.strip().rpartition(":") for each in self.bootstrap.split(","))
        return [(host.strip("[]"), int(port)) for host, _, port in pieces]

    @property
    def protocol(self) -> str:
        """Kafka's name of the way in: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        transport = "PLAINTEXT" if self.tls is None else "SSL"
        return transport if self.user is None else f"SASL_{transport}"

    def client_options(self) -> dict[str, Any]:
        """Returns the options by which a client of kafka-python or aiokafka connects. Raises BadInput for files of TLS that can't
        be used, and where the environment lacks the password."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap.split(","), "security_protocol": self.protocol}
        if self.tls is not None:
            options["ssl_context"] = self.tls.context()
        if self.user is not None:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": password_of(self.password, self.password_from) or "",
            }
        return options

    def __repr__(self) -> str:
        """Where it is, without the password."""
        return f"KafkaAddress({self.bootstrap!r}, {self.prefix!r}, {self.protocol}, user {self.user!r})"
