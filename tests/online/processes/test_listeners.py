"""The port that several API processes share, and each one's own."""

import socket

import pytest

from features.errors import BadInput
from infra.system.processes import free_ports
from online.processes.listeners import open_listeners


def test_processes_share_a_port_and_have_one_each() -> None:
    port, *own = free_ports(3)
    pairs = [open_listeners("127.0.0.1", port, each) for each in own]
    names = [[each.getsockname()[1] for each in pair] for pair in pairs]
    for each in (each for pair in pairs for each in pair):
        each.listen()
        each.close()
    assert names == [[port, own[0]], [port, own[1]]]


def test_a_process_alone_shares_its_port_with_nobody() -> None:
    port, own = free_ports(2)
    with open_listeners("127.0.0.1", port, None)[0] as alone:
        alone.listen()
        for wanted in (None, own):
            with pytest.raises(
                BadInput, match=f"a free port on an address of this machine, got 127.0.0.1, port {port}"
            ):
                open_listeners("127.0.0.1", port, wanted)


def test_a_shared_port_is_given_back_where_the_own_one_is_taken() -> None:
    port, own = free_ports(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own))
        taken.listen()
        with pytest.raises(BadInput):
            open_listeners("127.0.0.1", port, own)
    with open_listeners("127.0.0.1", port, None)[0] as again:
        assert again.getsockname()[1] == port


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match=host):
        open_listeners(host, free_ports(1)[0], None)
