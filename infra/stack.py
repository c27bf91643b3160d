"""The engines of a home: Redis, Kafka with its topics, Flink's cluster and the job in it, all under one supervisor.

`up` starts them and the services that serve lists; benchmarks of the stream start them alone.
"""

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from features.durable import write_secret
from features.errors import MartletError
from infra.attached.findings import require_well
from infra.attached.flink_entry import end_leftover_job
from infra.attached.kafka_entry import enter_kafka
from infra.attached.log_choice import check_log
from infra.attached.redis_entry import claim_redis, enter_redis
from infra.attached.store_entry import MODELS, examine_store, mirrored_to
from infra.flink import checkpoints, java_classes
from infra.flink.job_control import BASE
from infra.flink.job_keeper import JobKeeper
from infra.home import command_channel
from infra.home.access_file import ensure_access
from infra.home.dataset_choice import unread_correction
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.home.ports import USUAL, Ports, claimed_api
from infra.home.record import HomeRecord
from infra.home.schema_file import read_given
from infra.job_cluster import JobCluster
from infra.offline_jobs import runner
from infra.offline_jobs.base_folders import remove_bases
from infra.offline_jobs.step_process import NICE
from infra.replay.clock_mark import restore_mark
from infra.services import kafka, kafka_topics, redis
from infra.services.base_loader import load_base
from infra.services.environment import python_env
from infra.services.redis_cluster import bring_together
from infra.services.redis_instance import RedisRun
from infra.services.service import Service
from infra.services.supervisor import Supervisor, stop_leftovers
from infra.settings.addresses import engines_by
from infra.settings.reading import settings_of
from infra.storage.mirror_service import MirroredTo, mirror_once
from infra.system import packages
from infra.system.processes import spawn, tail
from infra.system.progress import Steps
from infra.up_options import UpOptions
from streaming.operators.stored_state import STATE_VERSION
from streaming.settings import JobSettings

FORMAT_TIMEOUT = 180.0
"""Seconds that preparing Kafka's folder may take: with several brokers as many JVMs start at once."""


def replace_schema(home: Home, given: str) -> int:
    """Give the events of a home another meaning, a preset's or a file's; returns the number of the base that the next `up` makes
    by it. Raises BadInput for what is no schema, or a home that runs, Broken for what is no home yet."""
    text, _ = read_given(given)
    record = HomeRecord(home)
    record.require_described()
    with home_lock(home.make()):
        if record.has_base:
            record.set_next_base(record.free_base_number())
        record.put_schema(text)
        record.save()
        return record.next_base_number()


