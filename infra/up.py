"""`up`: starts everything from nothing to serving, and monitors it until it is told to stop."""

import signal
import threading
import time
from bisect import bisect_left
from dataclasses import asdict
from types import FrameType
from urllib.parse import urlencode

import msgspec

from features.base.reader import Base
from features.errors import MartletError, Unavailable
from features.fold.state import decode_user
from infra.home.access_file import ensure_access
from infra.home.paths import Home
from infra.home.ports import LOOPBACK
from infra.home.schema_file import schema_of
from infra.home.timings import read_timings
from infra.monitoring.collector import collector_of
from infra.monitoring.monitor import Monitor
from infra.offline_jobs import runner
from infra.replay.replay_service import Replays
from infra.services import api, model_server, model_server_config
from infra.services.model_server_config import ServingConfig
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.stack import Stack
from infra.start_plan import Plan
from infra.system import probes
from infra.system.processes import wait_until
from infra.system.progress import Steps
from infra.up_options import UpOptions
from models.registry import list_models, trained_otherwise
from online.settings import ApiSettings

MODEL_SERVER, MODELS = "model server", "models"
EXAMPLE = 6
"""The user whose page a new home of films is shown by."""
RANK_TIMEOUT = 60.0
"""Timeout, in seconds, from the last model's publication until all models rank."""


def example_page(base: Base) -> str:
    """Returns the path of the page of a user whom the base knows, 6 or the one after it, so that of films it is user 6's; the
    first page where it knows nobody yet, or knows that one by the hash of their id alone."""
    ids = base.user_ids
    stored = base.user(ids[bisect_left(ids, EXAMPLE) % len(ids)]) if len(ids) else None
    user = None if stored is None else decode_user(stored.features).user_id
    return "/" if user is None or (isinstance(user, int) and user < 0) else f"/user.html?{urlencode({'id': user})}"


