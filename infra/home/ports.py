"""The ports of a home's services: those of the last start where they are still free."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from features.engines.loopback import LOOPBACK
from features.errors import BadInput
from infra.system.processes import claim_port, claim_ports, release_port, require_free

USUAL = {"kafka": 9092, "model_grpc": 8500, "model_rest": 8501}
"""Ports by which producers and callers of a model server expect these services."""


@dataclass(frozen=True)
class Ports:
    """Ports of the services of one home, all on loopback; `watch` is the monitor's, `more` those of further servers of an engine
    (`infra.home.topology`), as "kafka-2"."""

    api: int
    redis: int
    kafka: int
    kafka_controller: int
    flink_rpc: int
    flink_rest: int
    model_rest: int
    model_grpc: int
    watch: int
    more: Mapping[str, int] = field(default_factory=dict)

    def of(self, name: str, number: int) -> int:
        """Returns the port of an engine's server `number`, from 1 on.

        >>> Ports(*range(1, 10), more={"kafka-2": 92, "zookeeper-1": 81}).of("kafka", 2)
        92
        """
        key = f"{name}-{number}"
        port: int = self.more[key] if key in self.more or number > 1 else getattr(self, name)
        return port

    def named(self) -> dict[str, int]:
        """Returns every port by its name."""
        given = asdict(self)
        return {**given.pop("more"), **given}

    @property
    def address(self) -> str:
        """URL of the API and the pages."""
        return f"http://{LOOPBACK}:{self.api}"

    @property
    def flink(self) -> str:
        """URL of Flink's page and REST interface; of each JobManager, with commas between."""
        count = 1 + sum(name.startswith("flink_rest-") for name in self.more)
        return ",".join(f"http://{LOOPBACK}:{self.of('flink_rest', number)}" for number in range(1, count + 1))

    @classmethod
    def choose(
        cls, api: int, before: Mapping[str, int], usual: Mapping[str, int] = {}, more: Sequence[str] = ()
    ) -> "Ports":
        """Choose the ports, none of them the API's, with those named in `more`: those in `before` where they are still free, then
        those that are `usual` and nobody's, else any free ones. All are claimed: while a service of this home does not listen
        yet, or is restarted, no other home takes its port."""
        own = [name for name in cls.__dataclass_fields__ if name not in ("api", "more")]
        names = [*own, *more]
        taken = {name: port for name in names if (port := before.get(name)) and port != api and claim_port(port)}
        claimed = {name: port for name, port in usual.items() if name not in taken and port != api and claim_port(port)}
        known = {api, *taken.values(), *claimed.values()}
        missing = [name for name in names if name not in taken and name not in claimed]
        chosen = {**dict(zip(missing, claim_ports(len(missing), known), strict=True)), **claimed, **taken}
        return cls(api=api, **{name: chosen[name] for name in own}, more={name: chosen[name] for name in more})


@contextmanager
def claimed_api(port: int) -> Iterator[None]:
    """Hold the API's port for the services that this process will start: where the API has several processes they share it, and
    those of another home that comes up meanwhile could share it with them. Raises BadInput where somebody listens on it, or
    another home has claimed it."""
    require_free(port)
    if not claim_port(port):
        raise BadInput(
            "--port",
            "a port that no other home has (choose another with --port)",
            f"{port}, which another `up` has claimed",
        )
    try:
        yield
    finally:
        release_port(port)
