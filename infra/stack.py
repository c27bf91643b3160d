"""The engines of a home: Redis, Kafka with its topics, Flink's cluster and the job in it, all under one supervisor.

`up` starts them and what serves lists beside them; benchmarks of the stream start them alone.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from features.errors import BadInput, MartletError
from infra.flink import checkpoints
from infra.flink import cluster as flink
from infra.flink.client import FlinkClient
from infra.flink.job_client import JobClient
from infra.flink.job_control import BASE, Job, settings_file
from infra.flink.job_keeper import JobKeeper
from infra.flink.standby import Spare
from infra.home.paths import Home
from infra.home.ports import LOOPBACK, Ports
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from infra.services import kafka, kafka_topics, redis
from infra.services.base_loader import load_base, loaded_generation
from infra.services.redis_instance import RedisRun
from infra.services.service import Service
from infra.services.supervisor import Supervisor, stop_leftovers
from infra.system import packages
from infra.system.processes import require_free, tail
from infra.system.progress import Steps
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
    """The engines of one home, each started by a method that says what must be there before; made by `Stack.opened`. Those that
    do not need one another may be called in threads at the same time.

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
        self._client: JobClient | None = None
        self._env: dict[str, str] = {}
        """Of Flink's scripts and client, once the cluster is configured."""
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

    def fetch_packages(self) -> None:
        """What is no Python package: fetched once a machine, checked by digest."""
        with self.steps.step("packages beside Python"):
            packages.jars("kafka")
            packages.jars("connector")

    def start_redis(self) -> None:
        """Raises Unavailable if it does not come up."""
        with self.steps.step("Redis"):
            self.supervisor.start(redis.redis(self.home, self.ports))
            self._redis_run = RedisRun(self.home.flink / "redis_run.json", self.ports.redis)

    def start_kafka(self) -> None:
        """With the topics. The packages must be there. Raises Unavailable if it does not come up."""
        with self.steps.step("Kafka"):
            self._format_kafka()
            self.supervisor.start(kafka.kafka(self.home, self.ports))
            kafka_topics.create(self.ports.bootstrap)

    def make_base(self) -> None:
        """Make the base by Spark if there is none that this fold can go on from, and take it for this home."""
        number = self.record.next_base_number()
        if not (self.home.bases / str(number) / "manifest.json").exists():
            with self.steps.step("base (Spark)"):
                self._prepare(number, "base", nice=0)
        self.record.take_base(number)
        self.record.save()

    def make_training_data(self) -> None:
        """Make by Spark what models are trained on. There must be a base. Raises MartletError if that fails."""
        with self.steps.step("training data (Spark)"):
            self._prepare(self.record.base().data_base, "training-data", runner.NICE)

    def _prepare(self, number: int, part: Literal["base", "training-data"], nice: int) -> None:
        attend = self.supervisor.attending
        runner.prepare(self.home, self.record, number, self.steps.say, self._master, part, attend, nice)

    def load_base(self) -> None:
        """Put the base into Redis where the generation rose, or Redis has lost it. Redis must run, and a base be there."""
        if loaded_generation(self.ports.redis) == self.record.generation:
            return
        # A new generation, or a Redis that has lost what it held: from the base, and the whole log once more.
        checkpoints.forget(self.home)
        with self.steps.step("base into Redis") as notes:
            users, items = load_base(self.record.base(), self.ports.redis, self.record.generation)
            notes.append(f"{users} users, {items} items")

    def start_cluster(self) -> None:
        """Flink's cluster, and the client that will submit the job: it warms itself and the TaskManagers until then. The packages
        must be there. Raises Unavailable if the cluster does not come up."""
        self._env = flink.configure(self.home, self.ports, self.record.state)
        *needed, _ = self._task_managers(self.record.parallelism)
        cluster = (flink.job_manager(self.home, self.ports, self._env), *needed)
        log = self.home.logs / "submit.log"
        self._client = JobClient(settings_file(self.home), log, self._env, self.supervisor)
        with self.steps.step("Flink cluster"):
            for service in cluster:
                self.supervisor.begin(service)
            self._client.start_ahead(len(needed))
            for service in cluster:
                self.supervisor.await_ready(service)

    def start_job(self) -> None:
        """The job, running. Stores and cluster must run, the base be loaded. Raises Unavailable if it does not come to run."""
        keeper = self._keeper()
        with self.steps.step("Flink job") as notes:
            origin = keeper.start()
            notes.append("from the base" if origin == BASE else f"from its last checkpoint, {Path(origin).name}")
        self.keeper = keeper

    def begin_watch(self) -> None:
        """From now on what dies is started again, and the job goes on where it was. `start_job` has returned."""
        assert self.keeper is not None
        self.keeper.begin_watch()
        self.supervisor.start_monitor()

    def _task_managers(self, parallelism: int) -> list[Service]:
        """The last one is to spare."""
        numbers = range(1, flink.task_managers(parallelism) + 1)
        state = self.record.state
        return [flink.task_manager(self.home, self.ports, self._env, number, state) for number in numbers]

    def _keeper(self) -> JobKeeper:
        record, env = self.record, self._env

        def keep_parallelism(parallelism: int) -> None:
            record.configure(parallelism=parallelism)
            record.save()

        assert self._redis_run is not None
        assert self._client is not None
        cluster = FlinkClient(self.ports.flink)
        job = Job(self.home, cluster, self._client, self._job_settings(), self.supervisor)
        spare = self._task_managers(record.parallelism)[-1]
        warmed = Spare(self.home, cluster, env, self.supervisor, spare)
        return JobKeeper(
            self.home,
            self.supervisor,
            job,
            self._redis_run,
            self._task_managers,
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
        argv = kafka.kafka_format(self.home, self.ports, self.record.cluster_id)
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
