"""Carries out requests to write again what Redis may have lost (`features.store.repeat_requests`), for the lanes of one writer.

Flink's state has what was written; a lane remembers which keys those were. It is written again whole, so that it doesn't matter
what the server has of it. Where a lane doesn't remember so far back, or has started since, the reply says so, and the keeper has
the job go back to a checkpoint.
"""

from collections.abc import Collection
from typing import Final

import hiredis

from features.store.repeat_requests import (
    REPEAT_KEY,
    REQUEST_FIELD,
    RepeatRequest,
    Reply,
    decode_request,
    writer_name,
)
from features.types import Millis
from streaming.redis_sink.lane_keys import LaneKeys
from streaming.redis_sink.redis_commands import FieldWrite
from streaming.redis_sink.redis_writer import FeatureWriter
from streaming.time_source import TimeSource

CHUNK: Final = 256
"""Keys that are put into the writer together."""
_READ_REQUEST = hiredis.pack_command(("HGET", REPEAT_KEY, REQUEST_FIELD))


class Repeats:
    """The newest request as one writer carries it out."""

    def __init__(self, writer: FeatureWriter, operator: str, subtask: int, time_source: TimeSource) -> None:
        self._writer = writer
        self._began_at = time_source.wall_ms()
        self._name = writer_name(operator, subtask)
        self._request: RepeatRequest | None = None
        self._replied_to = ""
        self._polled_at: Millis = 0

    def poll(self, tick: Millis) -> None:
        """Look for a request, at the first of the lanes' ticks of a second. The writer has been ticked."""
        if tick == self._polled_at:
            return
        self._polled_at = tick
        found = decode_request(self._writer.query(REPEAT_KEY, _READ_REQUEST))
        if (
            found is not None
            and found.id != self._replied_to
            and (self._request is None or found.id != self._request.id)
        ):
            self._request = found
            self._writer.learn_routes()

    def take(self, lane: LaneKeys) -> list[list[str]]:
        """Returns the keys that the lane is to write again now, in chunks, the first of which may be empty: of the lane's own
        numbers nothing is remembered, so they are always among it."""
        request = self._request
        if request is None or lane.repeated == request.id:
            return []
        lane.repeated = request.id
        keys = lane.written_since(request.since_ms) if request.since_ms >= self._began_at else None
        if keys is None:
            self._reply(request, is_done=False)
            return []
        lane.unsent |= keys
        ordered = sorted(keys)
        return [ordered[at : at + CHUNK] for at in range(0, max(1, len(ordered)), CHUNK)]

    def settle(self, lanes: Collection[LaneKeys]) -> None:
        """Reply to the request once all lanes have written, and Redis has acknowledged it."""
        request = self._request
        if request is None or any(lane.repeated != request.id for lane in lanes):
            return
        self._writer.tick()
        if not any(self._writer.unsent(lane.unsent) for lane in lanes):
            self._reply(request, is_done=True)

    def _reply(self, request: RepeatRequest, is_done: bool) -> None:
        self._request, self._replied_to = None, request.id
        self._writer.put({REPEAT_KEY: FieldWrite(self._name, Reply(request.id, is_done).encode())})
        self._writer.tick()
