"""Consumers of kafka-python that leave nothing behind where they can't be opened."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError, UnknownTopicOrPartitionError
from kafka.net.compat import KafkaNetClient

from features.engines.kafka_address import KafkaAddress


def open_consumer(address: KafkaAddress, **options: Any) -> KafkaConsumer:
    """A consumer that commits nothing. options: further ones of KafkaConsumer. Raises KafkaError where no broker answers in time,
    and BadInput for files of TLS that can't be used; the client's thread and sockets, which a constructor that fails would leave,
    are closed then."""
    clients: list[Any] = []

    def client(**config: Any) -> Any:
        clients.append(KafkaNetClient(**config))
        return clients[0]

    try:
        return KafkaConsumer(**address.client_options(), enable_auto_commit=False, kafka_client=client, **options)
    except BaseException:
        for each in clients:
            each.close()
        raise


@contextmanager
def closed_on_failure(consumer: KafkaConsumer) -> Iterator[KafkaConsumer]:
    """Close a consumer, whose thread would stay, where what is done to get it ready fails. Raises UnknownTopicOrPartitionError
    for the KeyError that kafka-python makes of a topic that was made this moment."""
    try:
        yield consumer
    except BaseException as error:
        with suppress(KafkaError):
            consumer.close()
        if isinstance(error, KeyError):
            raise UnknownTopicOrPartitionError(str(error)) from error
        raise