class Stack:
    """Starts the engines of one home, each by a method whose docstring names its prerequisites; made by `Stack.opened`.
    Methods that do not depend on one another may be called in parallel threads.

    home, record  the folder and its record, which only this process writes meanwhile
    settings      of the home
    ports         where each service that is started listens, chosen when the stack is opened
    engines       where Kafka and Redis are: those that the settings name, else those that are started
    flink         URL of Flink's REST interface
    mirrored      where its models are mirrored, once `fetch_models` has returned; None: nowhere
    supervisor    owns every process; more services may be started under it
    keeper        keeps the job running, once `start_job` has returned
    """

    def __init__(self, home: Home, options: UpOptions, steps: Steps) -> None:
        self.home = home
        self.record = HomeRecord(home)
        self.steps = steps
        self.supervisor = Supervisor(home)
        self.keeper: JobKeeper | None = None
        self.settings = settings_of(home, options.settings())
        self._redis_run: RedisRun | None = None
        self._redis_servers: list[Service] = []
        """Those that were started here."""
        self._has_entered_cluster = False
        """Whether the job may have come to an attached cluster."""
        if options.schema is not None:
            self.record.take_schema(options.schema)
        self.record.describe(options.dataset, options.history)
        self._given_dataset = options.dataset
        self.record.divide(self.settings.kafka.partitions)
        before = self.record.topology
        topology = self.record.scale(options.scale)
        if topology != before:  # what a start that was broken off has left there, one server alone would go on with
            shutil.rmtree(home.redis, ignore_errors=True)
        self.record.configure(options.parallelism, options.state, options.attribution)
        usual = USUAL if options.port else {}
        self.ports = Ports.choose(options.port, self.record.ports, usual, topology.port_names)
        self.engines = engines_by(self.settings, home, self.ports, topology, self.record.partitions)
        self.mirrored: MirroredTo | None = None
        self._cluster = JobCluster(home, self.record, self.settings, self.ports, self.supervisor)
        self.flink = self._cluster.address
        self.record.put_flink(self.settings.flink.address or "")
        self.record.put_ports({name: port for name, port in self.ports.named().items() if name != "api"})

    @classmethod
    @contextmanager
    def opened(cls, home: Home, options: UpOptions, steps: Steps, fold_items: bool | None = None) -> Iterator["Stack"]:
        """Own a home whose lock is held (`infra.home.home_lock`) for as long as the context lasts: on entry what an earlier run
        left behind is stopped, on exit everything that was started. Raises BadInput if the API's port is taken, or if the home
        was made for other data. `fold_items`: JobSettings.items from now on; None: as the home has it."""
        home.make()
        with ExitStack() as claims:
            stop_leftovers(home.status_file, steps.print_line)
            end_leftover_job(home, steps.print_line)
            command_channel.drop_request(home)  # it was made to another run
            if options.port:
                claims.enter_context(claimed_api(options.port))
            stack = cls(home, options, steps)
            if fold_items is not None:
                stack.record.fold_items(fold_items)
            stack.record.save()
            write_secret(home.engines_file, msgspec.json.format(msgspec.json.encode(stack.engines)) + b"\n")
            try:
                ports, attached = stack.ports.named(), stack.attached or None
                stack.supervisor.note(state="starting", ports=ports, flink=stack.flink, attached=attached)
                yield stack
            finally:
                stack._close()

    def fetch_packages(self) -> None:
        """Fetch the jars, checked by digest, and compile the job's own Java classes, once per machine. Raises Broken if those do
        not compile."""
        with self.steps.step("packages beside Python"):
            if self.settings.kafka.bootstrap is None:
                packages.jars("kafka")
            java_classes.jar()

    def fetch_models(self) -> None:
        """Bring the home's models and those of the store together, where the settings name one. Raises BadInput for a folder that
        is not there, Unavailable if the store does not answer or can't be written to, or another process takes long to do it."""
        self.mirrored = mirrored_to(self.settings, self.record.home_id)
        if self.mirrored is None:
            return
        with self.steps.step("model store") as notes:
            store = self.mirrored.opened()
            require_well([examine_store(MODELS, store)])
            changes: list[str] = []
            mirror_once(self.home, store, changes.append)
            notes.append(f"{store.uri}: {len(changes)} changes" if changes else store.uri)

    def archive_classes(self) -> None:
        """Make the archives of Java's classes that this machine lacks, of what has been loaded until now. One that can't be made
        is logged: everything works without."""
        archives = self._cluster.class_archives()
        if self.settings.kafka.bootstrap is None:
            archives.append(kafka.class_archive(self.home))
        with (self.home.logs / "classes.log").open("a") as log:
            for archive in archives:
                try:
                    archive.make(log, NICE, self.supervisor.attending, python_env())
                except (MartletError, OSError) as error:
                    print(error, file=log, flush=True)

    @property
    def api_processes(self) -> int:
        """How many processes of the API are to be started."""
        return self.settings.api.processes or self.record.topology.api

    @property
    def attached(self) -> dict[str, str]:
        """Addresses of the engines that run already and are only used, by name."""
        settings, engines = self.settings, self.engines
        named = {
            "Kafka": engines.kafka.bootstrap if settings.kafka.bootstrap is not None else None,
            "Redis": str(engines.redis) if settings.redis.url is not None else None,
            "Flink": settings.flink.address,
            "model server": settings.models.server,
            "Spark": settings.spark.master,
            "checkpoints": settings.flink.checkpoints,
            "models": settings.models.store,
        }
        return {name: address for name, address in named.items() if address is not None}

    def start_redis(self) -> None:
        """Start Redis, or enter the one that is attached. Raises Unavailable if it does not come up, Broken if slots of its
        cluster are lost, and BadInput if the attached one won't do."""
        with self.steps.step("Redis") as notes:
            if self.settings.redis.url is None:
                self._start_redis_servers()
            else:
                notes.append(enter_redis(self.engines.redis, self.record.home_id))
            self._redis_run = RedisRun(self.home.flink / "redis_run.json", self.engines.redis)

    def start_kafka(self) -> None:
        """Start Kafka, or enter the one that is attached, and create the topics. Packages must be fetched. Raises Unavailable if
        it does not come up, and BadInput if the attached one won't do."""
        with self.steps.step("Kafka") as notes:
            is_attached = self.settings.kafka.bootstrap is not None
            check_log(self.home, self.record, is_attached)
            if is_attached:
                notes.append(enter_kafka(self.engines.kafka, self.record, self.settings.kafka.replication or -1))
                return
            self._start_brokers()
            kafka_topics.create(self.engines.kafka)

    def _start_redis_servers(self) -> None:
        topology, address = self.record.topology, self.engines.redis
        self._redis_servers = redis.redis_servers(self.home, self.ports, topology, self.settings.redis.server)
        self.supervisor.start_all(self._redis_servers)
        if address.cluster:
            bring_together(address.servers, topology.primaries)

    def _start_brokers(self) -> None:
        count = self.record.topology.brokers
        numbers = range(1, count + 1)
        with ThreadPoolExecutor(count) as threads:
            list(threads.map(self._format_kafka, numbers))
        self.supervisor.start_all([kafka.kafka(self.home, self.ports, number, count) for number in numbers])

    @property
    def lacks_base(self) -> bool:
        """Whether the home has no base that this version of the fold can read."""
        return not (self.home.bases / str(self.record.next_base_number()) / "manifest.json").exists()

    def compile_recall(self) -> None:
        """Compile what the API's recall computes with. Raises MartletError if that fails."""
        with self.steps.step("recall (compiled)"):
            runner.compile_recall(self.home, self.steps.print_line, self.supervisor.attending)

    def compile_kernel(self) -> None:
        """Compile what the job folds with. Raises MartletError if that fails."""
        with self.steps.step("fold (compiled)"):
            runner.compile_kernel(self.home, self.steps.print_line, self.supervisor.attending)

    def make_base(self) -> None:
        """Use the home's base; make it by Spark if there is none that this version of the fold can read. The file with the home's
        keys comes before the first one: where it is gone later, it was lost."""
        ensure_access(self.home)
        number = self.record.next_base_number()
        if self.lacks_base:
            with self.steps.step("base (Spark)"):
                self._prepare(number, "base", nice=0)
        elif note := unread_correction(
            self.home, self.record.dataset, self.home.bases / str(number), self._given_dataset
        ):
            self.steps.print_line(note)
        if self.record.has_other_state:
            self.steps.print_line(
                "  the job's state is of another version of Martlet: the log is folded anew, from the base"
            )
        before = self.record.base_number
        self.record.take_base(number)
        self.record.save()
        remove_bases(self.home, {before, number, self.record.newest_base})

    def make_training_data(self) -> None:
        """Make the training data by Spark. The base must exist. Raises MartletError if that fails."""
        with self.steps.step("training data (Spark)"):
            self._prepare(self.record.base().data_base, "training-data", None)

    def _prepare(self, number: int, part: Literal["base", "training-data"], nice: int | None) -> None:
        attend = self.supervisor.attending
        runner.prepare(
            self.home, self.record, number, self.steps.print_line, self.settings.spark.master, part, attend, nice
        )

    def load_base(self) -> None:
        """Load the base into Redis if the generation rose, Redis has lost it, or is another one than before. Redis must run and
        the base exist."""
        assert self._redis_run is not None
        is_other = self.record.put_redis(self.attached.get("Redis", ""))
        if self._redis_run.read_instances()[1] == self.record.generation and not is_other:
            return
        # A new generation, or a Redis that has lost what it held: from the base, and the whole log once more.
        checkpoints.forget(self._cluster.store)
        with self.steps.step("base into Redis") as notes:
            users, items = self._fill_redis()
            notes.append(f"{users} users, {items} items")
        self.record.save()

    def _fill_redis(self) -> tuple[int, int]:
        """Load the base into an empty Redis, the home's from now on; returns how many users and items it has."""
        loaded = load_base(self.record.base(), self.engines.redis, self.record.generation)
        claim_redis(self.engines.redis, self.record.home_id)
        restore_mark(self.home, self.engines.redis)
        return loaded

    @property
    def has_attached_cluster(self) -> bool:
        """Whether the job runs in a Flink cluster that `up` does not start."""
        return self._cluster.is_attached

    def enter_cluster(self) -> None:
        """Examine the Flink cluster that is attached. Raises Unavailable if it does not answer, BadInput if it won't do."""
        with self.steps.step("Flink") as notes:
            notes.append(self._cluster.enter())
        self._has_entered_cluster = True

    def start_cluster(self) -> None:
        """Start Flink's cluster, unless one is attached, and the client that will submit the job and meanwhile warms itself and
        the TaskManagers. Packages must be fetched. Raises Unavailable if the cluster does not come up."""
        with self.steps.step("Flink's client" if self.has_attached_cluster else "Flink cluster"):
            self._cluster.start()

    def start_job(self) -> None:
        """Start the job. Stores and cluster must run, the base be loaded. Raises Unavailable if the job does not run in time."""
        assert self._redis_run is not None
        keeper = self._cluster.keeper(self.engines, self._job_settings(), self._redis_run, self._fill_redis)
        with self.steps.step("Flink job") as notes:
            origin = keeper.start()
            notes.append("from the base" if origin == BASE else f"from its last checkpoint, {Path(origin).name}")
        self.keeper = keeper

    def start_watching(self) -> None:
        """From now on restart services that die, and the job where it was. `start_job` must have returned."""
        assert self.keeper is not None
        self.keeper.start_thread()
        self.supervisor.start_monitor()

    def _job_settings(self) -> JobSettings:
        record = self.record
        clock = record.clock
        return JobSettings(
            kafka=self.engines.kafka,
            redis=self.engines.redis,
            base=str(record.base().folder),
            generation=record.generation,
            state_version=STATE_VERSION,
            horizon=clock.horizon,
            horizon_since=clock.since,
            parallelism=record.parallelism,
            attribution=record.attribution,
            passwords=self.settings.flink.address is None,
            items=record.folds_items,
            name=record.job_name,
        )

    def _format_kafka(self, number: int) -> None:
        if kafka.is_formatted(self.home, number):
            return
        argv = kafka.kafka_format(self.home, self.ports, self.record.cluster_id, number, self.record.topology.brokers)
        name = f"kafka-format-{number}"
        log = self.supervisor.log_of(name)
        process = spawn(argv, log, python_env(), self.home.path)
        with self.supervisor.attending(name, process):
            try:
                code = process.wait(FORMAT_TIMEOUT)
            except subprocess.TimeoutExpired:
                code = None
        if code != 0:
            how = f"not done within {FORMAT_TIMEOUT:.0f} s" if code is None else f"exit code {code}"
            raise MartletError(f"Kafka's folder could not be prepared, {how}:\n{tail(log)}")

    def _close(self) -> None:
        """Stop the job with a savepoint, then every process, then a job whose start did not return: it may have come to an
        attached cluster, and with its client gone it comes no more."""
        keeper = self.keeper
        try:
            if keeper is not None:
                with self.steps.step("savepoint") as notes:
                    notes += filter(None, [keeper.stop()])
        finally:  # whatever became of it
            clean = self.supervisor.stop_all(lambda text: self.steps.print_line(f"  {text}"))
        if keeper is None and self._has_entered_cluster:
            end_leftover_job(self.home, self.steps.print_line)
        redis_names = [service.name for service in self._redis_servers]
        if self._redis_run is not None and redis_names and all(clean.get(name) for name in redis_names):
            self._redis_run.note_clean_stop()
