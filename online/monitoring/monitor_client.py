"""Client of the monitor, which alone knows the log's end, Flink and the alarms."""

import asyncio
from typing import Any

import httpx
import msgspec

TIMEOUT = 0.5
"""Seconds; the monitor responds from memory."""


class MonitorClient:
    """Client of one monitor. address: its URL; None where no monitor runs; timeout: seconds that it may take."""

    def __init__(self, address: str | None, timeout: float = TIMEOUT) -> None:
        self._address, self._timeout = address, timeout
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def snapshot(self) -> tuple[dict[str, Any] | None, str | None]:
        """(the monitor's newest snapshot, None), or (None, the reason). Never raises for the monitor's faults."""
        if self._address is None:
            return None, "nobody watches over this API"
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._address,
                timeout=self._timeout,
                trust_env=False,
                limits=httpx.Limits(max_connections=4),
            )
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.get("/sight")
            answer.raise_for_status()
            found = msgspec.json.decode(answer.content, type=dict[str, Any])
        except (httpx.HTTPError, msgspec.DecodeError, TimeoutError) as error:
            return None, f"the watch does not answer ({type(error).__name__})"
        return (found, None) if found else (None, "the watch has not looked yet")
