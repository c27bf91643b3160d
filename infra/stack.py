"""The engines of a home: Redis, Kafka with its topics, Flink's cluster and the job in it, all under one supervisor.

`up` starts them and what serves lists beside them; benchmarks of the stream start them alone.
"""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from features.errors import BadInput, MartletError
from infra import artefacts, checkpoints, flink, offline, services, topics
from infra.flink_client import FlinkClient
from infra.home import Home
from infra.job import BASE, Job
from infra.keeper import JobKeeper
from infra.load import load_base, loaded_generation
from infra.processes import require_free, tail
from infra.record import HomeRecord
from infra.redis_run import RedisRun
from infra.services import LOOPBACK, Ports
from infra.spare import Spare
from infra.steps import Steps
from infra.supervisor import Service, Supervisor, stop_leftovers
from infra.up_options import UpOptions
from streaming.settings import JobSettings

FORMAT_TIMEOUT = 60.0


@contextmanager
def home_lock(home: Home) -> Iterator[None]:
    """Only one process at a time runs a home. Raises BadInput naming the other one."""
    with (home.run / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise BadInput(
                "--home", "a home that nothing runs in", f"{home.path}, which process {file.read().strip()} runs"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


class Stack:
    """The engines of one home, started by the methods below in their order; made by `Stack.opened`.

    home, record  the folder and what is kept about it; only this process writes the record meanwhile
    ports         where each service listens, chosen when the stack is opened
    supervisor    owns every process; more services may be started under it
    keeper        watches over the job, once `start_job` has returned
    """

    def __init__(self, home: Home, options: UpOptions, steps: Steps) -> None:
        self.home = home
        self.record = HomeRecord(home)
        self.steps = steps
        self.supervisor = Supervisor(home)
        self.keeper: JobKeeper | None = None
        self._master = options.master
        self._redis_run: RedisRun | None = None
        self.record.describe(options.dataset, options.history)
        self.record.configure(options.parallelism, options.state, options.attribution)
        self.ports = Ports.choose(options.port, self.record.ports)
        self.record.put_ports({name: port for name, port in asdict(self.ports).items() if name != "api"})

    @classmethod
    @contextmanager
    def opened(cls, home: Home, options: UpOptions, steps: Steps, fold_items: bool | None = None) -> Iterator["Stack"]:
        """Take the home for this process, for as long as the context lasts: what an earlier run left behind is stopped first,
        and in the end everything that was started. Raises BadInput if the home or the API's port is taken, or if it was made
        for other data. `fold_items`: JobSettings.items from now on; None: as the home has it."""
        home.make()
        with home_lock(home):
            stop_leftovers(home, steps.say)
            if options.port:
                require_free(options.port)
            stack = cls(home, options, steps)
            if fold_items is not None:
                stack.record.fold_items(fold_items)
            stack.record.save()
            try:
                stack.supervisor.note(state="starting", ports=asdict(stack.ports))
                yield stack
            finally:
                stack._close()

    def start_stores(self) -> None:
        """Redis and Kafka, with the topics. Raises Unavailable if one does not come up."""
        step = self.steps.step
        with step("packages beside Python"):
            artefacts.jars("kafka")
            artefacts.jars("connector")
        with step("Redis"):
            self.supervisor.start(services.redis(self.home, self.ports))
            self._redis_run = RedisRun(self.home.flink / "redis_run.json", self.ports.redis)
        with step("Kafka"):
            self._format_kafka()
            self.supervisor.start(services.kafka(self.home, self.ports))
            topics.create(self.ports.bootstrap)

    def ensure_base(self) -> None:
        """Make the base if there is none that this fold can go on from, and load it where the generation rose."""
        record = self.record
        number = record.next_base_number()
        if not (self.home.bases / str(number) / "manifest.json").exists():
            with self.steps.step("base features and samples (Spark)"):
                self.steps.make_room()
                offline.prepare(self.home, record, number, self.steps.say, self._master)
        record.take_base(number)
        record.save()
        if loaded_generation(self.ports.redis) == record.generation:
            return
        # A new generation, or a Redis that has lost what it held: from the base, and the whole log once more.
        checkpoints.forget(self.home)
        with self.steps.step("base into Redis") as notes:
            users, items = load_base(record.base(), self.ports.redis, record.generation)
            notes.append(f"{users} users, {items} items")

    def start_job(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Flink's cluster and the job, running; `meanwhile` is called before the wait for the job. The stores must run, and the
        base be loaded. Raises Unavailable if the job does not come to run."""
        env = flink.configure(self.home, self.ports, self.record.state)
        *needed, spare = self._task_managers(env, self.record.parallelism)
        with self.steps.step("Flink cluster"):
            cluster = (flink.job_manager(self.home, self.ports, env), *needed)
            for service in cluster:
                self.supervisor.begin(service)
            for service in cluster:
                self.supervisor.await_ready(service)
        keeper = self._keeper(env, spare)
        with self.steps.step("Flink job") as notes:
            meanwhile()
            origin = keeper.start()
            notes.append("from the base" if origin == BASE else f"from its last checkpoint, {Path(origin).name}")
        self.keeper = keeper

    def begin_watch(self) -> None:
        """From now on what dies is started again, and the job goes on where it was. `start_job` has returned."""
        assert self.keeper is not None
        self.keeper.begin_watch()
        self.supervisor.start_monitor()

    def _task_managers(self, env: dict[str, str], parallelism: int) -> list[Service]:
        numbers = range(1, flink.task_managers(parallelism) + 1)
        return [flink.task_manager(self.home, self.ports, env, number) for number in numbers]

    def _keeper(self, env: dict[str, str], spare: Service) -> JobKeeper:
        record = self.record

        def keep_parallelism(parallelism: int) -> None:
            record.configure(parallelism=parallelism)
            record.save()

        assert self._redis_run is not None
        job = Job(self.home, self.ports, env, self._job_settings(), self.supervisor)
        warmed = Spare(self.home, FlinkClient(self.ports.flink), env, self.supervisor, spare)
        return JobKeeper(
            self.home,
            self.supervisor,
            job,
            self._redis_run,
            lambda parallelism: self._task_managers(env, parallelism),
            keep_parallelism,
            warmed,
        )

    def _job_settings(self) -> JobSettings:
        record, base = self.record, self.record.base()
        return JobSettings(
            bootstrap=self.ports.bootstrap,
            redis_host=LOOPBACK,
            redis_port=self.ports.redis,
            base=str(base.folder),
            generation=record.generation,
            horizon=max(base.clock_start, base.horizon),
            horizon_since=record.clock_since,
            parallelism=record.parallelism,
            attribution=record.attribution,
            items=record.folds_items,
        )

    def _format_kafka(self) -> None:
        argv = services.kafka_format(self.home, self.ports, self.record.cluster_id)
        if (self.home.kafka / "data" / "meta.properties").exists():
            return
        log = self.home.logs / "kafka-format.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [str(part) for part in argv], stdout=out, stderr=out, stdin=subprocess.DEVNULL, timeout=FORMAT_TIMEOUT
            )
        if done.returncode != 0:
            raise MartletError(f"Kafka's folder could not be prepared:\n{tail(log)}")

    def _close(self) -> None:
        """Stop the job with a savepoint, then every process."""
        if self.keeper is not None:
            with self.steps.step("savepoint"):
                self.keeper.stop()
        clean = self.supervisor.stop_all(lambda text: self.steps.say(f"  {text}"))
        if self._redis_run is not None and clean.get("redis"):
            self._redis_run.note_clean_stop()
