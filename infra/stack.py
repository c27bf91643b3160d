"""The engines of a home: Redis, Kafka with its topics, Flink's cluster and the job in it, all under one supervisor.

`up` starts them and the services that serve lists; benchmarks of the stream start them alone.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from features.durable import write_whole
from features.errors import BadInput, MartletError
from infra.flink import checkpoints
from infra.flink import cluster as flink
from infra.flink.client import FlinkClient
from infra.flink.job_client import JobClient
from infra.flink.job_control import BASE, Job, settings_file
from infra.flink.job_keeper import JobKeeper
from infra.flink.standby import Standby
from infra.home.dataset_choice import unread_correction
from infra.home.paths import Home
from infra.home.ports import LOOPBACK, Ports
from infra.home.record import HomeRecord
from infra.home.schema_file import read_given, take_schema
from infra.offline_jobs import runner
from infra.replay.clock_mark import restore_mark
from infra.services import kafka, kafka_topics, redis
from infra.services.base_loader import load_base, loaded_generation
from infra.services.redis_instance import RedisRun
from infra.services.service import Service
from infra.services.supervisor import Supervisor, stop_leftovers
from infra.system import packages
from infra.system.processes import require_free, tail
from infra.system.progress import Steps
from infra.up_options import UpOptions
from streaming.operators.stored_state import STATE_VERSION
from streaming.settings import JobSettings

FORMAT_TIMEOUT = 60.0


@contextmanager
def home_lock(home: Home) -> Iterator[None]:
    """Hold a home's lock, since only one process may run it. Raises BadInput naming the process that holds it."""
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


def replace_schema(home: Home, given: str) -> int:
    """Give the events of a home another meaning, a preset's or a file's; returns the number of the base that the next `up` makes
    by it. Raises BadInput for what is no schema, a home that runs, or one that has no base yet."""
    text, _ = read_given(given)
    record = HomeRecord(home)
    record.base_folder()
    with home_lock(home):
        number = record.free_base_number()
        record.set_next_base(number)
        write_whole(home.schema_file, text.encode())
        record.save()
    return number


