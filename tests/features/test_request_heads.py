"""The head of a request has a limit, however it is cut into parts; neither a body behind it nor another head counts."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from features.http_connections import MAX_HEAD, Connections, Message
from tests.features.http_served import Receive, Send, connect, on_each_loop, serving
from tests.patience import patience

PART = 1 << 10
BODY = b"b" * (5 * MAX_HEAD)
CHUNKED = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"


async def count(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with how many bytes the body has."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    text = b"%d." % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


def head_of(size: int, body: bytes = b"", one: bool = True) -> bytes:
    """A head of exactly so many bytes, padded by one header or by many."""
    start = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n" % len(body)
    left = size - len(start) - 2
    if one:
        return start + b"X: " + b"v" * (left - 5) + b"\r\n\r\n"
    many, rest = divmod(left, 8)
    return start + b"a: bcd\r\n" * (many - 1) + b"a: bcd" + b"e" * rest + b"\r\n\r\n"


def parts_of(data: bytes, size: int | None) -> Iterator[bytes]:
    for start in range(0, len(data), size or len(data)):
        yield data[start : start + (size or len(data))]


async def answers(port: int, data: bytes, wanted: int, part: int | None = None) -> list[bytes]:
    """Send bytes, in parts of so many; returns the bodies of the answers, as many as are wanted, or those until it is closed."""
    reader, writer = await connect(port)
    found: list[bytes] = []
    async with asyncio.timeout(patience(20)):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for each in parts_of(data, part):
                writer.write(each)
                await writer.drain()
                await asyncio.sleep(0)
            while len(found) < wanted:
                await reader.readuntil(b"\r\n\r\n")
                found.append(await reader.readuntil(b"."))
    writer.transport.abort()
    return found


@pytest.mark.parametrize("part", [None, PART, 7 * PART + 1])
@pytest.mark.parametrize("one", [True, False])
def test_a_head_beyond_the_limit_closes_its_connection(one: bool, part: int | None) -> None:
    async def play() -> None:
        reasons: Counter[str] = Counter()
        table = Connections(20, on_closed=lambda reason: reasons.update([reason]))
        async with serving(count, table) as port:
            assert await answers(port, head_of(MAX_HEAD, one=one), 1, part) == [b"0."]
            assert not reasons
            assert await answers(port, head_of(MAX_HEAD + 1, one=one), 1, part) == []
            assert dict(reasons) == {"head": 1}
            assert await answers(port, head_of(9 * MAX_HEAD, one=one), 1, part) == []
            assert dict(reasons) == {"head": 2}

    on_each_loop(play)


def test_the_limit_holds_for_each_request_of_a_connection() -> None:
    head = head_of(MAX_HEAD, BODY)
    good = head + BODY

    async def play() -> None:
        reasons: Counter[str] = Counter()
        table = Connections(20, on_closed=lambda reason: reasons.update([reason]))
        async with serving(count, table) as port:
            for part in (None, 100 * PART):
                assert await answers(port, good * 3, 3, part) == [b"%d." % len(BODY)] * 3
            assert not reasons
            reader, writer = await connect(port)
            writer.write(good)
            await asyncio.wait_for(reader.readuntil(b"%d." % len(BODY)), 20)
            with contextlib.suppress(ConnectionError):
                writer.write(head_of(MAX_HEAD + 1))
                assert await asyncio.wait_for(reader.read(), 20) == b""
            assert dict(reasons) == {"head": 1}
            writer.transport.abort()

    on_each_loop(play)


def test_what_comes_after_a_body_or_between_its_parts_has_the_limit_too() -> None:
    chunk = b"3;%b\r\nabc\r\n" % (b"e" * (MAX_HEAD // 2))
    few, many = (b"0\r\n" + b"t: u\r\n" * number + b"\r\n" for number in (MAX_HEAD // 12, MAX_HEAD // 2))

    async def play() -> None:
        reasons: Counter[str] = Counter()
        table = Connections(20, on_closed=lambda reason: reasons.update([reason]))
        async with serving(count, table) as port:
            assert await answers(port, CHUNKED + chunk * 9 + b"0\r\n\r\n", 1, PART) == [b"27."]
            assert await answers(port, CHUNKED + chunk + few + head_of(MAX_HEAD), 2, PART) == [b"3.", b"0."]
            assert not reasons
            assert await answers(port, CHUNKED + chunk + many, 1, PART) == []
            assert dict(reasons) == {"head": 1}

    on_each_loop(play)
