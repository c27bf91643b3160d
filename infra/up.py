"""`up`: starts everything from nothing to serving, and monitors it until it is told to stop."""

import threading
import time
from bisect import bisect_left
from urllib.parse import urlencode

import msgspec

from features.base.reader import Base
from features.durable import write_secret
from features.engines.loopback import LOOPBACK
from features.errors import Unavailable
from features.fold.state import decode_user
from infra.home.home_lock import watch_lock
from infra.home.paths import Home
from infra.home.schema_file import schema_of
from infra.learning.learner_service import Learners
from infra.monitoring.monitor import Monitor
from infra.monitoring.probed_servers import probed_servers
from infra.offline_jobs import runner
from infra.offline_jobs.forgotten import note_forgotten
from infra.replay.replay_service import Replays
from infra.services import api, model_server, model_server_config
from infra.services.api_settings import api_settings, check_exposure
from infra.services.model_server_config import ServingConfig
from infra.services.service import Service
from infra.services.supervisor import Supervisor, stop_leftovers
from infra.stack import Stack
from infra.start_plan import NothingToDo, Plan
from infra.started_servers import StartedServers
from infra.system.processes import wait_until
from infra.system.progress import Steps
from infra.system.readiness import read_readiness
from infra.system.stop_signal import StopSignal
from infra.up_options import UpOptions
from infra.watching import add_chores, started_monitor
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
    """One run of `up` in this process, which holds the home's lock (`infra.home.home_lock`)."""

    def __init__(self, home: Home, options: UpOptions) -> None:
        self._home = home
        self._options = options
        self._steps = Steps()
        self._stop = StopSignal()
        self._noting = threading.Lock()
        self._began = 0.0
        self._serving = False
        self._monitor: Monitor | None = None
        self._api = StartedServers(home)
        self._model_server = StartedServers(home)

    def run(self) -> None:
        """Run until a signal; returns when all is stopped. Raises MartletError if it can't come up (all is stopped then, too)."""
        self._stop.install()
        self._began = time.monotonic()
        home = self._home.make()
        with watch_lock(home), Stack.opened(home, self._options, self._steps) as stack:
            stop_leftovers(home.watch_file, self._steps.print_line)  # of a watch that was killed
            serving = ServingConfig(self._home, lambda: self._api.addresses)
            stack.fetch_models()  # before it is planned which ones are to be trained
            plan = self._plan(stack, serving)
            try:
                plan.run()
                self._serve(stack, serving, plan)
                self._stop.wait()
                self._steps.print_line("stopping")
            finally:
                self._stop.defer()  # a signal while all is being stopped is to change nothing
                plan.cancel()
                if self._monitor is not None:  # first: a job that is being stopped is no alarm
                    self._monitor.stop()

    def _plan(self, stack: Stack, serving: ServingConfig) -> Plan:
        """Plan the start: engines, base and API first; models that the home lacks once lists are served."""
        check_exposure(self._home, stack.settings.api)  # before anything is made for it
        trained = [name for name in model_server_config.FIRST_MODELS if name in self._fitting_models()]
        missing = [name for name in model_server_config.FIRST_MODELS if name not in trained]
        embedded = None
        if stack.settings.models.server is not None:
            self._model_server.logs[stack.settings.models.server] = ""
        else:
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
        compiled, kernel = (("recall",), ("kernel",)) if stack.lacks_base else ((), ())
        for name in compiled:  # on a new machine it takes seconds, and Spark leaves a processor idle now and then
            plan.add(name, stack.compile_recall)
        for name in kernel:  # one after the other: two compilers beside Spark would hold it up
            plan.add(name, stack.compile_kernel, needs=compiled)
        # What is attached may turn out to be another home's: until then nobody writes to it.
        log = ("Kafka",) if stack.settings.kafka.bootstrap is not None else ()
        plan.add("API", lambda: self._start_api(stack), needs=("base into Redis", "packages", *log, *compiled))
        # Not before: a list needs none of it, and the cluster takes both processors while it starts.
        entered = ("Flink",) if stack.has_attached_cluster else ()
        for name in entered:  # first of all: without it nothing else is of use
            plan.add(name, stack.enter_cluster)
        plan.add("Flink cluster", stack.start_cluster, needs=("packages", "API", *kernel, *entered))
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
            plan.add("lists by models", self._await_models, last, later=True)
        return plan

    def _serve(self, stack: Stack, serving: ServingConfig, plan: Plan) -> None:
        """Monitor the home from now on: everything that lists need runs."""
        supervisor, ports = stack.supervisor, stack.ports
        add_chores(self._home, supervisor, serving, lambda: self._api.addresses, stack.mirrored)
        supervisor.add_chore(Replays(self._home, supervisor).poll)
        supervisor.add_chore(Learners(self._home, supervisor).poll)
        stack.start_watching()
        # For the next start: nobody waits for it.
        threading.Thread(target=stack.archive_classes, name="archive-classes", daemon=True).start()
        self._monitor = started_monitor(
            self._home, stack.engines, stack.flink, stack.record, stack.settings, ports.watch, supervisor,
            self._steps.print_line, probed_servers(lambda: self._api.logs, lambda: self._model_server.logs), plan.report,
        )  # fmt: skip
        took = time.monotonic() - self._began
        address = api.public_address(ports, stack.settings.api)
        page = address + example_page(stack.record.base())
        self._steps.print_line(f"Martlet is up after {took:.1f} s: {page}")
        default = model_server_config.FIRST_MODELS[0]
        if default not in self._fitting_models() and any(each.name == MODELS for each in plan.pending()):
            self._steps.print_line(f"  lists are ranked without a trained model until {default} is trained")
        if not self._home.embeddings.is_dir():
            self._steps.print_line("  no vectors to recall by yet: ./martlet embeddings makes some, without a restart")
        self._serving = True
        self._stop.defer()
        supervisor.note(
            state="up",
            address=address,
            page=page,
            watch=api.reached_at(stack.settings.watch.host, ports.watch),
            up_after_seconds=round(took, 1),
            up_steps=dict(self._steps.seconds),
        )

    def _start_api(self, stack: Stack) -> None:
        file = self._home.run / "api.json"
        write_secret(file, msgspec.json.format(msgspec.json.encode(self._api_settings(stack))))
        services = api.api(self._home, stack.ports, file, stack.settings.api, stack.api_processes)
        with self._steps.step("API") as notes:
            self._api.start(stack.supervisor, {each.address: each for each in services})
            since_start = time.monotonic() - self._began
            notes.append(f"lists are answered from now on, {since_start:.1f} s after the start")

    def _start_model_server(self, stack: Stack, embedded: Service) -> None:
        with self._steps.step(MODEL_SERVER):
            self._model_server.start(stack.supervisor, {model_server.rest_address(stack.ports): embedded})

    def _make_training_data(self, stack: Stack) -> None:
        record = stack.record
        number = record.base_number
        assert number is not None
        if not record.base().user_count():
            raise NothingToDo(
                "no history to learn from: lists are ranked without a model until events have come, and ./martlet features "
                "--from-log and ./martlet train have taken them in"
            )
        note_forgotten(self._home, self._steps.print_line)
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

    def _await_models(self) -> None:
        """Wait until a version of each model ranks in each process of the API. Raises Unavailable naming those that don't, or why
        the API does not say."""
        deadline = time.monotonic() + RANK_TIMEOUT
        while True:
            try:
                rank = set.intersection(*({*read_readiness(each).ranking} for each in self._api.addresses))
                if not (missing := self._fitting_models() - rank):
                    return
                reason = f"{', '.join(sorted(missing))} does not rank; ./martlet status tells why"
            except Unavailable as error:  # slow for once, or being restarted
                reason = str(error)
            if not wait_until(deadline, 0.5):
                raise Unavailable(reason)

    def _note_pending(self, supervisor: Supervisor, plan: Plan) -> None:
        """Note the pending steps, and those that failed, for `status` and GET /v1/ops, and print when none is left."""
        with self._noting:  # notes are made in the order of what they saw
            report = plan.report()
            supervisor.note(**report)
        if self._serving and not report["preparing"]:
            self._steps.print_line(f"nothing is left to prepare after {time.monotonic() - self._began:.1f} s")

    def _api_settings(self, stack: Stack) -> ApiSettings:
        ports, settings = stack.ports, stack.settings
        shared = api.shared_folder(self._home, stack.api_processes)
        return api_settings(
            self._home,
            stack.record,
            settings,
            stack.engines,
            ports.api,
            settings.models.server or f"{LOOPBACK}:{ports.model_grpc}",
            shared=None if shared is None else str(shared),
            vectors=str(self._home.vectors),
            watch=api.reached_at(settings.watch.host, ports.watch),
            control=str(self._home.run),
        )
