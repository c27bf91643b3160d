"""Versions come and go while requests run.

One thread polls the base paths every second and brings what is loaded in line with what is wanted: the new version
loads and warms up first, then requests find it, then the old one goes when its last request is done. A version that
fails is reported with its error and not tried again while its folder stays. A base path that is missing changes nothing.
"""

import gc
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.server import version_policy
from models.server.config import Config, assignable, check_change
from models.server.engine import servable, warmup
from models.server.engine.model_state import Model, State, VersionStatus, check_available
from models.server.engine.servable import Servable
from models.server.errors import Code, ServingError, invalid

_log = logging.getLogger(__name__)


class Manager:
    """All models of a server. Every public method may be called from any thread."""

    def __init__(self, config: Config, poll_seconds: float, warm_up: bool = True, any_label: bool = True) -> None:
        """``poll_seconds`` 0 looks once, and again only after ``reload``. See ``check_change`` for ``any_label``.

        Raises FAILED_PRECONDITION for labels that may not be assigned yet.
        """
        check_change({}, config, {}, any_label)
        self.first_pass = threading.Event()
        self.passes = 0
        """The number of times that all models have been polled."""
        self._poll_seconds = poll_seconds
        self._warm_up = warm_up
        self._any_label = any_label
        self._lock = threading.Lock()
        self._models = {name: Model(name, model) for name, model in config.items()}
        self._draining: list[tuple[Model, Servable]] = []
        self._wake = threading.Event()
        self._stopping = False
        self._passed = threading.Condition(self._lock)
        self._generation = 0
        self._generation_passed = -1
        self._thread = threading.Thread(target=self._run, name="model-versions", daemon=True)

    def start(self) -> None:
        """Begin to look and load; ``first_pass`` is set when everything that was there has been tried."""
        self._thread.start()

    def stop(self) -> None:
        """Load nothing more. The thread is a daemon: a load under way does not hold up the process."""
        with self._lock:
            self._stopping = True
            self._passed.notify_all()
        self._wake.set()

    @contextmanager
    def lease(self, name: str, version: int | None = None, label: str | None = None) -> Iterator[Servable]:
        """The requested version, the largest where none is named; it stays loaded for the length of the block.

        Raises NOT_FOUND if it is not available, INVALID_ARGUMENT for an unknown label.
        """
        with self._lock:
            model = self._models.get(name)
            if label is not None:
                labels = model.config.labels if model and model.config else {}
                version = labels.get(label)
                if version is None:
                    raise invalid(f"Unrecognized servable version label: {label}")
            loaded = model.loaded if model else {}
            found = loaded.get(max(loaded, default=-1) if version is None else version)
            if found is None:
                requested = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {requested}")
            found.acquire()
        try:
            yield found
        finally:
            found.release()

    def statuses(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """The versions of a model ever seen, largest first, or the requested one. Raises NOT_FOUND if there is none."""
        with self._lock:
            known = dict(self._models[name].statuses) if name in self._models else {}
        if version is not None:
            if version not in known:
                raise ServingError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
            return [known[version]]
        if not known:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        return [known[number] for number in sorted(known, reverse=True)]

    def available(self) -> dict[str, list[int]]:
        """The versions that answer now, by model, smallest first; configured models without one have an empty list."""
        with self._lock:
            return {name: sorted(model.loaded) for name, model in self._models.items() if model.config}

    def serves(self, name: str) -> bool:
        """Whether ``name`` is a configured model."""
        return name in self._models

    def reload(self, config: Config) -> None:
        """Serve ``config`` instead, and return when its models have been polled and loaded.

        Raises FAILED_PRECONDITION, with nothing changed, for labels (see ``check_change``); UNKNOWN, with the change
        made, if a model that is new has versions and none of them loads.
        """
        with self._lock:
            old, available = self._current()
            check_change(old, config, available, self._any_label)
            for name, model in self._models.items():
                model.config = config.get(name)
            for name, wanted in config.items():
                self._models.setdefault(name, Model(name, wanted))
            self._generation += 1
            awaited = self._generation
            self._wake.set()
            self._passed.wait_for(lambda: self._generation_passed >= awaited or self._stopping)
            new = [self._models[name] for name in config.keys() - old.keys()]
            check_available({model: model.failed for model in new if not model.loaded})

    def check_served(self, config: Config) -> None:
        """Raise UNKNOWN, with the errors, if a version that ``config`` wants failed to load, or that it names is not there."""
        with self._lock:
            known = {self._models[name]: wanted for name, wanted in config.items() if name in self._models}
            check_available({model: model.missing(wanted.policy) for model, wanted in known.items()})

    def assignable(self, config: Config) -> Config:
        """The part of ``config`` that may be served now. See ``models.server.config.assignable``."""
        with self._lock:
            old, available = self._current()
            return assignable(old, config, available, self._any_label)

    def _current(self) -> tuple[Config, Mapping[str, frozenset[int]]]:
        """What is served, and which versions answer, while nobody changes either."""
        configs = {name: model.config for name, model in self._models.items() if model.config}
        return configs, {name: frozenset(model.loaded) for name, model in self._models.items()}

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                generation = self._generation
                models = list(self._models.values())
            for model in models:
                try:
                    self._reconcile(model)
                except Exception:  # one model's trouble is not the others'
                    _log.exception("model %s: could not bring its versions in line", model.name)
            self._close_idle()
            self.first_pass.set()
            with self._lock:
                self._generation_passed = generation
                self.passes += 1
                self._passed.notify_all()
            self._wake.wait(self._poll_seconds or None)
            self._wake.clear()

    def _reconcile(self, model: Model) -> None:
        config = model.config
        aspired: Mapping[int, str] = {}
        if config:
            present = self._scan(model, config.base_path)
            if present is None:
                return
            model.failed &= present.keys()
            aspired = version_policy.wanted(present, config.policy)
            for version in sorted(aspired.keys() - model.loaded.keys() - model.failed, reverse=True):
                if self._stopping:
                    return
                self._load(model, version, config.base_path / aspired[version])
        for version in version_policy.to_unload(model.loaded, aspired):
            self._retire(model, version)

    @staticmethod
    def _scan(model: Model, base_path: Path) -> dict[int, str] | None:
        """The version folders under ``base_path``; None if it can't be read, which is logged once."""
        try:
            with os.scandir(base_path) as entries:
                children = [entry.name for entry in entries if entry.is_dir()]
        except OSError as error:
            if not model.is_away:
                _log.warning("model %s: can't read its base path %s: %s", model.name, base_path, error.strerror)
            model.is_away = True
            return None
        model.is_away = False
        return version_policy.versions_in(children)

    def _load(self, model: Model, version: int, path: Path) -> None:
        began = time.monotonic()
        self._note(model, VersionStatus(version, State.LOADING))
        loaded: Servable | None = None
        try:
            loaded = servable.load(model.name, version, path)
            requests = warmup.warm_up(loaded, path) if self._warm_up else 0
        except Exception as error:
            failure = error if isinstance(error, ServingError) else ServingError(Code.UNKNOWN, repr(error))
            if loaded:
                loaded.close()
            with self._lock:
                model.failed.add(version)
                model.note(VersionStatus(version, State.END, failure.code, failure.message))
            _log.warning("%s/%s failed to load: %s", model.name, version, failure.status_text)
            return
        gc.collect()
        with self._lock:
            model.loaded[version] = loaded
            model.note(VersionStatus(version, State.AVAILABLE))
        _log.info(
            "%s/%s is available after %.2f s, %d warm-up requests",
            *(model.name, version, time.monotonic() - began, requests),
        )

    def _retire(self, model: Model, version: int) -> None:
        with self._lock:
            retired = model.loaded.pop(version)
            model.note(VersionStatus(version, State.UNLOADING))
        self._draining.append((model, retired))
        retired.retire(self._wake.set)

    def _close_idle(self) -> None:
        """Close what was retired and has no request left; the others wait for their last one, which wakes us."""
        idle = [(model, retired) for model, retired in self._draining if retired.idle]
        self._draining = [entry for entry in self._draining if entry not in idle]
        for model, retired in idle:
            retired.close()
            with self._lock:
                if model.statuses[retired.version].state is State.UNLOADING:
                    model.note(VersionStatus(retired.version, State.END))
            _log.info("%s/%s is unloaded", model.name, retired.version)
        if idle:
            gc.collect()

    def _note(self, model: Model, status: VersionStatus) -> None:
        with self._lock:
            model.note(status)


def lease_spec(manager: Manager, spec: Any) -> Any:
    """``Manager.lease`` for a ModelSpec message. Raises INVALID_ARGUMENT if it has no name."""
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    if choice == "version":
        return manager.lease(spec.name, spec.version.value)
    return manager.lease(spec.name, label=spec.version_label if choice == "version_label" else None)
