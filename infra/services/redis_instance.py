"""Which Redis the features were written to: if it comes back as another instance, what it may have lost is written again.

Redis puts its writes on disk once a second (appendfsync everysec), and may be two late. What it acknowledged in the seconds
before it died may be gone, and the job does not know; so the job goes back to a checkpoint completed before that.
"""

import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import Unavailable
from infra.home.paths import read_json, write_json
from infra.services.base_loader import LOADED_KEY

MAY_LOSE = 3.0
"""Seconds of acknowledged writes that a dying Redis may take with it."""


class RedisRun:
    """The instance last written to, and when it was last seen alive: in a file, so that the next `up` knows too."""

    def __init__(self, file: Path, port: int) -> None:
        self._file = file
        self._client = redis.Redis(port=port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))

    def look(self) -> tuple[str, int | None]:
        """(run id, generation whose base it holds) of the Redis that answers now. Raises Unavailable if none does."""
        try:
            run_id = str(self._client.info("server")["run_id"])
            loaded = self._client.get(LOADED_KEY)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
        return run_id, None if loaded is None else int(loaded)

    def lost_since(self, run_id: str) -> float | None:
        """Wall time (s) from which on writes may be lost, if `run_id` is another instance than the one noted; else None."""
        noted = read_json(self._file)
        if noted is None or noted["run_id"] == run_id:
            return None
        return float(noted["seen_at"]) - MAY_LOSE

    def note(self, run_id: str) -> None:
        """This instance is alive, and all that was lost before it is being written again."""
        write_json(self._file, {"run_id": run_id, "seen_at": time.time()})

    def note_clean_stop(self) -> None:
        """Redis was stopped in order and has everything on disk."""
        self._file.unlink(missing_ok=True)
