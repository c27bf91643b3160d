"""What `doctor` finds of a model server: of the embedded one, of a server of another protocol, and of none."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from features.errors import BadInput, Unavailable
from infra.attached.model_server_entry import examine_model_server
from infra.system.processes import free_ports
from models.server.testing import ServerProcess

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_one_that_serves_a_model_and_one_that_does_not(server: ServerProcess, way: str) -> None:
    address = server.target if way == "grpc" else server.url
    assert examine_model_server(address, "linear").found == f"{address} serves linear"
    assert "answers, without recmodel" in examine_model_server(address).found
    assert examine_model_server(address).error is None


def test_another_server_is_refused() -> None:
    other = grpc.server(ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    try:
        found = examine_model_server(f"127.0.0.1:{port}")
        assert isinstance(found.error, BadInput)
        assert "UNIMPLEMENTED" in found.found
    finally:
        other.stop(None)


def test_the_other_port_and_none_are_named(server: ServerProcess) -> None:
    for port in (server.rest_port, free_ports(1)[0]):
        found = examine_model_server(f"127.0.0.1:{port}")
        assert isinstance(found.error, Unavailable)
        assert "models.server" in found.help or "change the address" in found.help
