"""What only the supervisor's watch knows (the log's end, Flink, alarms), asked over loopback within a bound."""

import asyncio
from typing import Any

import httpx
import msgspec

TIMEOUT = 0.5
"""Seconds; the watch answers out of memory."""


class MonitorClient:
    """Asks one watch. `port` None: nobody watches."""

    def __init__(self, port: int | None) -> None:
        self._port = port
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def snapshot(self) -> tuple[dict[str, Any] | None, str | None]:
        """(the watch's newest sight, None), or (None, why there is none). Never raises for what the watch does."""
        if self._port is None:
            return None, "nobody watches over this API"
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{self._port}",
                timeout=TIMEOUT,
                trust_env=False,
                limits=httpx.Limits(max_connections=4),
            )
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._client.get("/sight")
            answer.raise_for_status()
            found = msgspec.json.decode(answer.content, type=dict[str, Any])
        except (httpx.HTTPError, msgspec.DecodeError, TimeoutError) as error:
            return None, f"the watch does not answer ({type(error).__name__})"
        return (found, None) if found else (None, "the watch has not looked yet")
