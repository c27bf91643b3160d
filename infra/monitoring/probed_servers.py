"""Servers that are only to answer, beside the engines that a snapshot reads: the API's processes and the model server."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from infra.attached.model_server_entry import examine_model_server
from infra.monitoring.snapshot import API, MODEL_SERVER
from infra.system import probes

Addresses = Callable[[], Sequence[str]]
"""Returns the addresses at which a server is to answer as of now: none where it is not to, or not yet."""


class ProbedServer(NamedTuple):
    """A server: its name in a snapshot, where it is, and how it is probed. `probe` raises MartletError for an address that gives
    no answer."""

    name: str
    addresses: Addresses
    probe: Callable[[str], None]

    def answers(self) -> bool:
        """Returns whether there is anything to answer. Raises MartletError for the first address that gives no answer."""
        addresses = self.addresses()
        for each in addresses:
            self.probe(each)
        return bool(addresses)


def probed_servers(api: Addresses, model_server: Addresses) -> tuple[ProbedServer, ...]:
    """Returns both servers."""
    return ProbedServer(API, api, _probe_api), ProbedServer(MODEL_SERVER, model_server, _probe_model_server)


def _probe_api(address: str) -> None:
    probes.http_status(f"{address}/healthz")


def _probe_model_server(address: str) -> None:
    error = examine_model_server(address).error
    if error is not None:
        raise error
