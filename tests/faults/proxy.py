"""An injector: a TCP proxy on loopback that passes bytes on, late if told so, or lets them drip, or cuts every connection, or
swallows without a word what comes on those that there are."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Literal, Self

Mode = Literal["pass", "drip", "reset"]
DRIP_S = 0.05
"""Between two bytes of a dripping answer."""


class Proxy:
    """Listens for the length of a `with` block. `target`, a port, `mode`, and `late`, the seconds that an answer is held back,
    may be changed meanwhile and hold for what comes next; `sent` is the bytes that clients have sent, `dripped` the bytes of
    answers that came one by one, `held` the answers that were held back."""

    def __init__(self) -> None:
        self.target = 0
        self.mode: Mode = "pass"
        self.late = 0.0
        self.sent = 0
        self.dripped = 0
        self.held = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port = listening.result(10).sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _end(self) -> None:
        self._cut()
        if rest := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(rest, timeout=5)

    def become(self, mode: Mode) -> None:
        self.mode = mode
        if mode == "reset":
            self._loop.call_soon_threadsafe(self._cut)

    def swallow(self) -> int:
        """Pass nothing on any more, either way, of the connections that there are; later ones work. Returns how many they are,
        counted at both ends."""
        return asyncio.run_coroutine_threadsafe(self._swallow(), self._loop).result(10)

    async def _swallow(self) -> int:
        self._swallowed |= self._writers
        return len(self._swallowed)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "reset":
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, server_writer}
        self._writers |= both
        await asyncio.gather(self._requests(reader, server_writer), self._answers(server_reader, writer))
        self._writers -= both
        self._swallowed -= both

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(65536):
                self.sent += len(data)
                if writer in self._swallowed:
                    continue
                writer.write(data)
                await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(65536):
                if writer in self._swallowed:
                    continue
                if self.late:
                    self.held += 1
                    await asyncio.sleep(self.late)
                while self.mode == "drip" and data:
                    writer.write(data[:1])
                    data = data[1:]
                    self.dripped += 1
                    await asyncio.sleep(DRIP_S)
                writer.write(data)
                await writer.drain()