class Up:
    """One run of `up` in this process."""

    def __init__(self, home: Home, options: UpOptions) -> None:
        self._home = home
        self._options = options
        self._steps = Steps()
        self._stop = threading.Event()
        self._noting = threading.Lock()
        self._began = 0.0
        self._serving = False
        self._monitor: Monitor | None = None

    def run(self) -> None:
        """Run until a signal; returns when all is stopped. Raises MartletError if it can't come up (all is stopped then, too)."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._began = time.monotonic()
        with Stack.opened(self._home, self._options, self._steps) as stack:
            serving = ServingConfig(self._home, stack.ports.address)
            plan = self._plan(stack, serving)
            try:
                plan.run()
                self._serve(stack, serving, plan)
                self._stop.wait()
                self._steps.print_line("stopping")
            finally:
                plan.cancel()
                if self._monitor is not None:  # first: a job that is being stopped is no alarm
                    self._monitor.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        if threading.current_thread() is threading.main_thread() and not self._serving:
            raise KeyboardInterrupt

    def _plan(self, stack: Stack, serving: ServingConfig) -> Plan:
        """Plan the start: engines, base and API first; models that the home lacks once lists are served."""
        trained = [name for name in model_server_config.FIRST_MODELS if name in self._fitting_models()]
        missing = [name for name in model_server_config.FIRST_MODELS if name not in trained]
        embedded = None
        if self._options.model_server is None:
            embedded = model_server.model_server(self._home, stack.ports, serving.path)
        plan = Plan()
        plan.on_failure = lambda name, error: self._steps.print_line(f"  {name}: {error}")
        plan.on_change = lambda: self._note_pending(stack.supervisor, plan)
        plan.add("packages", stack.fetch_packages)
        plan.add("Redis", stack.start_redis)
        plan.add("base", stack.make_base)
        plan.add("Kafka", stack.start_kafka, needs=("packages",))
        plan.add("base into Redis", stack.load_base, needs=("base", "Redis"))
        # Beside Kafka, which it waits for: each takes a processor for most of its start.
        compiled = ("recall",) if stack.lacks_base else ()
        for name in compiled:  # on a new machine it takes seconds, and Spark leaves a processor idle now and then
            plan.add(name, stack.compile_recall)
        plan.add("API", lambda: self._start_api(stack), needs=("base into Redis", "packages", *compiled))
        # Not before: a list needs none of it, and the cluster takes both processors while it starts.
        plan.add("Flink cluster", stack.start_cluster, needs=("packages", "API"))
        plan.add("Flink job", stack.start_job, needs=("base into Redis", "Kafka", "Flink cluster"))
        serving.write()  # an outside model server may read it, too
        lists = ("API", "Flink job")
        if missing:
            plan.add("training data", lambda: self._make_training_data(stack), needs=lists, later=True)
            plan.add(MODELS, lambda: self._train(stack, missing), needs=("training data",), later=True)
        if embedded is not None:
            # Never before a list: TensorFlow takes a processor for seconds. Without a model nobody waits for it.
            first = ("API",) if trained else lists
            plan.add(MODEL_SERVER, lambda: self._start_model_server(stack, embedded), first, later=not trained)
            last = (*lists, MODEL_SERVER, MODELS) if missing else (*lists, MODEL_SERVER)
            plan.add("lists by models", lambda: self._await_models(stack), last, later=True)
        return plan

    def _serve(self, stack: Stack, serving: ServingConfig, plan: Plan) -> None:
        """Monitor the home from now on: everything that lists need runs."""
        supervisor, ports = stack.supervisor, stack.ports
        supervisor.add_chore(serving.write)
        supervisor.add_chore(Replays(self._home, supervisor).poll)
        stack.start_watching()
        collector = collector_of(ports, stack.record)
        every = read_timings(self._home).watch_every
        self._monitor = Monitor(
            collector,
            ports.watch,
            supervisor.note,
            self._steps.print_line,
            every,
            flink=ports.flink,
            pending=plan.pending,
        )
        self._monitor.start()
        took = time.monotonic() - self._began
        page = ports.address + example_page(stack.record.base())
        self._steps.print_line(f"Martlet is up after {took:.1f} s: {page}")
        default = model_server_config.FIRST_MODELS[0]
        if default not in self._fitting_models() and any(each.name == MODELS for each in plan.pending()):
            self._steps.print_line(f"  lists are ranked without a trained model until {default} is trained")
        if not self._home.embeddings.is_dir():
            self._steps.print_line("  no vectors to recall by yet: ./martlet embeddings makes some, without a restart")
        self._serving = True
        supervisor.note(
            state="up",
            address=ports.address,
            page=page,
            up_after_seconds=round(took, 1),
            up_steps=dict(self._steps.seconds),
        )

    def _start_api(self, stack: Stack) -> None:
        settings = self._home.run / "api.json"
        settings.write_bytes(msgspec.json.format(msgspec.json.encode(self._api_settings(stack))))
        ensure_access(self._home)
        with self._steps.step("API") as notes:
            stack.supervisor.start(api.api(self._home, stack.ports, settings))
            since_start = time.monotonic() - self._began
            notes.append(f"lists are answered from now on, {since_start:.1f} s after the start")

    def _start_model_server(self, stack: Stack, embedded: Service) -> None:
        with self._steps.step(MODEL_SERVER):
            stack.supervisor.start(embedded)

    def _make_training_data(self, stack: Stack) -> None:
        record = stack.record
        number = record.base_number
        assert number is not None
        if not record.base().user_count():
            raise MartletError(
                "no history to learn from: lists are ranked without a model until events have come, and ./martlet features "
                "--from-log and ./martlet train have taken them in"
            )
        if not runner.has_training_data(self._home, number):
            stack.make_training_data()

    def _train(self, stack: Stack, names: list[str]) -> None:
        number = stack.record.base_number
        assert number is not None
        with self._steps.step(f"training {', '.join(names)} (Keras)"):
            runner.train(self._home, number, names, self._steps.print_line, stack.supervisor.attending)

    def _fitting_models(self) -> set[str]:
        """Returns the names of the models with a version, but those that were all trained under another meaning of events."""
        models = self._home.models
        return {*list_models(models)} - trained_otherwise(models, schema_of(self._home).digest)

    def _await_models(self, stack: Stack) -> None:
        """Wait until a version of each model ranks. Raises Unavailable naming those that don't, or why the API does not say."""
        deadline = time.monotonic() + RANK_TIMEOUT
        while True:
            try:
                ready = probes.http_json(f"{stack.ports.address}/readyz", also=503)
                rank = {each.split("/")[0] for each in ready["models"]}
                if not (missing := self._fitting_models() - rank):
                    return
                reason = f"{', '.join(sorted(missing))} does not rank; ./martlet status tells why"
            except Unavailable as error:  # slow for once, or being restarted
                reason = str(error)
            if not wait_until(deadline, 0.5):
                raise Unavailable(reason)

    def _note_pending(self, supervisor: Supervisor, plan: Plan) -> None:
        """Note the pending steps for `status` and GET /v1/ops, and print when none is left."""
        with self._noting:  # notes are made in the order of what they saw
            pending = plan.pending()
            supervisor.note(preparing=[asdict(each) for each in pending])
        if self._serving and not pending:
            self._steps.print_line(f"nothing is left to prepare after {time.monotonic() - self._began:.1f} s")

    def _api_settings(self, stack: Stack) -> ApiSettings:
        home, ports, record = self._home, stack.ports, stack.record
        base = record.base()
        return ApiSettings(
            port=ports.api,
            bootstrap=ports.bootstrap,
            redis_port=ports.redis,
            model_server=self._options.model_server or f"{LOOPBACK}:{ports.model_grpc}",
            models=str(home.models),
            base=str(base.folder),
            generation=record.generation,
            cut=base.clock_start,
            cut_since=record.clock_since,
            horizon=base.horizon,
            click_weights=str(home.path / "click_weights.json"),
            serving=str(home.path / "serving.json"),
            access=str(home.access_file),
            embeddings=str(home.embeddings),
            watch_port=ports.watch,
            control=str(home.run),
        )
