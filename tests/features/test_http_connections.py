"""Connections that nobody uses: the silent are closed, the oldest idle one makes room, and requests are what is limited."""

import asyncio
import contextlib
import json
import resource
from collections import Counter
from typing import Any

import pytest

from features import http_connections
from features.http_connections import Connections, JoinedWrites, Message, RequestLimit, allowed_connections
from tests.features.http_served import REQUEST, Receive, Send, connect, hello, on_each_loop, request, serving
from tests.patience import patience


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Door:
    """A connection of which is known whether it is open."""

    open = True
    sending = False

    def close(self) -> None:
        self.open = False


def test_the_oldest_idle_connection_makes_room() -> None:
    reasons: Counter[str] = Counter()
    table = Connections(3, on_closed=lambda reason: reasons.update([reason]))
    doors = [Door() for _ in range(4)]
    first, fourth = doors[0], doors[3]
    for door in doors[:3]:
        table.opened(door)
    table.begun(first)
    table.opened(fourth)
    assert [door.open for door in doors] == [True, False, True, True]
    table.answered(first)  # it is the newest of the idle now
    table.opened(Door())
    assert [door.open for door in doors] == [True, False, False, True]
    assert (len(table), dict(reasons)) == (3, {"room": 2})


def test_where_all_are_busy_the_new_one_is_closed() -> None:
    reasons: Counter[str] = Counter()
    table = Connections(2, on_closed=lambda reason: reasons.update([reason]))
    busy, new = [Door(), Door()], Door()
    for door in busy:
        table.opened(door)
        table.begun(door)
    table.opened(new)
    assert ([door.open for door in busy], new.open, dict(reasons)) == ([True, True], False, {"full": 1})


def test_silence_counts_from_the_last_response() -> None:
    clock = Clock()
    table = Connections(9, silence=30, clock=clock)
    silent, asked, busy = doors = Door(), Door(), Door()
    for door in doors:
        table.opened(door)
    table.begun(busy)
    clock.now = 20
    table.begun(asked)
    table.answered(asked)
    clock.now = 31
    table.close_silent()
    assert [door.open for door in doors] == [False, True, True]
    clock.now = 50
    table.close_silent()
    assert [door.open for door in doors] == [False, False, True]
    table.closed(silent)  # as its transport says in the end
    assert len(table) == 1


def test_who_is_still_reading_a_response_makes_no_room_and_has_longer() -> None:
    clock = Clock()
    table = Connections(2, silence=30, clock=clock)
    reading, other = Door(), Door()
    reading.sending = True
    for door in (reading, other, Door()):
        table.opened(door)
    assert (reading.open, other.open) == (True, False)
    clock.now = 31
    table.close_silent()
    assert reading.open
    clock.now = 30 * http_connections.SLOWEST + 1
    table.close_silent()
    assert not reading.open
    assert len(table) == 0


def test_a_request_waits_so_long_at_most_for_its_caller_to_read() -> None:
    reasons: Counter[str] = Counter()
    clock = Clock()
    table = Connections(9, silence=30, on_closed=lambda reason: reasons.update([reason]), clock=clock)
    never, slowly, last = doors = [Door() for _ in range(3)]
    for door in doors:
        door.sending = True
        table.opened(door)
        table.begun(door)
        table.blocked(door)
    table.answered(last)  # what is unread is its last response: it keeps no request waiting
    clock.now = 20
    table.blocked(never)
    table.unblocked(slowly)
    table.blocked(slowly)
    clock.now = 31
    table.close_silent()
    assert [door.open for door in doors] == [False, True, True]
    assert (len(table), dict(reasons)) == (2, {"unread": 1})


