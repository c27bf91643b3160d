"""The ports of a home's services: those of the last start where they are still free."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.system.processes import free_ports, is_free

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Ports of the services of one home, all on loopback; `watch` is the monitor's."""

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
        """URL of the API and the pages."""
        return f"http://{LOOPBACK}:{self.api}"

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap address, host:port."""
        return f"{LOOPBACK}:{self.kafka}"

    @property
    def flink(self) -> str:
        """URL of Flink's page and REST interface."""
        return f"http://{LOOPBACK}:{self.flink_rest}"

    @classmethod
    def choose(cls, api: int, before: Mapping[str, int]) -> "Ports":
        """Choose the ports: those in `before` where they are still free, else any free ones."""
        names = [name for name in cls.__dataclass_fields__ if name != "api"]
        free = free_ports(len(names))
        return cls(
            api=api,
            **{
                name: before[name] if before.get(name) and is_free(before[name]) else port
                for name, port in zip(names, free, strict=True)
            },
        )
