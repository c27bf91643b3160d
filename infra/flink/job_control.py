"""Control of the Flink job: starts it from the newest readable checkpoint, cancels it, stops it with a savepoint.

A checkpoint that does not load, or from which the job reads nothing, is refused and named in `status`, and the one before it is
used; if none is left the job starts from the base and folds the whole log again. So it never silently starts empty.
"""

import time
from contextlib import suppress
from pathlib import Path

import msgspec

from features.durable import write_secret
from features.errors import Unavailable
from infra.flink import checkpoints
from infra.flink.checkpoints import Checkpoint
from infra.flink.client import FlinkClient, Json, all_run, innermost_cause
from infra.flink.job_client import WARM_TIMEOUT, JobClient, NotSubmitted
from infra.flink.repetition import CLOCKS_DIFFER
from infra.flink.spoiled_python import SpoiledPython
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.running import running_status
from infra.services.supervisor import Supervisor
from infra.storage.file_store import FileStore
from streaming.settings import JobSettings, read_settings

RUN_TIMEOUT = 60.0 + WARM_TIMEOUT
RUN_TIMEOUT_EACH = 40.0
"""Seconds until all tasks run: a constant, in which TaskManagers may still warm themselves, and more for each degree of
parallelism, whose two TaskManagers share the machine's cores while they load Python."""
SAVEPOINT_S = 60.0
"""Within which a savepoint must be there; `down` waits longer."""
SETTLED = 15.0
"""Seconds after a start from the base during which no savepoint is taken: one taken while Kafka's partitions are being assigned
restores to a job that reads nothing (seen with connector 5.0.0-2.2)."""
BASE = "the base"
"""Name of the origin of a job that did not start from a checkpoint."""
_UNREADABLE = (
    "Could not restore", "restoring", "Failed to rollback to checkpoint", "checkpoint metadata", "checkpoint/savepoint",
    "StateMigrationException", "savepoint file", "checkpoint pointer", "CheckpointCoordinator.restore",
)  # fmt: skip
"""Phrases in Flink's error messages if a checkpoint, not a service, is at fault …"""
_AWAY = (
    "SdkClientException", "S3Exception", "UnknownHostException", "ConnectException", "SocketTimeoutException",
    "UnsupportedFileSystemSchemeException",
)  # fmt: skip
_NO_OBJECT = "NoSuchKey"
"""… unless it is the bucket that does not answer, or refuses; one that has no such object has answered."""


def settings_file(home: Home) -> Path:
    """Returns the file with the settings of a home's job."""
    return home.flink / "job.json"


def job_settings(home: Home) -> JobSettings:
    """Returns the settings of the job that runs in a home. Raises Unavailable where nothing runs there, or the job, of the base
    that is in use now, has not been started yet."""
    running_status(home)
    settings = _settings_before(settings_file(home), HomeRecord(home).generation)
    if settings is None:
        raise Unavailable(f"the job of {home.path} is not started yet; ./martlet status says how far the start is")
    return settings


def _settings_before(file: Path, generation: int) -> JobSettings | None:
    """Returns the settings of the generation's job as a run before this one has left them; None if it was the first."""
    with suppress(OSError, msgspec.MsgspecError):
        before = read_settings(file)
        return before if before.generation == generation else None
    return None


class CheckpointUnreadable(Unavailable):
    """The job did not start because of the checkpoint."""


