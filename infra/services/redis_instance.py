"""Detection of a restarted Redis: if it comes back as another instance, the writes it may have lost are repeated.

Redis syncs to disk once a second (appendfsync everysec), at worst two seconds late. Writes acknowledged just before it died may
be lost without the job knowing, so the job restarts from a checkpoint completed before that.
"""

import time
from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import Unavailable
from features.keys import LOADED_KEY
from infra.home.paths import read_json, write_json

MAY_LOSE = 3.0
"""Seconds of acknowledged writes that a crash of Redis may lose."""
NOTE_EVERY = 2.0
"""Seconds between two notes of the same instance. Each is synced, since after a power cut, too, one has to be there. A note that
is this much too old tells of a loss that began earlier than it did: more is written again, nothing is left out."""


class RedisRun:
    """Remembers, in a file for the next `up`, which instance was last written to and when it was last seen alive. `clock`
    returns the wall time, s."""

    def __init__(self, file: Path, port: int, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._noted: tuple[str, float] | None = None
        self._client = redis.Redis(port=port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))

    def read_instance(self) -> tuple[str, int | None]:
        """Returns (run id, generation whose base it holds) of the running Redis. Raises Unavailable if it does not answer."""
        try:
            run_id = str(self._client.info("server")["run_id"])
            loaded = self._client.get(LOADED_KEY)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
        return run_id, None if loaded is None else int(loaded)

    def lost_since(self, run_id: str) -> float | None:
        """Returns the wall time (s) since which writes may be lost, if `run_id` differs from the noted instance; else None."""
        noted = read_json(self._file)
        if noted is None or noted["run_id"] == run_id:
            return None
        return float(noted["seen_at"]) - MAY_LOSE

    def note(self, run_id: str) -> None:
        """Note that this instance is alive, and that everything lost before is being written again: at once if it is another
        one, else every NOTE_EVERY seconds."""
        now = self._clock()
        if self._noted is not None and self._noted[0] == run_id and 0 <= now - self._noted[1] < NOTE_EVERY:
            return
        write_json(self._file, {"run_id": run_id, "seen_at": now})
        self._noted = run_id, now

    def note_clean_stop(self) -> None:
        """Note that Redis was stopped in order and has everything on disk."""
        self._file.unlink(missing_ok=True)
        self._noted = None
