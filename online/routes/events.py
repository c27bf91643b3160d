"""POST /v1/events: validates events and writes them to the log."""

import uuid
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from msgspec import UNSET, Meta

from features.contracts.events import Wire, check_time, read_wire, to_event
from features.errors import BadEvent, Unavailable
from features.types import Event
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem, problem_response
from online.http.seen_token import make_token
from online.http.slashes import check_reachable
from online.server import Server, server_of
from online.support import metrics
from online.support.log_lines import note_ids

MAX_EVENTS = 1000
MAX_BYTES: Final = 128 << 10
"""Of one event; the largest that means something takes a tenth of it."""

_elements: Final = msgspec.json.Decoder(list[msgspec.Raw])
_element: Final = msgspec.json.Decoder(msgspec.Raw)
router = APIRouter()
Events = Wire | Annotated[list[Wire], Meta(min_length=1, max_length=MAX_EVENTS)]


class Accepted(msgspec.Struct, frozen=True):
    """What the broker has acknowledged; `seen`: a token for GET /v1/recommendations, null for too many users."""

    accepted: int
    event_ids: list[str]
    seen: str | None


def read_events(body: bytes, server: Server) -> list[Event]:
    """The events of a POST, completed and validated. What a body holds is not made into objects before it is known to be events
    of bounded size: it would stand in the way of all other requests. Raises a 422 Problem that names index and field."""
    try:
        value = _elements.decode(body) if body.lstrip()[:1] == b"[" else [_element.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(0, BadEvent("body", "JSON: one event or an array of events", str(error))) from error
    values = [bytes(each) for each in value[: MAX_EVENTS + 1]]
    if not 1 <= len(values) <= MAX_EVENTS:
        raise _refused(0, BadEvent("body", f"1 to {MAX_EVENTS} events", str(len(value))))
    events = []
    for index, each in enumerate(values):
        try:
            if len(each) > MAX_BYTES:
                raise BadEvent("event", f"at most {MAX_BYTES} bytes", f"{len(each)} bytes")
            events.append(complete_event(read_wire(each), server))
        except BadEvent as error:
            raise _refused(index, error) from error
    return events


def complete_event(wire: Wire, server: Server) -> Event:
    """The event of a body, with an id of its own and the home's time where it has none. Raises BadEvent."""
    if wire.event_id is UNSET:
        wire.event_id = uuid.uuid4().hex
    if wire.ts is UNSET:
        wire.ts = server.clock.now()
    event = to_event(wire, server.schema)
    check_reachable(event.user, "user_id")
    check_reachable(event.item, "item_id")
    check_time(event.ts, server.clock.wall(), server.clock.limit())
    return event


def _refused(index: int, error: BadEvent) -> Problem:
    metrics.EVENTS_REFUSED.inc()
    return Problem(
        422,
        f"event {index}: {error}",
        errors=[{"index": index, "field": error.where, "expected": error.expected, "received": error.received[:200]}],
    )


@router.post("/v1/events", status_code=202)
@contract(Accepted, status=202, body=Events, problems=(503,))
async def post_events(request: Request, server: Annotated[Server, Depends(server_of)]) -> Response:
    """Take one event or an array of up to 1,000. 202 once the broker has acknowledged all; `event_id` and `ts` may be
    left out. A bad event is a 422 and nothing of the call is written; a 503 may have written a part, and sending the
    event_ids in its body again is safe."""
    return await append_events(read_events(await request.body(), server), server)


async def append_events(events: list[Event], server: Server) -> Response:
    """Write events to the log: 202 once the broker has acknowledged all, 503 where it did not in time."""
    ids = [event.event_id for event in events]
    note_ids("event_ids", *ids)
    try:
        offsets = await server.event_log.append_events(events)
    except Unavailable as error:
        return problem_response(503, str(error), {"Retry-After": "1"}, event_ids=ids)
    for event in events:
        metrics.EVENTS.labels(server.schema.kind(event.kind).name).inc()
        if event.item:
            server.items.names.hear(event.item_id, event.item)
    server.outcomes.record_events(events)
    server.interleaved.record_events(events)
    return JsonResponse(Accepted(len(events), ids, make_token(offsets)), 202)