def test_silent_connections_beyond_the_limit_stop_nobody() -> None:
    async def play() -> None:
        table = Connections(20)
        async with serving(hello, table) as port:
            silent = [await connect(port) for _ in range(60)]
            for _ in range(10):
                assert (await request(port)).startswith(b"HTTP/1.1 200")
            assert len(table) <= 20
            oldest = await asyncio.wait_for(silent[0][0].read(1), 20)
            assert oldest == b""  # closed
            for _, writer in silent:
                writer.close()

    on_each_loop(play)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127", REQUEST % b"" + b"GET /a"])
def test_what_sends_no_whole_request_is_closed(sent: bytes) -> None:
    async def play() -> None:
        clock = Clock()
        table = Connections(20, clock=clock)
        async with serving(hello, table) as port:
            reader, writer = await connect(port)
            writer.write(sent)
            if sent.startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
                await asyncio.wait_for(reader.readuntil(b"hi"), 20)
            async with asyncio.timeout(patience(20)):
                while len(table) != 1:
                    await asyncio.sleep(0.005)
            clock.now = http_connections.SILENCE + 1
            table.close_silent()
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 20) == b""
            assert len(table) == 0
            writer.close()

    on_each_loop(play)


def test_an_idle_connection_is_the_tables_to_close() -> None:
    """uvicorn closes one after `timeout_keep_alive` seconds: 5 by default, in which many a client uses it again."""

    async def play() -> None:
        async with serving(hello, Connections(20), timeout_keep_alive=0) as port:
            reader, writer = await connect(port)
            for _ in range(3):
                writer.write(REQUEST % b"")
                assert (await asyncio.wait_for(reader.readuntil(b"hi"), 20)).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(0.02)
            writer.close()

    on_each_loop(play)


@pytest.mark.parametrize("more", [0, 1, 3])
def test_a_request_hears_that_its_caller_is_gone_whatever_was_sent_behind_it(more: int) -> None:
    """uvicorn lets the request know that came last, and reads nothing more once one waits: a write tells that nobody is there."""

    async def play() -> None:
        begun, gone = asyncio.Event(), asyncio.Event()

        async def disconnect(receive: Receive) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def streaming(scope: Message, receive: Receive, send: Send) -> None:
            if scope["path"] == "/short":
                await hello(scope, receive, send)
                return
            heard = asyncio.create_task(disconnect(receive))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            begun.set()
            async with asyncio.timeout(patience(3)):
                while not heard.done():
                    await send({"type": "http.response.body", "body": b"alive", "more_body": True})
                    await asyncio.sleep(0.02)
            gone.set()

        async with serving(streaming, Connections(20)) as port:
            reader, writer = await connect(port)
            writer.write(REQUEST % b"short")
            await asyncio.wait_for(reader.readuntil(b"hi"), patience(20))
            writer.write(REQUEST % b"stream")
            await asyncio.wait_for(begun.wait(), patience(20))
            await asyncio.wait_for(reader.readuntil(b"alive"), patience(20))
            writer.write(more * (REQUEST % b"short"))
            await asyncio.wait_for(reader.readuntil(b"alive"), patience(20))
            writer.transport.abort()
            await asyncio.wait_for(gone.wait(), patience(3))

    on_each_loop(play)


def test_a_caller_that_reads_nothing_keeps_no_request_for_ever() -> None:
    part = b"x" * (64 << 10)

    async def play() -> None:
        ended = asyncio.Event()

        async def long(scope: Message, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1_000):  # more than the buffers of both ends' sockets
                await send({"type": "http.response.body", "body": part, "more_body": True})
            ended.set()

        clock = Clock()
        table = Connections(20, clock=clock)
        async with serving(long, table) as port:
            reader, writer = await connect(port)
            writer.write(REQUEST % b"")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            async with asyncio.timeout(patience(20)):
                while not ended.is_set():
                    await asyncio.sleep(0.005)
                    clock.now += http_connections.SILENCE / 2
                    table.close_silent()
            assert len(table) == 0
            writer.transport.abort()

    on_each_loop(play)


