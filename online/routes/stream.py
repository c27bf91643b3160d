"""GET /v1/stream: a user's list, pushed again after every update of the user's features (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from online.access.access_guard import caller_of
from online.http.json_response import encode_answer
from online.http.openapi import contract
from online.http.problems import Problem
from online.routes.list_answers import answer_of, find_model, make_list, record_shown
from online.routes.parameters import ModelQuery, UserIdQuery, read_id
from online.server import Server, server_of

router = APIRouter()

KEEP_ALIVE = 15.0
"""Seconds without an event after which a comment keeps the connection alive."""
COALESCE_SECONDS = 0.02
"""Seconds during which updates are coalesced into one event."""
Source = Callable[[], AsyncIterator[tuple[bytes, bytes]]]
"""Produces the server-sent events of one update: (name, data)."""


class Move(msgspec.Struct, frozen=True):
    """The data of the event `move`."""

    n: int | None
    last_event_ts: int | None
    applied_in_ms: int | None


async def events_of(
    server: Server, request: Request, user_id: int, source: Source, keep_alive: float = KEEP_ALIVE
) -> AsyncIterator[bytes]:
    """What a stream sends, until the caller leaves, the process stops, or the caller's key does not read any more, which is
    checked before anything is sent. keep_alive: seconds of silence before each sign of life."""
    async with server.user_updates.subscribe(user_id) as updated:
        number = 0
        try:
            while not (server.user_updates.ended or await request.is_disconnected()):
                _check_key(server, request)
                updated.clear()
                number += 1
                try:
                    async for name, body in source():
                        yield b"id: %d\nevent: %b\ndata: %b\n\n" % (number, name, body)
                except Problem as problem:  # the status was already sent: retry at the next update
                    yield _comment(str(problem))
                while not await _is_set(updated, keep_alive):
                    _check_key(server, request)
                    yield _comment("alive")
        except Problem as refused:
            yield _comment(str(refused))


def _check_key(server: Server, request: Request) -> None:
    """Raises a Problem once the key of a call may not make it any more."""
    caller_of(request.method, request.url.path, server.access.value, request.headers)


def _comment(text: str) -> bytes:
    return b": %b\n\n" % text.encode()


async def _is_set(updated: asyncio.Event, timeout: float) -> bool:
    """Whether an update came within `timeout` s; those right after it are waited for, too."""
    try:
        async with asyncio.timeout(timeout):
            await updated.wait()
    except TimeoutError:
        return False
    await asyncio.sleep(COALESCE_SECONDS)
    return True


async def _stream_slot(server: Annotated[Server, Depends(server_of)]) -> AsyncIterator[None]:
    """Holds a slot until the response has ended, or is not to begin. Raises a 503 Problem where none is left."""
    with server.streams.slot():
        yield


def _lists(server: Server, user_id: str, model: str | None, size: int) -> Source:
    async def one() -> AsyncIterator[tuple[bytes, bytes]]:
        answer = await make_list(server, user_id, model, size, background=True)
        yield b"list", encode_answer(answer_of(server, answer, None))
        record_shown(server, answer)

    return one


def _updates(server: Server, user_id: int) -> Source:
    async def one() -> AsyncIterator[tuple[bytes, bytes]]:
        user = await server.users.load_user(user_id)
        yield b"move", msgspec.json.encode(Move(user.n, user.features.last_ts or None, user.applied_in_ms))

    return one


@router.get("/v1/stream", dependencies=[Depends(_stream_slot)])
@contract(str, media_type="text/event-stream", problems=(404, 503))
async def get_stream(
    request: Request,
    server: Annotated[Server, Depends(server_of)],
    user_id: UserIdQuery,
    model: ModelQuery = None,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    lists: bool = True,
) -> StreamingResponse:
    """Events named `list`, each as GET /v1/recommendations answers: one at once, then one for each move of the user's features.
    With `lists=0` they are named `move` and tell only that, for who asks for lists in ways of its own: `n`, which grows with each
    event and which an explained list names, too (null while Redis is away), `last_event_ts` and `applied_in_ms`. A browser's
    EventSource connects again by itself and gets the newest first. 503 beyond 100 open streams. It ends once its key may not
    read any more."""
    number, _ = read_id(server, "user_id", user_id)
    find_model(server, model)  # an unknown model is a 404 now, before the stream starts
    return StreamingResponse(
        events_of(server, request, number, _lists(server, user_id, model, size) if lists else _updates(server, number)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
