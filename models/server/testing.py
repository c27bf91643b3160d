"""A real server process for tests: of this package, and of whoever needs a model server to talk to."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from features.engines.host_port import host_port
from features.engines.loopback import LOOPBACK

_ROOT = Path(__file__).parents[2]
_PORTS = range(10_000, 20_000)
"""None that the system gives to a connection while the server is still importing TensorFlow, or `./martlet up` to a service."""


class ServerProcess:
    """``python -m models.server`` on free ports of ``host``, for the length of a ``with`` block.

    ``flags`` configure what it serves. The process starts at once; the block begins when its ports are open. On the way out
    it gets SIGTERM, and SIGKILL if it does not heed that; ``log`` is what it wrote to stderr.
    """

    def __init__(self, *flags: str, host: str = LOOPBACK) -> None:
        self._host = host
        self.rest_port, self.grpc_port = _free_ports(2)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        ports = (f"--host={host}", f"--rest_api_port={self.rest_port}", f"--port={self.grpc_port}")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "models.server", *ports, *flags],
            cwd=_ROOT,
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
        )

    @property
    def url(self) -> str:
        """The address of the REST API, without a path."""
        return f"http://{host_port(self._host, self.rest_port)}"

    @property
    def target(self) -> str:
        """The address of gRPC, for ``grpc.insecure_channel``."""
        return host_port(self._host, self.grpc_port)

    @property
    def log(self) -> str:
        """The text that the server has written to stderr so far."""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode(errors="replace")

    def __enter__(self) -> Self:
        try:
            self._wait_ready(180)  # the first one after a boot reads TensorFlow from a cold disk
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._stderr.close()

    def stop(self, seconds: float = 20) -> int:
        """Send SIGTERM, after ``seconds`` SIGKILL, and return the exit code; also of a process that has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(seconds)

    def _wait_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not all(_accepts(self._host, port) for port in (self.grpc_port, self.rest_port)):
            if self.process.poll() is not None:
                raise RuntimeError(f"the model server ended with {self.process.returncode}:\n{self.log}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the model server was not ready within {seconds:.0f} s:\n{self.log}")
            time.sleep(0.05)


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports of _PORTS that nobody listens on right now, all different."""
    drawn = random.SystemRandom().sample(_PORTS, len(_PORTS))  # seeded, two processes would draw the same
    return list(islice(filter(_is_unused, drawn), count))


def _is_unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
