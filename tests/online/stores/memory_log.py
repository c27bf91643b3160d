"""A log of items in memory, whose calls suspend as a broker's do."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence

from features.errors import Unavailable


class MemoryLog:
    """Writes what is handed over a little later, in order. down: calls and readers fail; hangs: an append never ends. A reader
    whose offset is beyond the end goes on with the oldest record, as a consumer of Kafka does."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)
        self.down = self.hangs = False
        self.handed_over = 0
        self.written = asyncio.Condition()
        self.reading: set[int] = set()
        """Where readers began."""

    async def append(self, records: Sequence[tuple[bytes, bytes]]) -> Awaitable[int]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise Unavailable("down")
        for _ in records:
            await asyncio.sleep(0)
        self.handed_over += len(records)
        return asyncio.create_task(self._write([value for _, value in records]))

    async def _write(self, values: list[bytes]) -> int:
        async with self.written:
            self.values += values
            end = len(self.values)
            self.written.notify_all()
        await asyncio.sleep(0.001)
        return end

    async def end(self) -> int:
        await asyncio.sleep(0)
        if self.down:
            raise Unavailable("down")
        return len(self.values)

    async def read(self, start: int) -> AsyncGenerator[tuple[int, bytes], None]:
        self.reading.add(start)
        offset = start
        while True:
            async with self.written:
                while not self.down and offset == len(self.values):
                    await self.written.wait()
            if self.down:
                raise Unavailable("down")
            await asyncio.sleep(0)
            if offset > len(self.values):
                offset = 0
                continue
            yield offset, self.values[offset]
            offset += 1

    async def become(self, *values: bytes) -> None:
        """Have the log be another one, while readers go on."""
        async with self.written:
            self.values = list(values)
            self.written.notify_all()

    async def stop_readers(self) -> None:
        """Have readers fail, and calls, until `down` is false again."""
        self.down = True
        async with self.written:
            self.written.notify_all()
