"""What a replay notes of itself while it runs: how far it is, in data/replay.json, and the home's clock at what it has sent."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from features.engines.redis_address import RedisAddress
from features.types import Millis
from infra.home.paths import read_json, write_json
from infra.replay.clock_mark import OFFSET, offset_of, put_mark


class ProgressNotes:
    """Notes one after the other: a next one waits for the one before.

    file        data/replay.json of the home
    marked      the Redis in which the home's clock is moved on; None: it stays
    print_line  is called with what a person should know
    """

    def __init__(self, file: Path, marked: RedisAddress | None, print_line: Callable[[str], None]) -> None:
        self._file, self._marked, self._print_line = file, marked, print_line
        self._offset: int | None = (read_json(file, sync=False) or {}).get(OFFSET)
        self._has_failed = False

    async def note(self, progress: Mapping[str, object], newest_ts: Millis, sync: bool) -> None:
        """Move the home's clock on to the newest event that was sent (0: none was), and write `progress` and that mark. That it
        can't be written is said once, and ends nothing: events are in the log, and the next note may be written. A Redis that
        hangs holds up the note, and no other task."""
        if self._marked is not None and newest_ts:
            offset = offset_of(newest_ts)
            self._offset = offset if self._offset is None else max(self._offset, offset)
            await asyncio.to_thread(put_mark, self._marked, self._offset)
        mark = {} if self._offset is None else {OFFSET: self._offset}
        try:
            write_json(self._file, {**progress, **mark}, sync)
        except OSError as error:
            if not self._has_failed:
                self._print_line(
                    f"{self._file}: expected to note in it how far the replay is, got {error}; the replay goes on"
                )
            self._has_failed = True
