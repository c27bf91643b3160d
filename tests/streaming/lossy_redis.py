"""A Redis that goes back to what it held a while ago, as one does that takes the place of another."""

from typing import Any

import redis

from features.engines.redis_address import RedisAddress
from infra.flink.repetition import Loss, Repetition
from infra.services.redis_instance import Instances
from streaming.settings import writer_names
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime


class LossyRedis:
    """A Redis that a job writes to, and the keeper's part where it lost something."""

    def __init__(self, address: RedisAddress, time_source: ManualTime) -> None:
        self._address, self._time = address, time_source
        self._client = redis.Redis(address.host, address.port, socket_timeout=5)
        self.remember()

    def remember(self) -> None:
        """Note what it holds: what is acknowledged from now on may be lost."""
        keys: list[Any] = list(self._client.scan_iter(count=1000))
        pipe = self._client.pipeline(transaction=False)
        for key in keys:
            pipe.dump(key)
        self._held = dict(zip(keys, pipe.execute(), strict=True))
        self._at = self._time.wall_ms() / 1000

    def go_back(self) -> None:
        """Hold what was remembered, and nothing else: at once, as a write that is being repeated may come at any moment."""
        pipe = self._client.pipeline(transaction=True)
        pipe.flushall()
        for key, value in self._held.items():
            pipe.restore(key, 0, value)
        pipe.execute()

    def is_written_again(self, job: JobRun) -> bool:
        """Have a job write again what was lost; returns whether it could."""
        repetition = Repetition(self._address, lambda: writer_names(job.settings), self._time.monotonic)
        try:
            while (is_done := repetition.poll(Loss(self._at, Instances(self._at, ())))) is None:
                job.advance(1.0)
            return is_done
        finally:
            repetition.close()
