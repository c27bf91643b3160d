"""Where the services of a home listen: the same ports as last time where they are still free."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.system.processes import free_ports, is_free

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where the services of one home listen, all on loopback."""

    api: int
    redis: int
    kafka: int
    kafka_controller: int
    flink_rpc: int
    flink_rest: int
    model_rest: int
    model_grpc: int
    watch: int

    @property
    def address(self) -> str:
        """Of the API and the pages."""
        return f"http://{LOOPBACK}:{self.api}"

    @property
    def bootstrap(self) -> str:
        """Of Kafka, as its clients want it."""
        return f"{LOOPBACK}:{self.kafka}"

    @property
    def flink(self) -> str:
        """Of Flink's page and REST interface."""
        return f"http://{LOOPBACK}:{self.flink_rest}"

    @classmethod
    def choose(cls, api: int, before: Mapping[str, int]) -> "Ports":
        """The ports of last time where they are still free, else free ones."""
        names = [name for name in cls.__dataclass_fields__ if name != "api"]
        fresh = free_ports(len(names))
        return cls(
            api=api,
            **{
                name: before[name] if before.get(name) and is_free(before[name]) else port
                for name, port in zip(names, fresh, strict=True)
            },
        )
