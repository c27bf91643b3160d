"""`up`: from nothing to serving, and the watch over it until it is told to stop."""

import signal
import threading
import time
from functools import partial
from types import FrameType

import msgspec

from features.errors import MartletError
from infra import offline, services
from infra.access import ensure_access
from infra.gather import gatherer_of
from infra.home import Home
from infra.record import HomeRecord
from infra.replays import Replays
from infra.services import LOOPBACK
from infra.serving_config import ServingConfig
from infra.stack import Stack
from infra.steps import Steps
from infra.timings import read_timings
from infra.up_options import UpOptions
from infra.watch import Watch
from models.registry import list_versions
from online.settings import ApiSettings


class Up:
    """One run of `up` in this process."""

    def __init__(self, home: Home, options: UpOptions) -> None:
        self._home = home
        self._options = options
        self._steps = Steps()
        self._stop = threading.Event()
        self._serving = False
        self._watch: Watch | None = None

    def run(self) -> None:
        """Returns after a signal, when all is stopped. Raises MartletError if it can't come up (all is stopped then too)."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        with Stack.opened(self._home, self._options, self._steps) as stack:
            try:
                self._bring_up(stack)
                self._stop.wait()
                self._steps.say("stopping")
            finally:
                if self._watch is not None:  # first: a job that is being stopped is no alarm
                    self._watch.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        if threading.current_thread() is threading.main_thread() and not self._serving:
            raise KeyboardInterrupt

    def _bring_up(self, stack: Stack) -> None:
        home, step, began = self._home, self._steps.step, time.monotonic()
        supervisor, ports = stack.supervisor, stack.ports
        stack.start_stores()
        stack.ensure_base()
        self._ensure_models(stack.record)
        serving = ServingConfig(home, ports.address)
        serving.write()  # an outside model server may read it, too
        if self._options.model_server is None:
            embedded = services.model_server(home, ports, serving.path)
            stack.start_job(partial(supervisor.begin, embedded))
            with step("model server"):
                supervisor.await_ready(embedded)
        else:
            stack.start_job()
        settings = home.run / "api.json"
        settings.write_bytes(msgspec.json.format(msgspec.json.encode(self._api_settings(stack))))
        ensure_access(home)
        with step("API"):
            supervisor.start(services.api(home, ports, settings))
        supervisor.add_chore(serving.write)
        supervisor.add_chore(Replays(home, supervisor).look)
        stack.begin_watch()
        gatherer = gatherer_of(ports, stack.record)
        every = read_timings(home).watch_every
        self._watch = Watch(gatherer, ports.watch, supervisor.note, self._steps.say, every, flink=ports.flink)
        self._watch.start()
        supervisor.note(
            state="up",
            address=ports.address,
            up_after_seconds=round(time.monotonic() - began, 1),
            up_steps=self._steps.seconds,
        )
        self._serving = True
        if not home.embeddings.is_dir():
            self._steps.say("  no vectors to recall by yet: ./martlet embeddings makes some, without a restart")
        self._steps.say(f"Martlet is up after {time.monotonic() - began:.1f} s: {ports.address}/user.html?id=6")

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