class Job:
    """Controls one home's job in its Flink cluster. store: of its checkpoints."""

    def __init__(
        self,
        home: Home,
        store: FileStore,
        flink: FlinkClient,
        client: JobClient,
        settings: JobSettings,
        supervisor: Supervisor,
    ) -> None:
        self._home = home
        self.store = store
        self._flink = flink
        self._client = client
        self._supervisor = supervisor
        self._spoiled = SpoiledPython(supervisor.replace, supervisor.note)
        self._began: float | None = None
        before = _settings_before(settings_file(home), settings.generation)
        self._may_have_written = before is not None
        """Whether a job of this generation may have written to Redis: where that was emptied, to what lacks all before."""
        whole_until = 0 if before is None else before.whole_until
        self.use(msgspec.structs.replace(settings, whole_until=max(whole_until, settings.whole_until)))

    def use(self, settings: JobSettings) -> None:
        """Set the settings for the next start."""
        self.settings = settings
        write_secret(settings_file(self._home), msgspec.json.format(msgspec.json.encode(settings)))

    def prepare_client(self) -> None:
        """Have a client ready for the next start; to be called repeatedly."""
        self._client.prepare()

    def drop_client(self) -> None:
        """End the client that is ready: the code has changed since it was started."""
        self._client.drop()

    def running(self) -> str | None:
        """Returns the id of the live job; None if there is none. Raises Unavailable."""
        return self._flink.live_job()

    def start(self, before: float | None = None) -> str:
        """Start from the newest checkpoint that loads, completed before `before` (wall time, s) if given, else from the
        base; returns the origin. Raises Unavailable if the fault is not a checkpoint's."""
        checkpoints.admit(self.store, self.settings.generation)
        if before is not None:  # until now the job has written to the Redis that lacks something
            self._write_whole()
        for checkpoint in checkpoints.retained(self.store):
            if before is not None and checkpoint.completed_at >= before - CLOCKS_DIFFER:
                # For good: a later start without `before` would take it, and leave out what was lost.
                self._refuse(checkpoint, "Redis has lost writes of before it")
                continue
            try:
                self._submit(checkpoint)
                self.wait_running()
                return self._started(self.store.name_of(checkpoint.path))
            except CheckpointUnreadable as error:
                self.cancel()
                self._refuse(checkpoint, str(error).splitlines()[0][:300])
        if self._may_have_written:  # what it has written fences out the base, and changes of before
            self._write_whole()
        self._began = time.monotonic()
        self._submit(None)
        self.wait_running()
        self._began = time.monotonic()
        return self._started(BASE)

    def _write_whole(self) -> None:
        """Have the next job write users whole by all records until now."""
        self.use(msgspec.structs.replace(self.settings, whole_until=int(1000 * (time.time() + CLOCKS_DIFFER))))

    def _started(self, origin: str) -> str:
        self._supervisor.note(job_from=origin)
        with suppress(Unavailable):  # they go after the next start
            checkpoints.drop_older_savepoints(self.store)
        return origin

    def _submit(self, checkpoint: Checkpoint | None) -> None:
        self._may_have_written = True
        try:
            self._client.submit(None if checkpoint is None else self.store.uri_of(checkpoint.path))
        except NotSubmitted as error:
            raise _fault(error.output)(str(error)) from error

    def wait_running(self, timeout: float | None = None) -> None:
        """Wait until every task of the job runs, for `timeout` seconds, by default as many as its parallelism needs. Raises
        Unavailable if that takes too long, and CheckpointUnreadable as soon as Flink reports it."""
        timeout = RUN_TIMEOUT + RUN_TIMEOUT_EACH * self.settings.parallelism if timeout is None else timeout
        deadline = time.monotonic() + timeout
        state, cause = "unknown", ""
        while time.monotonic() < deadline:
            try:
                job = self.running()
                if job is not None:
                    detail = self._flink.job(job)
                    states = {vertex["status"] for vertex in detail["vertices"]}
                    state = f"{detail['state']} ({', '.join(sorted(states))})"
                    if all_run(detail):
                        self._supervisor.note(job=job)
                        return
                trouble = self._trouble()
                if _fault(trouble) is CheckpointUnreadable:
                    raise CheckpointUnreadable(trouble)
                cause = innermost_cause(trouble)
            except CheckpointUnreadable:
                raise
            except Unavailable as error:
                state = str(error)
            time.sleep(0.2)
        raise Unavailable(
            f"the job does not run after {timeout:.0f} s: {state}{cause and f', {cause}'}; see the logs of the TaskManagers"
        )

    def _trouble(self) -> str:
        """Returns the stack trace of the newest job's newest failure, "" if there is none, and replaces a TaskManager that is
        behind it. Raises Unavailable."""
        job = self._flink.newest_job()
        if job is None:
            return ""
        failure = self._flink.newest_failure(job)
        self._spoiled.see_to(failure)
        return failure.text

    def restores_in_vain(self) -> bool:
        """Returns whether the job keeps failing to restore its checkpoint. Raises Unavailable."""
        job = self.running()
        if job is None or all_run(self._flink.job(job)):
            return False
        return _fault(self._trouble()) is CheckpointUnreadable

    def details(self) -> Json | None:
        """Returns Flink's details of the live job; None if there is none. Raises Unavailable."""
        job = self.running()
        return None if job is None else self._flink.job(job)

    def refuse_since_restore(self, reason: str) -> None:
        """Refuse the checkpoint that the live job was restored from, and all completed since: they lack what it lacks. Raises
        Unavailable."""
        job = self.details()
        if job is None:
            return
        restored = self._flink.checkpoints(job["jid"])["latest"]["restored"]
        path = None if restored is None else self.store.path_of(restored["external_path"])
        present = checkpoints.retained(self.store)
        since = next((each.completed_at for each in present if each.path == path), job["start-time"] / 1000)
        self.refuse_since(since, reason)

    def refuse_since(self, since: float, reason: str) -> None:
        """Refuse the checkpoints completed since then (wall time, s). Raises Unavailable."""
        for checkpoint in checkpoints.retained(self.store):
            if checkpoint.completed_at >= since:
                self._refuse(checkpoint, reason)

    def _refuse(self, checkpoint: Checkpoint, reason: str) -> None:
        checkpoints.refuse(self.store, checkpoint, reason)
        self._supervisor.note(checkpoint_refused=f"{checkpoint.name}: {reason}")

    def cancel(self, timeout: float = 30.0) -> None:
        """Cancel the job, without a savepoint. Raises Unavailable if it does not end within `timeout` seconds."""
        end_live_job(self._flink, timeout)

    def just_began(self) -> bool:
        """Returns whether the job started from the base too recently for a savepoint."""
        return self._began is not None and time.monotonic() - self._began < SETTLED

    def stop_with_savepoint(self, timeout: float = SAVEPOINT_S) -> None:
        """Stop the job with a savepoint, so that the next start need not read anything again. Raises Unavailable if that
        fails."""
        while self.just_began():
            time.sleep(0.2)
        job = self.running()
        if job is None:
            raise Unavailable("no job runs")
        request = self._flink.stop_with_savepoint(job, self.store.uri)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            answer = self._flink.savepoint(job, request)
            if answer["status"]["id"] == "COMPLETED":
                if "location" in answer.get("operation", {}):
                    self._drop_impossible(answer["operation"]["location"])
                    return
                cause = answer.get("operation", {}).get("failure-cause", {}).get("stack-trace", "")
                raise Unavailable(f"the savepoint failed: {cause[:300]}")
            time.sleep(0.1)
        raise Unavailable(f"no savepoint within {timeout:.0f} s")

    def _drop_impossible(self, savepoint: str) -> None:
        path = self.store.path_of(savepoint)
        if path is not None:
            with suppress(Unavailable):  # with the next savepoint
                checkpoints.drop_impossible(self.store, path)


def end_live_job(flink: FlinkClient, timeout: float = 30.0) -> bool:
    """Cancel our live job in a cluster; returns whether there was one. Raises Unavailable if it does not end within `timeout`
    seconds."""
    deadline = time.monotonic() + timeout
    was_live = False
    while (job := flink.live_job()) is not None:
        if time.monotonic() > deadline:
            raise Unavailable(f"job {job} was not cancelled within {timeout:.0f} s")
        flink.cancel(job)
        was_live = True
        time.sleep(0.3)
    return was_live


def _fault(text: str) -> type[Unavailable]:
    is_away = any(name in text for name in _AWAY) and _NO_OBJECT not in text
    return CheckpointUnreadable if not is_away and any(phrase in text for phrase in _UNREADABLE) else Unavailable
