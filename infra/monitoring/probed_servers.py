"""Servers that are only to answer, beside the engines that a snapshot reads: the API's processes and the model server."""

from collections.abc import Callable, Mapping
from functools import partial

from features.errors import MartletError, Unavailable
from infra.attached.model_server_entry import examine_model_server
from infra.monitoring.bounded_query import BoundedQuery
from infra.monitoring.snapshot import API, MODEL_SERVER
from infra.system import probes

ANSWER_TIMEOUT = 2.0
"""Seconds that each address has."""
Addresses = Callable[[], Mapping[str, str]]
"""Returns the addresses at which a server is to answer as of now, each with the log of who answers there, "" where that is not
known here: no address where the server is not to answer, or not yet."""


class ProbedServer:
    """A server: its name in a snapshot, where it is, and how it is probed. For one thread at a time."""

    def __init__(self, name: str, addresses: Addresses, probe: Callable[[str], None]) -> None:
        """`probe` raises MartletError, with the address, for one that gives no answer."""
        self.name = name
        self._addresses = addresses
        self._probe = probe
        self._queries: dict[str, BoundedQuery] = {}

    def answers(self) -> bool:
        """Probe all addresses at once; returns whether there are any. Raises Unavailable naming each that gives no answer, and
        its log."""
        logs = self._addresses()
        self._queries = {address: self._queries.get(address) or self._query(address) for address in logs}
        for query in self._queries.values():
            query.begin()
        failures = [failure for address, log in logs.items() if (failure := self._failure(address, log)) is not None]
        if failures:
            raise Unavailable("; ".join(failures))
        return bool(logs)

    def _query(self, address: str) -> BoundedQuery:
        return BoundedQuery(self.name, partial(self._probe, address), ANSWER_TIMEOUT, address)

    def _failure(self, address: str, log: str) -> str | None:
        try:
            self._queries[address].result()
        except MartletError as error:
            return f"{error} ({log})" if log else str(error)
        return None


def probed_servers(api: Addresses, model_server: Addresses) -> tuple[ProbedServer, ...]:
    """Returns both servers."""
    return ProbedServer(API, api, _probe_api), ProbedServer(MODEL_SERVER, model_server, _probe_model_server)


def _probe_api(address: str) -> None:
    probes.http_status(f"{address}/healthz")


def _probe_model_server(address: str) -> None:
    error = examine_model_server(address).error
    if error is not None:
        raise error
