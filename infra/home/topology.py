"""How many processes `up` starts of each engine: one of each, or, in a home that is made with `--scale`, so many that each may
die."""

from typing import Final, NamedTuple


class Topology(NamedTuple):
    """
    brokers       of Kafka; each is a controller, too
    primaries     of Redis; more than one are a Redis Cluster
    replicas      of each primary
    job_managers  of Flink, of which one leads
    coordinators  servers of ZooKeeper, by which it is agreed which one; 0: there is one JobManager alone
    api           processes of the API, where the settings say none
    parallelism   of the job, where nobody has said another
    """

    brokers: int = 1
    primaries: int = 1
    replicas: int = 0
    job_managers: int = 1
    coordinators: int = 0
    api: int = 1
    parallelism: int = 1

    @property
    def redis_servers(self) -> int:
        return self.primaries * (1 + self.replicas)

    @property
    def port_names(self) -> list[str]:
        """Names of the ports beside those that each home has (`infra.home.ports.Ports`)."""
        counts = {
            "kafka": self.brokers,
            "kafka_controller": self.brokers,
            "redis": self.redis_servers,
            "flink_rest": self.job_managers,
            "flink_rpc": self.job_managers,
        }
        further = [f"{name}-{number}" for name, count in counts.items() for number in range(2, count + 1)]
        in_cluster = self.redis_servers if self.primaries > 1 else 0
        own = {
            "redis_bus": in_cluster,
            "zookeeper": self.coordinators,
            "zookeeper_peer": self.coordinators,
            "zookeeper_vote": self.coordinators,
        }
        return [*further, *(f"{name}-{number}" for name, count in own.items() for number in range(1, count + 1))]


ALONE: Final = Topology()
SCALED: Final = Topology(brokers=3, primaries=3, replicas=1, job_managers=2, coordinators=3, api=2, parallelism=2)
"""A majority of three is left where one dies, and a replica takes the place of a primary."""
