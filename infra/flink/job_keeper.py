"""Keeps the job running, in a thread of its own: starting a job takes seconds during which services must be supervised."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from features.errors import MartletError, Unavailable
from infra.flink import checkpoints
from infra.flink.job_control import Job
from infra.flink.repetition import CLOCKS_DIFFER, Loss, Repetition
from infra.flink.standby import Standby
from infra.flink.standstill import Standstill
from infra.home import command_channel
from infra.home.command_channel import REBUILD, UPGRADE
from infra.home.paths import Home
from infra.services.redis_instance import RedisRun
from infra.services.service import Service
from infra.services.supervisor import Supervisor

EVERY = 0.5
TIDY_EVERY = 60.0
"""Seconds between two looks at which checkpoints nobody needs any more."""
IN_VAIN = 5.0
"""Seconds of failing to restore a checkpoint after which the job is started from an older one; Flink itself retries the same."""
ANOTHER = "Redis came back as another instance"


class JobKeeper:
    """Restarts the job if Flink lost it, it reads nothing or Redis lost writes, and carries out requests of commands."""

    def __init__(
        self,
        home: Home,
        supervisor: Supervisor,
        job: Job,
        redis_run: RedisRun,
        workers: Callable[[int], Sequence[Service]],
        save_parallelism: Callable[[int], None],
        standby: Standby | None,
        standstill: Standstill,
        repetition: Repetition,
        fill_redis: Callable[[], object],
    ) -> None:
        """`workers` returns the TaskManagers for a parallelism; `save_parallelism` records it for the next `up`; `fill_redis`
        loads the base into a Redis that is empty. No `standby`: the cluster is attached, its TaskManagers are not ours."""
        self._home = home
        self._supervisor = supervisor
        self._job = job
        self._redis_run = redis_run
        self._workers = workers
        self._save_parallelism = save_parallelism
        self._standby = standby
        self._standstill = standstill
        self._repetition = repetition
        self._fill_redis = fill_redis
        self._vain_since: float | None = None
        self._tidy_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job-keeper", daemon=True)

    def start(self) -> str:
        """Start the job for the first time; returns the origin. Raises Unavailable."""
        instances, _ = self._redis_run.read_instances()
        origin = self._job.start(before=self._redis_run.lost_since(instances))
        self._redis_run.note(instances)
        return origin

    def start_thread(self) -> None:
        self._thread.start()

    def stop(self) -> str:
        """Stop the thread, then the job with a savepoint; if that fails the newest checkpoint will do. Returns why there is no
        savepoint, "" where there is one, or none is needed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)
        if self._standby is not None:
            self._standby.stop()
        self._standstill.close()
        self._repetition.close()
        try:
            if self._job.just_began():  # it will start from the base again, as if it had not begun
                self._job.cancel()
                checkpoints.forget(self._job.store)
            else:
                self._job.stop_with_savepoint()
        except Unavailable as error:
            ended = "" if self._standby is not None else self._cancel_at_last()  # an attached cluster would run it on
            return f"none, the next start reads on from the newest checkpoint: {str(error)[:300]}{ended}"
        return ""

    def _cancel_at_last(self) -> str:
        """Cancel the job; returns what is amiss then, "" for nothing."""
        try:
            self._job.cancel()
        except Unavailable as error:  # the next `up` or `down` ends it
            return f"; the job may run on: {str(error)[:300]}"
        return ""

    def _run(self) -> None:
        while not self._stopping.wait(EVERY):
            try:
                self._serve_request()
                self._check_job()
                with suppress(Unavailable):  # the JobManager is away
                    self._prepare_for_faults()
                    self._tidy()
                self._supervisor.note(job_trouble=None)
            except Exception as error:  # nobody else sees to the job
                kind = "" if isinstance(error, (MartletError, OSError)) else f"{type(error).__name__}: "
                self._supervisor.note(job_trouble=f"{kind}{error}"[:500])

    def _tidy(self) -> None:
        job = self._job.running() if time.monotonic() >= self._tidy_at else None
        if job is not None:
            self._tidy_at = time.monotonic() + TIDY_EVERY
            checkpoints.drop_superseded(self._job.store, job)

    def _prepare_for_faults(self) -> None:
        """See to it that the job has its TaskManagers, then a warm standby, then a client that can submit it again."""
        if self._standby is None:
            return
        if self._supervisor.waiting():
            self._standby.restart_missing(self._workers(self._job.settings.parallelism))
        self._standby.poll()
        if self._standby.is_warm:
            self._job.prepare_client()

    def _check_job(self) -> None:
        try:
            with suppress(Unavailable):  # it is away: the job waits for it
                self._check_redis()
        finally:  # where it can't be noted, as on a disk that is full, the job is seen to all the same
            self._check_flink()

    def _check_flink(self) -> None:
        try:
            trouble = self._trouble()
        except Unavailable:
            return  # the JobManager is away; the supervisor sees to it
        if trouble is not None:
            self._vain_since = None
            self._job.cancel()
            self._restart(trouble, self._repetition.loss)

    def _trouble(self) -> str | None:
        """Returns why the job must be started again, None if it need not, and refuses checkpoints at fault. Raises
        Unavailable."""
        if self._job.running() is None:
            return "Flink had lost it"
        if self._is_vain():
            return "its checkpoint did not load"
        if not self._standstill.poll(self._job.details):
            return None
        self._job.refuse_since_restore("the job read nothing after it")
        return "it read nothing of the log"

    def _is_vain(self) -> bool:
        if not self._job.restores_in_vain():
            self._vain_since = None
            return False
        if self._vain_since is None:
            self._vain_since = time.monotonic()
        return time.monotonic() - self._vain_since > IN_VAIN

    def _check_redis(self) -> None:
        instances, loaded = self._redis_run.read_instances()
        if loaded != self._job.settings.generation:
            self._rebuild("Redis had been emptied")
            return
        since = self._redis_run.lost_since(instances)
        if since is None:
            self._redis_run.note(instances)
        else:
            self._write_again(Loss(since, instances))

    def _write_again(self, loss: Loss) -> None:
        """Have what Redis lost written again by the job as it runs, or by one that starts from before the loss."""
        is_done = self._repetition.poll(loss)
        if is_done:
            # Where this is lost again, they would not know that it is to be written.
            self._job.refuse_since(loss.since - CLOCKS_DIFFER, "what Redis lost of before it was written again later")
            self._is_written(self._repetition.loss)
            self._supervisor.note(job_wrote_again=_reported(ANOTHER))
        elif is_done is not None:
            self._job.cancel()
            self._restart(ANOTHER, loss)

    def _is_written(self, loss: Loss | None) -> None:
        self._repetition.end()
        if loss is not None:
            self._redis_run.note(loss.instances)

    def _restart(self, why: str, loss: Loss | None) -> str:
        """Start the job again; returns the origin."""
        origin = self._job.start(None if loss is None else loss.since)
        self._standstill.begin()
        self._is_written(loss)
        self._supervisor.note(job_submitted_again=_reported(why))
        return origin

    def _rebuild(self, why: str) -> str:
        """Rebuild everything in Redis: load the base, then fold the whole log. Returns the job's origin."""
        self._job.cancel()
        checkpoints.forget(self._job.store)
        self._fill_redis()
        origin = self._restart(why, None)
        self._redis_run.note(self._redis_run.read_instances()[0])
        return origin

    def _upgrade(self, parallelism: int | None) -> str:
        """Restart the job from a savepoint on new TaskManagers: old ones keep Python's modules and would not see changed code."""
        if self._standby is None:
            raise Unavailable(
                "the Flink cluster is attached: ./martlet down, restart its TaskManagers with the new code, ./martlet up"
            )
        settings = self._job.settings
        before, after = settings.parallelism, parallelism or settings.parallelism
        self._job.stop_with_savepoint()
        self._job.use(msgspec.structs.replace(settings, parallelism=after))
        self._save_parallelism(after)
        self._standby.give_up_first()
        self._job.drop_client()
        for service in self._workers(before):
            self._supervisor.end(service.name)
        self._supervisor.start_all(self._workers(after))
        return self._restart("upgrade", None)

    def _serve_request(self) -> None:
        request = command_channel.next_request(self._home)
        if request is None:
            return
        try:
            command_channel.write_answer(self._home, request, done=self._carry_out(request))
        except (MartletError, OSError) as error:
            command_channel.write_answer(self._home, request, error=str(error)[:1000])

    def _carry_out(self, request: dict[str, Any]) -> str:
        if request["wish"] == UPGRADE:
            origin = self._upgrade(request.get("parallelism"))
            return f"the job goes on from {origin}, parallelism {self._job.settings.parallelism}"
        if request["wish"] == REBUILD:
            return f"Redis holds the base; the job folds the whole log again, from {self._rebuild('rebuild')}"
        raise Unavailable(f"unknown request {request['wish']!r}")


def _reported(why: str) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')}: {why}"
