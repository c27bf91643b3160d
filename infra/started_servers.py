"""Servers that `up` starts, and that are to answer from then on."""

from collections.abc import Mapping

from infra.home.paths import Home
from infra.services.service import Service
from infra.services.supervisor import Supervisor


class StartedServers:
    """Starts servers, and has their addresses from when their start has ended, whether they were ready in time or not: a late one
    is still supervised, and may serve yet. logs: by address the log, from the home's folder."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.logs: dict[str, str] = {}

    @property
    def addresses(self) -> list[str]:
        """Those of the servers that have been started, in order."""
        return list(self.logs)

    def start(self, supervisor: Supervisor, services: Mapping[str, Service]) -> None:
        """Start services, by address, and wait until they are ready. Raises Unavailable where one does not become so in time."""
        try:
            supervisor.start_all(list(services.values()))
        finally:
            for address, service in services.items():
                self.logs[address] = str(supervisor.log_of(service.name).relative_to(self._home.path))