class Stack:
    """Starts the engines of one home, each by a method whose docstring names its prerequisites; made by `Stack.opened`.
    Methods that do not depend on one another may be called in parallel threads.

    home, record  the folder and its record, which only this process writes meanwhile
    ports         where each service listens, chosen when the stack is opened
    supervisor    owns every process; more services may be started under it
    keeper        keeps the job running, once `start_job` has returned
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
        """Environment of Flink's processes and client, once the cluster is configured."""
        take_schema(home, options.schema, self.record.is_new)
        self.record.describe(options.dataset, options.history)
        self.record.configure(options.parallelism, options.state, options.attribution)
        self.ports = Ports.choose(options.port, self.record.ports)
        self.record.put_ports({name: port for name, port in asdict(self.ports).items() if name != "api"})

    @classmethod
    @contextmanager
    def opened(cls, home: Home, options: UpOptions, steps: Steps, fold_items: bool | None = None) -> Iterator["Stack"]:
        """Own the home for as long as the context lasts: on entry what an earlier run left behind is stopped, on exit everything
        that was started. Raises BadInput if the home or the API's port is taken, or if it was made
        for other data. `fold_items`: JobSettings.items from now on; None: as the home has it."""
        home.make()
        with home_lock(home):
            stop_leftovers(home, steps.print_line)
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
        """Fetch the jars, once per machine, checked by digest."""
        with self.steps.step("packages beside Python"):
            packages.jars("kafka")
            packages.jars("connector")

    def start_redis(self) -> None:
        """Start Redis. Raises Unavailable if it does not come up."""
        with self.steps.step("Redis"):
            self.supervisor.start(redis.redis(self.home, self.ports))
            self._redis_run = RedisRun(self.home.flink / "redis_run.json", self.ports.redis)

    def start_kafka(self) -> None:
        """Start Kafka and create the topics. Packages must be fetched. Raises Unavailable if it does not come up."""
        with self.steps.step("Kafka"):
            self._format_kafka()
            self.supervisor.start(kafka.kafka(self.home, self.ports))
            kafka_topics.create(self.ports.bootstrap)

    @property
    def lacks_base(self) -> bool:
        """Whether the home has no base that this version of the fold can read."""
        return not (self.home.bases / str(self.record.next_base_number()) / "manifest.json").exists()

    def compile_recall(self) -> None:
        """Compile what the API's recall computes with. Raises MartletError if that fails."""
        with self.steps.step("recall (compiled)"):
            runner.compile_recall(self.home, self.steps.print_line, self.supervisor.attending)

    def make_base(self) -> None:
        """Use the home's base; make it by Spark if there is none that this version of the fold can read."""
        number = self.record.next_base_number()
        if self.lacks_base:
            with self.steps.step("base (Spark)"):
                self._prepare(number, "base", nice=0)
        elif note := unread_correction(self.home, self.home.bases / str(number)):
            self.steps.print_line(note)
        if self.record.has_other_state:
            self.steps.print_line(
                "  the job's state is of another version of Martlet: the log is folded anew, from the base"
            )
        self.record.take_base(number)
        self.record.save()

    def make_training_data(self) -> None:
        """Make the training data by Spark. The base must exist. Raises MartletError if that fails."""
        with self.steps.step("training data (Spark)"):
            self._prepare(self.record.base().data_base, "training-data", runner.NICE)

    def _prepare(self, number: int, part: Literal["base", "training-data"], nice: int) -> None:
        attend = self.supervisor.attending
        runner.prepare(self.home, self.record, number, self.steps.print_line, self._master, part, attend, nice)

    def load_base(self) -> None:
        """Load the base into Redis if the generation rose or Redis has lost it. Redis must run and the base exist."""
        if loaded_generation(self.ports.redis) == self.record.generation:
            return
        # A new generation, or a Redis that has lost what it held: from the base, and the whole log once more.
        checkpoints.forget(self.home)
        with self.steps.step("base into Redis") as notes:
            users, items = load_base(self.record.base(), self.ports.redis, self.record.generation)
            restore_mark(self.home, self.ports.redis)
            notes.append(f"{users} users, {items} items")

    def start_cluster(self) -> None:
        """Start Flink's cluster, and the client that will submit the job and meanwhile warms itself and the TaskManagers.
        Packages must be fetched. Raises Unavailable if the cluster does not come up."""
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
        """Start the job. Stores and cluster must run, the base be loaded. Raises Unavailable if the job does not run in time."""
        keeper = self._keeper()
        with self.steps.step("Flink job") as notes:
            origin = keeper.start()
            notes.append("from the base" if origin == BASE else f"from its last checkpoint, {Path(origin).name}")
        self.keeper = keeper

    def start_watching(self) -> None:
        """From now on restart services that die, and the job where it was. `start_job` must have returned."""
        assert self.keeper is not None
        self.keeper.start_thread()
        self.supervisor.start_monitor()

    def _task_managers(self, parallelism: int) -> list[Service]:
        """Returns the TaskManagers of a parallelism; the last one is the standby."""
        numbers = range(1, flink.task_managers(parallelism) + 1)
        state = self.record.state
        return [flink.task_manager(self.home, self.ports, self._env, number, state) for number in numbers]

    def _keeper(self) -> JobKeeper:
        record, env = self.record, self._env

        def save_parallelism(parallelism: int) -> None:
            record.configure(parallelism=parallelism)
            record.save()

        assert self._redis_run is not None
        assert self._client is not None
        cluster = FlinkClient(self.ports.flink)
        job = Job(self.home, cluster, self._client, self._job_settings(), self.supervisor)
        standby = self._task_managers(record.parallelism)[-1]
        warmed = Standby(self.home, cluster, env, self.supervisor, standby)
        return JobKeeper(
            self.home,
            self.supervisor,
            job,
            self._redis_run,
            self._task_managers,
            save_parallelism,
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
            state_version=STATE_VERSION,
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
        clean = self.supervisor.stop_all(lambda text: self.steps.print_line(f"  {text}"))
        if self._redis_run is not None and clean.get("redis"):
            self._redis_run.note_clean_stop()
