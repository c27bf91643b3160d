"""A list made without Redis and without a model server, and the counters of the impression log."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from features.base.reader import Base
from features.engines.loopback import LOOPBACK
from features.engines.redis_address import RedisAddress
from features.inputs.columns import ClickWeights
from features.inputs.facet_vocabulary import Vocabulary, vocabulary_of
from features.inputs.input_maps import INPUTS_VERSION, InputMaps
from features.inputs.model_inputs import width_of
from features.units import DAY_MS
from infra.system.processes import free_ports
from models.registry import DataSeen, Manifest
from models.registry.manifest import ModelInput
from online.model_client.client import ModelClient
from online.model_client.live_models import LiveModel, LiveModels
from online.recommend.recommendation import Recommendation, Request
from online.recommend.recommender import Recommender
from online.stores.item_store import ItemStore
from online.stores.user_store import UserStore
from online.support import metrics
from online.support.home_clock import HomeClock
from online.support.reloadable_file import ReloadableFile
from online.vectors import VectorStore

AT = 101 * DAY_MS


def model_of(items: ItemStore) -> LiveModel:
    """A model of the catalogue's values that takes columns; no server has it."""
    return model_under(vocabulary_of(items.catalogue))


def model_under(vocabulary: Vocabulary, name: str = "widedeep", version: int = 3) -> LiveModel:
    """A model of a vocabulary that takes columns; no server has it."""
    user, item, cross = (width_of(each, vocabulary) for each in ("user", "item", "cross"))
    maps = InputMaps(
        vocabulary,
        *((number,) * size for size in (user, item, cross) for number in (0.0, 1.0)),  # type: ignore[arg-type]  # six: no version
    )
    inputs = tuple(
        ModelInput(each, "float32", width) for each, width in (("user", user), ("item", item), ("cross", cross))
    )
    manifest = Manifest(name, version, inputs, maps, INPUTS_VERSION, ("score",), (), {}, DataSeen(), "", 0, {})
    return LiveModel(name, version, manifest)


@asynccontextmanager
async def recommender(
    base: Base, deadline: float = 5.0, client: Any = None, models_dir: Path = Path("/nonexistent")
) -> AsyncIterator[tuple[Recommender, ItemStore]]:
    """A real recommender with neither Redis nor a model server. client: replaces the model server's; models_dir: the model base,
    polled once."""
    redis_port, model_port = free_ports(2)
    items = ItemStore(base)
    users = UserStore(RedisAddress(LOOPBACK, redis_port), 1, base)
    nowhere = ModelClient(f"{LOOPBACK}:{model_port}")
    models = LiveModels(models_dir, client or nowhere, base.schema.digest)
    await models.poll()
    clock = HomeClock(AT, 0, AT, lambda: 5)
    await nowhere.start()
    try:
        vectors = VectorStore(None, Path("/nonexistent"), models, items)
        weights = ReloadableFile(None, lambda _: ClickWeights(), ClickWeights())
        yield Recommender(models, users, items, client or nowhere, clock, weights, deadline, vectors), items
    finally:
        await nowhere.close()
        await users.close()


async def a_list(base: Base) -> Recommendation:
    """A list for user 7, with features."""
    async with recommender(base) as (made, items):
        return await made.recommend(Request(7, model_of(items), 10))


def numbered(answer: Recommendation, number: int) -> Recommendation:
    """Another list, of another user."""
    return dataclasses.replace(answer, request_id=f"r{number}", user_id=number)


class Counts:
    """What was counted since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> dict[str, float]:
        reasons = ("full", "kafka", "stopped", "error", "features")
        read = metrics.REGISTRY.get_sample_value
        dropped = {each: read("martlet_served_dropped_total", {"reason": each}) or 0 for each in reasons}
        records = {f"record: {each}": read("martlet_shown_dropped_total", {"reason": each}) or 0 for each in reasons}
        return {"sent": read("martlet_served_sent_total") or 0, **dropped, **records}

    def get(self) -> dict[str, int]:
        now = {name: int(value - self._before[name]) for name, value in self._now().items()}
        return {name: value for name, value in now.items() if value}