def test_websockets_are_not_held_as_requests_for_ever() -> None:
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )

    async def refusing(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await hello(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def play() -> None:
        table = Connections(5)
        async with serving(refusing, table) as port:
            for _ in range(12):
                reader, writer = await connect(port)
                writer.write(upgrade)
                await asyncio.wait_for(reader.read(), 20)
                writer.close()
            assert (await request(port)).startswith(b"HTTP/1.1 200")

    on_each_loop(play)


def test_what_is_no_http_is_told_in_the_servers_words() -> None:
    async def play() -> None:
        async with serving(hello, Connections(20)) as port:
            reader, writer = await connect(port)
            writer.write("GET /items/caf\u00e9 HTTP/1.1\r\n\r\n".encode())
            response = await asyncio.wait_for(reader.read(), 20)
            head, _, body = response.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400")
            assert b"application/problem+json" in head
            assert json.loads(body) == {"status": 400}
            writer.close()

    on_each_loop(play)


def test_requests_beyond_the_limit_are_refused_but_for_one_path() -> None:
    async def play() -> None:
        release = asyncio.Event()

        async def slow(scope: Message, receive: Receive, send: Send) -> None:
            if scope["path"] == "/slow":
                await release.wait()
            await hello(scope, receive, send)

        async def refusal(scope: Message, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        table = Connections(20)
        async with serving(RequestLimit(slow, refusal, limit=2, always="/alive"), table) as port:
            held = [asyncio.create_task(request(port, b"slow")) for _ in range(2)]
            try:
                async with asyncio.timeout(patience(5)):
                    while not (await request(port, b"else")).startswith(b"HTTP/1.1 503"):
                        await asyncio.sleep(0.005)
                assert (await request(port, b"alive")).startswith(b"HTTP/1.1 200")
            finally:
                release.set()
            assert all([(await each).startswith(b"HTTP/1.1 200") for each in held])
            assert (await request(port, b"else")).startswith(b"HTTP/1.1 200")

    on_each_loop(play)


def test_connections_leave_room_for_other_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = allowed_connections(100)
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert allowed == 100
    assert now == max(soft, 100 + http_connections.RESERVED_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Wire:
    """A transport that records what is written, and when it is closed."""

    closing = False

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append(b"closed")

    def get_write_buffer_size(self) -> int:
        return 7


def test_a_head_and_its_body_go_out_as_one_and_a_head_alone_at_once() -> None:
    async def writes() -> None:
        wire: Any = Wire()
        joined = JoinedWrites(wire)
        joined.write(b"head ")
        assert (wire.sent, joined.get_write_buffer_size()) == ([], 5 + 7)
        joined.write(b"body")
        assert (wire.sent, joined.get_write_buffer_size()) == ([b"head body"], 7)
        joined.write(b"head of a stream")
        await asyncio.sleep(0)
        assert wire.sent[1:] == [b"head of a stream"]
        joined.write(b"last")
        joined.close()
        await asyncio.sleep(0)
        assert wire.sent[2:] == [b"last", b"closed"]

    asyncio.run(writes())


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_who_has_sent_all_and_says_so_still_gets_the_whole_answer(chunks: int) -> None:
    async def chunked(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"transfer-encoding", b"chunked")]})
        for _ in range(chunks):
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def play() -> None:
        async with serving(chunked, Connections(8)) as port:
            for _ in range(10):
                reader, writer = await connect(port)
                writer.write(REQUEST % b"")
                writer.write_eof()
                answer = await asyncio.wait_for(reader.read(), 20)
                assert answer.endswith(b"4\r\npart\r\n" * chunks + b"0\r\n\r\n"), answer
                writer.close()

    on_each_loop(play)


def test_what_waits_for_a_connection_that_is_lost_is_dropped() -> None:
    async def writes() -> None:
        wire: Any = Wire()
        joined = JoinedWrites(wire)
        joined.write(b"head")
        wire.closing = True
        await asyncio.sleep(0)
        assert (wire.sent, joined.get_write_buffer_size()) == ([], 7)

    asyncio.run(writes())
