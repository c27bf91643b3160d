"""The API in this process: the real application over a small base, with fakes where Kafka, Redis' job numbers and the model
server would be."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fastapi import FastAPI

from features.contracts.items import read_item
from features.schema.tables import Schema
from features.store.freshness import FreshnessHistogram
from features.store.job_status import Lane
from features.types import Event, Item, ItemId, UserId
from features.units import DAY_MS
from online.app import make_app
from online.model_client.in_process import LocalSessions
from online.model_client.live_models import LiveModel
from online.monitoring.job_metrics import JobSnapshot
from online.recommend.recommender import Recommender
from online.server import Server
from online.stores.item_store import ItemStore
from online.stores.item_topic import Change
from online.support.home_clock import HomeClock
from tests.online.conftest import api_settings, write_base
from tests.online.sample_lists import model_of
from tests.schemas import MOVIES

NOW = 101 * DAY_MS


class FakeLog:
    """Accepts every event as the first of its user, and keeps it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def answers(self) -> bool:
        return True

    async def append_events(self, events: Iterable[Event]) -> dict[UserId, int]:
        new = list(events)
        self.events += new
        return {event.user_id: 1 for event in new}


class FakeItemTopic:
    """Puts an item into the store at once."""

    current, behind = True, False

    def __init__(self, store: ItemStore) -> None:
        self._store = store

    def _newest(self, item_id: ItemId) -> tuple[Item | None, str]:
        return self._store.catalogue.get(item_id), self._store.names.name_of(item_id)

    @contextlib.asynccontextmanager
    async def changing(self, count: int = 1) -> AsyncIterator[Change]:
        change = Change(self._newest)
        yield change
        for _, record in change.items:
            self._store.put_item(read_item(record, self._store.index.schema))


class FakeJob:
    """One lane that has read three records."""

    async def read(self) -> JobSnapshot:
        fresh = FreshnessHistogram()
        fresh.add(3, 2)
        return JobSnapshot(
            {0: Lane(generation=1, next_offset=3, read=3, applied=2, duplicate=1, watermark_ms=NOW)},
            {("users", 0): fresh},
        )

    async def exposition(self) -> bytes:
        return b"martlet_job_readable 1.0\n"


class FakeModels:
    """One model that ranks, and one version that was refused."""

    def __init__(self, model: LiveModel) -> None:
        self._model = model
        self.refused = {(model.name, model.version + 1): "golden scores differ by 0.5000"}
        self.on_disk = {model.name}
        self.sessions = LocalSessions(Path("/nonexistent"))

    def get(self, name: str) -> LiveModel | None:
        return self._model if name == self._model.name else None

    def all(self) -> list[LiveModel]:
        return [self._model]

    def all_labelled(self) -> list[LiveModel]:
        return []

    def labels(self, name: str) -> None:
        return None


class FakeModelClient:
    """Gives every candidate another score."""

    broken = False

    async def scores(self, name: str, version: int, inputs: Any, count: int, timeout: float) -> Any:
        return np.linspace(0.9, 0.1, count, dtype=np.float32)


def api(folder: Path, schema: Schema = MOVIES, rng: Random | None = None, **settings: str) -> FastAPI:
    """The application of an API whose base lies under `folder`, and whose clock stands a day after the base's cut. Events mean
    what `schema` says."""
    write_base(folder / "base" / "1", schema)
    control = folder / "control"
    control.mkdir()
    app = make_app(api_settings(folder, control=str(control), **settings))
    server: Server = app.state.server
    models: Any = FakeModels(model_of(server.items))
    client: Any = FakeModelClient()
    event_log: Any = FakeLog()
    topic: Any = FakeItemTopic(server.items)
    job_metrics: Any = FakeJob()
    clock = HomeClock(NOW, NOW, NOW, lambda: NOW)
    recommender = Recommender(
        models, server.users, server.items, client, clock, server.weights, 5.0, server.vectors, rng
    )
    app.state.server = replace(
        server,
        models=models,
        client=client,
        event_log=event_log,
        item_topic=topic,
        job_metrics=job_metrics,
        clock=clock,
        recommender=recommender,
    )
    return app
