"""`up`: from nothing to serving, and the watch over it until it is told to stop."""

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType

import msgspec

from features.base import Base
from features.errors import BadInput, MartletError
from infra import artefacts, checkpoints, flink, offline, services, topics
from infra.access import ensure_access
from infra.gather import gatherer_of
from infra.home import Home
from infra.job import BASE, Job
from infra.keeper import JobKeeper
from infra.load import load_base, loaded_generation
from infra.processes import require_free, tail
from infra.record import HomeRecord
from infra.redis_run import RedisRun
from infra.replays import Replays
from infra.services import LOOPBACK, Ports
from infra.serving_config import ServingConfig
from infra.spare import Spare
from infra.steps import Steps
from infra.supervisor import Service, Supervisor, stop_leftovers
from infra.watch import Watch
from models.registry import list_versions
from online.settings import ApiSettings
from streaming.settings import JobSettings


@contextmanager
def home_lock(home: Home) -> Iterator[None]:
    """Only one `up` a home. Raises BadInput naming the other one."""
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


class Up:
    """One run of `up` in this process."""

    def __init__(
        self,
        home: Home,
        port: int,
        dataset: str | None,
        history: float | None,
        master: str | None = None,
        parallelism: int | None = None,
        state: str | None = None,
        attribution: int | None = None,
        users_only: bool = False,
        model_server: str | None = None,
    ) -> None:
        self._home = home
        self._port = port
        self._dataset = dataset
        self._history = history
        self._master = master
        self._flags = {"parallelism": parallelism, "state": state, "attribution": attribution}
        self._users_only = users_only
        self._model_server = model_server
        self._steps = Steps()
        self._stop = threading.Event()
        self._serving = False
        self._watch: Watch | None = None
        self._redis_run: RedisRun | None = None

    def run(self) -> None:
        """Returns after a signal, when all is stopped. Raises MartletError if it can't come up (all is stopped then too)."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        home = self._home.make()
        with home_lock(home):
            stop_leftovers(home, self._steps.say)
            require_free(self._port)
            record = HomeRecord(home)
            self._describe(record)
            supervisor = Supervisor(home)
            keeper: JobKeeper | None = None
            try:
                keeper = self._bring_up(record, supervisor)
                self._stop.wait()
                self._steps.say("stopping")
            finally:
                if self._watch is not None:  # first: a job that is being stopped is no alarm
                    self._watch.stop()
                if keeper is not None:
                    with self._steps.step("savepoint"):
                        keeper.stop()
                clean = supervisor.stop_all(lambda text: self._steps.say(f"  {text}"))
                if self._redis_run is not None and clean.get("redis"):
                    self._redis_run.note_clean_stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        if threading.current_thread() is threading.main_thread() and not self._serving:
            raise KeyboardInterrupt

    def _describe(self, record: HomeRecord) -> None:
        record.describe(self._dataset, self._history)
        for name, value in self._flags.items():
            if value is not None:
                record.put_flag(name, value)

    def _start_stores(self, record: HomeRecord, supervisor: Supervisor) -> Ports:
        """Redis and Kafka, with the topics."""
        home, step = self._home, self._steps.step
        with step("packages beside Python"):
            artefacts.jars("kafka")
            artefacts.jars("connector")
        ports = Ports.choose(self._port, record.ports)
        record.put_ports({name: port for name, port in asdict(ports).items() if name != "api"})
        record.save()
        supervisor.note(state="starting", ports=asdict(ports))
        with step("Redis"):
            supervisor.start(services.redis(home, ports))
        with step("Kafka"):
            self._format_kafka(ports, record)
            supervisor.start(services.kafka(home, ports))
            topics.create(f"{LOOPBACK}:{ports.kafka}")
        return ports

    def _start_stream(
        self,
        record: HomeRecord,
        supervisor: Supervisor,
        ports: Ports,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> JobKeeper:
        """Flink's cluster and the job, running; `meanwhile` is called before the wait for the job."""
        home, step = self._home, self._steps.step
        env = flink.configure(home, ports, record.state)
        job_manager = flink.job_manager(home, ports, env)

        def workers(parallelism: int) -> list[Service]:
            return [
                flink.task_manager(home, ports, env, number + 1) for number in range(flink.task_managers(parallelism))
            ]

        *needed, spare = workers(record.parallelism)
        with step("Flink cluster"):
            for service in (job_manager, *needed):
                supervisor.begin(service)
            for service in (job_manager, *needed):
                supervisor.await_ready(service)
        settings = self._job_settings(record, ports, record.base())
        job = Job(home, ports, env, settings, supervisor)
        self._redis_run = RedisRun(home.flink / "redis_run.json", ports.redis)

        def keep_parallelism(parallelism: int) -> None:
            record.put_flag("parallelism", parallelism)
            record.save()

        warmed = Spare(home, f"http://{LOOPBACK}:{ports.flink_rest}", env, supervisor, spare)
        keeper = JobKeeper(home, supervisor, job, self._redis_run, workers, keep_parallelism, warmed)
        with step("Flink job") as notes:
            meanwhile()
            origin = keeper.start()
            notes.append("from the base" if origin == BASE else f"from its last checkpoint, {Path(origin).name}")
        return keeper

    def _bring_up(self, record: HomeRecord, supervisor: Supervisor) -> JobKeeper:
        home, step, began = self._home, self._steps.step, time.monotonic()
        ports = self._start_stores(record, supervisor)
        self._ensure_base(record, ports)
        self._ensure_models(record)
        record.save()
        serving = ServingConfig(home, f"http://{LOOPBACK}:{ports.api}")
        serving.write()  # an outside model server may read it, too
        if self._model_server is None:
            embedded = services.model_server(home, ports, serving.path)
            keeper = self._start_stream(record, supervisor, ports, partial(supervisor.begin, embedded))
            with step("model server"):
                supervisor.await_ready(embedded)
        else:
            keeper = self._start_stream(record, supervisor, ports)
        settings = home.run / "api.json"
        settings.write_bytes(msgspec.json.format(msgspec.json.encode(self._api_settings(record, ports, record.base()))))
        ensure_access(home)
        with step("API"):
            supervisor.start(services.api(home, ports, settings))
        keeper.begin_watch()
        supervisor.add_chore(serving.write)
        supervisor.add_chore(Replays(home, supervisor).look)
        supervisor.start_monitor()
        flink_page = f"http://{LOOPBACK}:{ports.flink_rest}"
        self._watch = Watch(gatherer_of(ports, record), ports.watch, supervisor.note, self._steps.say, flink=flink_page)
        self._watch.start()
        address = f"http://{LOOPBACK}:{ports.api}"
        supervisor.note(
            state="up",
            address=address,
            up_after_seconds=round(time.monotonic() - began, 1),
            up_steps=self._steps.seconds,
        )
        self._serving = True
        if not home.embeddings.is_dir():
            self._steps.say("  no vectors to recall by yet: ./martlet embeddings makes some, without a restart")
        self._steps.say(f"Martlet is up after {time.monotonic() - began:.1f} s: {address}/user.html?id=6")
        return keeper

    def _format_kafka(self, ports: Ports, record: HomeRecord) -> None:
        argv = services.kafka_format(self._home, ports, record.cluster_id)
        if (self._home.kafka / "data" / "meta.properties").exists():
            return
        log = self._home.logs / "kafka-format.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [str(part) for part in argv], stdout=out, stderr=out, stdin=subprocess.DEVNULL, timeout=60
            )
        if done.returncode != 0:
            raise MartletError(f"Kafka's folder could not be prepared:\n{tail(log)}")

    def _ensure_base(self, record: HomeRecord, ports: Ports) -> None:
        """Make the base if there is none that this fold can go on from, and load it where the generation rose."""
        number = record.next_base_number()
        if not (self._home.bases / str(number) / "manifest.json").exists():
            with self._steps.step("base features and samples (Spark)"):
                self._steps.make_room()
                offline.prepare(self._home, record, number, self._steps.say, self._master)
        record.take_base(number)
        if loaded_generation(ports.redis) == record.generation:
            return
        # A new generation, or a Redis that has lost what it held: from the base, and the whole log once more.
        checkpoints.forget(self._home)
        with self._steps.step("base into Redis") as notes:
            users, items = load_base(record.base(), ports.redis, record.generation)
            notes.append(f"{users} users, {items} items")

    def _ensure_models(self, record: HomeRecord) -> None:
        number = record.base_number
        assert number is not None
        missing = [name for name in offline.FIRST_MODELS if not list_versions(self._home.models, name)]
        if missing and not record.base().user_count():
            self._steps.say(
                "  no history to learn from: lists are ranked without a model until ./martlet features and train"
            )
        elif missing:
            try:
                with self._steps.step(f"training {', '.join(missing)} (Keras)"):
                    self._steps.make_room()
                    offline.train(self._home, number, missing, self._steps.say)
            except MartletError as error:  # a data set may be too small to learn from; lists come all the same
                self._steps.say(f"  not all models could be trained: {error}")

    def _job_settings(self, record: HomeRecord, ports: Ports, base: Base) -> JobSettings:
        settings = JobSettings(
            bootstrap=f"{LOOPBACK}:{ports.kafka}",
            redis_host=LOOPBACK,
            redis_port=ports.redis,
            base=str(base.folder),
            generation=record.generation,
            horizon=max(base.clock_start, base.horizon),
            horizon_since=record.clock_since,
            parallelism=record.parallelism,
            attribution=record.attribution,
        )
        # The one place where a benchmark asks for less than the whole job.
        return msgspec.structs.replace(settings, items=False) if self._users_only else settings

    def _api_settings(self, record: HomeRecord, ports: Ports, base: Base) -> ApiSettings:
        return ApiSettings(
            port=ports.api,
            bootstrap=f"{LOOPBACK}:{ports.kafka}",
            redis_port=ports.redis,
            model_server=self._model_server or f"{LOOPBACK}:{ports.model_grpc}",
            models=str(self._home.models),
            base=str(base.folder),
            generation=record.generation,
            cut=base.clock_start,
            cut_since=record.clock_since,
            horizon=base.horizon,
            click_weights=str(self._home.path / "click_weights.json"),
            serving=str(self._home.path / "serving.json"),
            access=str(self._home.access_file),
            embeddings=str(self._home.embeddings),
            watch_port=ports.watch,
            control=str(self._home.run),
        )
