"""Hosts on one machine: network namespaces on a bridge, each with an address of its own, between which packets can be lost.

Needs the rights of root on Linux, and `ip`. Packets are lost without a word, as by a cable that is cut: they go to a hardware
address that nobody has.
"""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from features.errors import Unavailable

NETWORK: Final = "10.93.0"
"""The first three numbers of all addresses; the machine itself has .1."""
TIMEOUT: Final = 10.0
_NOBODY: Final = "02:00:00:00:00:01"
_DEVICE: Final = "eth0"


def why_not() -> str | None:
    """Returns why this machine can't have such hosts; None if it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux'"
    if os.geteuid() != 0:
        return "network namespaces need the rights of root"
    if shutil.which("ip") is None:
        return "network namespaces need the program ip"
    return None


class Hosts:
    """`count` hosts, while the context lasts. `machine`: the address of the machine itself; `addresses`: those of the hosts."""

    def __init__(self, count: int) -> None:
        self.machine = f"{NETWORK}.1"
        self.addresses = [f"{NETWORK}.{10 + number}" for number in range(1, count + 1)]
        self._bridge = f"mb{os.getpid()}"

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def argv(self, host: int, *command: str | os.PathLike[str]) -> list[str]:
        """Returns the command that runs a program on a host, by its number from 0."""
        return ["ip", "netns", "exec", self._name(host), *map(str, command)]

    def cut_from(self, host: int) -> None:
        """Lose all that a host sends."""
        for address in (self.machine, *self._others(host)):
            self._lose(host, address)

    def cut_to(self, host: int) -> None:
        """Lose all that is sent to a host."""
        self._lose(None, self.addresses[host])
        for other in range(len(self.addresses)):
            if other != host:
                self._lose(other, self.addresses[host])

    def heal(self) -> None:
        """Lose nothing any more."""
        _ip("neigh", "flush", "dev", self._bridge, "nud", "permanent")
        for host in range(len(self.addresses)):
            _ip("-n", self._name(host), "neigh", "flush", "dev", _DEVICE, "nud", "permanent")

    def _others(self, host: int) -> list[str]:
        return [address for number, address in enumerate(self.addresses) if number != host]

    def _lose(self, host: int | None, address: str) -> None:
        """Have what a host, or the machine itself, sends to an address get nowhere."""
        where = [] if host is None else ["-n", self._name(host)]
        device = self._bridge if host is None else _DEVICE
        _ip(*where, "neigh", "replace", address, "lladdr", _NOBODY, "nud", "permanent", "dev", device)

    def _name(self, host: int) -> str:
        return f"{self._bridge}-{host}"

    def _make(self) -> None:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.machine}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for host, address in enumerate(self.addresses):
            name, here = self._name(host), f"{self._bridge}v{host}"
            _ip("netns", "add", name)
            _ip("link", "add", here, "type", "veth", "peer", "name", _DEVICE, "netns", name)
            _ip("link", "set", here, "master", self._bridge, "up")
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", _DEVICE)
            for device in ("lo", _DEVICE):
                _ip("-n", name, "link", "set", device, "up")

    def _remove(self) -> None:
        for host in range(len(self.addresses)):
            with suppress(Unavailable):
                _ip("netns", "del", self._name(host))
        with suppress(Unavailable):
            _ip("link", "del", self._bridge)


def _ip(*words: str) -> None:
    """Run `ip`. Raises Unavailable where it does not do it."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode:
        raise Unavailable(f"ip {' '.join(words)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
