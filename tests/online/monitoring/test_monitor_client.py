"""The client of the supervisor's monitor, and its reasons when there is no response."""

import asyncio
import socket
from typing import Any

from prometheus_client import CollectorRegistry

from infra.monitoring.http_endpoint import MonitorPage
from infra.system.processes import free_ports
from online.monitoring.monitor_client import MonitorClient


def read_snapshot(port: int | None, timeout: float = 10.0) -> tuple[dict[str, Any] | None, str | None]:
    async def once() -> tuple[dict[str, Any] | None, str | None]:
        client = MonitorClient(None if port is None else f"http://127.0.0.1:{port}", timeout)
        try:
            return await client.snapshot()
        finally:
            await client.close()

    return asyncio.run(once())


def test_the_newest_sight_is_passed_on() -> None:
    (port,) = free_ports(1)
    snapshots: list[dict[str, Any]] = [{"asked_at": 1}]
    page = MonitorPage(port, CollectorRegistry(), lambda: snapshots[-1])
    try:
        assert read_snapshot(port) == ({"asked_at": 1}, None)
        snapshots.append({"asked_at": 2, "alarms": []})
        assert read_snapshot(port) == ({"asked_at": 2, "alarms": []}, None)
    finally:
        page.close()


def test_before_the_first_sight_there_is_none() -> None:
    (port,) = free_ports(1)
    page = MonitorPage(port, CollectorRegistry(), dict)
    try:
        assert read_snapshot(port) == (None, "the watch has not looked yet")
    finally:
        page.close()


def test_nobody_there_and_nobody_who_answers_are_told() -> None:
    (port,) = free_ports(1)
    assert read_snapshot(None) == (None, "nobody watches over this API")
    assert read_snapshot(port) == (None, "the watch does not answer (ConnectError)")
    with socket.create_server(("127.0.0.1", port)):
        reason = read_snapshot(port, 0.5)[1]
        assert reason is not None
        assert reason.startswith("the watch does not answer (")
