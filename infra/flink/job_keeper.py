"""The watch over the job, in a thread of its own: starting a job takes seconds in which services must still be looked after."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from features.base.reader import Base
from features.errors import MartletError, Unavailable
from infra.flink import checkpoints
from infra.flink.job_control import Job
from infra.flink.standby import Spare
from infra.home import command_channel
from infra.home.command_channel import REBUILD, UPGRADE
from infra.home.paths import Home
from infra.services.base_loader import load_base
from infra.services.redis_instance import RedisRun
from infra.services.service import Service
from infra.services.supervisor import Supervisor

EVERY = 0.5
IN_VAIN = 5.0
"""A job that has failed on its checkpoint for so long (s) is started from an older one; Flink itself goes back to the same."""


class JobKeeper:
    """Starts the job again where Flink lost it or Redis lost writes, and does what commands ask of it."""

    def __init__(
        self,
        home: Home,
        supervisor: Supervisor,
        job: Job,
        redis_run: RedisRun,
        workers: Callable[[int], Sequence[Service]],
        keep_parallelism: Callable[[int], None],
        spare: Spare,
    ) -> None:
        """`workers` gives the TaskManagers for a parallelism; `keep_parallelism` notes it for the next `up`."""
        self._home = home
        self._supervisor = supervisor
        self._job = job
        self._redis_run = redis_run
        self._workers = workers
        self._keep_parallelism = keep_parallelism
        self._spare = spare
        self._vain_since: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="job-keeper", daemon=True)

    def start(self) -> str:
        """The first start; says from what. Raises Unavailable."""
        run_id, _ = self._redis_run.look()
        origin = self._job.start(before=self._redis_run.lost_since(run_id))
        self._redis_run.note(run_id)
        return origin

    def begin_watch(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the watch, then the job with a savepoint. Best effort: without it the newest checkpoint serves."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)
        self._spare.stop()
        try:
            if self._job.just_began():  # it will start from the base again, as if it had not begun
                self._job.cancel()
                checkpoints.forget(self._home)
            else:
                self._job.stop_with_savepoint()
        except Unavailable as error:
            self._supervisor.note(savepoint=str(error)[:300])

    def _watch(self) -> None:
        while not self._stopping.wait(EVERY):
            try:
                self._serve()
                self._look()
                with contextlib.suppress(Unavailable):  # the JobManager is away
                    self._spare.look()
                self._supervisor.note(job_trouble=None)
            except (MartletError, OSError) as error:
                self._supervisor.note(job_trouble=str(error)[:500])

    def _look(self) -> None:
        with contextlib.suppress(Unavailable):  # it is away: the job waits for it
            self._look_at_redis()
        try:
            lost = self._job.running() is None
            vain = not lost and self._is_vain()
        except Unavailable:
            return  # the JobManager is away; the supervisor sees to it
        if vain:
            self._vain_since = None
            self._job.cancel()
        if lost or vain:
            self._again("Flink had lost it" if lost else "its checkpoint did not load", None)

    def _is_vain(self) -> bool:
        if not self._job.restores_in_vain():
            self._vain_since = None
            return False
        if self._vain_since is None:
            self._vain_since = time.monotonic()
        return time.monotonic() - self._vain_since > IN_VAIN

    def _look_at_redis(self) -> None:
        run_id, loaded = self._redis_run.look()
        if loaded != self._job.settings.generation:
            self._rebuild("Redis had been emptied")
            return
        since = self._redis_run.lost_since(run_id)
        if since is not None:
            self._job.cancel()
            self._again("Redis came back as another instance", since)
        self._redis_run.note(run_id)

    def _again(self, why: str, before: float | None) -> str:
        origin = self._job.start(before)
        self._supervisor.note(job_submitted_again=f"{time.strftime('%Y-%m-%d %H:%M:%S')}: {why}")
        return origin

    def _rebuild(self, why: str) -> str:
        """Everything in Redis anew: the base, then the whole log."""
        settings = self._job.settings
        self._job.cancel()
        checkpoints.forget(self._home)
        load_base(Base(Path(settings.base)), settings.redis_port, settings.generation)
        origin = self._again(why, None)
        self._redis_run.note(self._redis_run.look()[0])
        return origin

    def _upgrade(self, parallelism: int | None) -> str:
        """Savepoint, new TaskManagers (they keep Python's modules, so only new ones see changed code), on from there."""
        settings = self._job.settings
        before, after = settings.parallelism, parallelism or settings.parallelism
        self._job.stop_with_savepoint(within=60)
        self._job.use(msgspec.structs.replace(settings, parallelism=after))
        self._keep_parallelism(after)
        self._spare.give_up_first()
        for service in self._workers(before):
            self._supervisor.end(service.name)
        workers = self._workers(after)
        for service in workers:
            self._supervisor.begin(service)
        for service in workers:
            self._supervisor.await_ready(service)
        return self._again("upgrade", None)

    def _serve(self) -> None:
        request = command_channel.next_request(self._home)
        if request is None:
            return
        try:
            command_channel.answer(self._home, request, done=self._do(request))
        except (MartletError, OSError) as error:
            command_channel.answer(self._home, request, error=str(error)[:1000])

    def _do(self, request: dict[str, Any]) -> str:
        if request["wish"] == UPGRADE:
            origin = self._upgrade(request.get("parallelism"))
            return f"the job goes on from {origin}, parallelism {self._job.settings.parallelism}"
        if request["wish"] == REBUILD:
            return f"Redis holds the base; the job folds the whole log again, from {self._rebuild('rebuild')}"
        raise Unavailable(f"unknown request {request['wish']!r}")
