"""A small base on disk, as Spark would write it, for fast tests of the parts of the API."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.base_writer import write_small_base
from features.base.reader import Base
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures, encode_features
from features.fold.user import UserState, fold_user, freeze_user
from features.keys import DEFAULT_PARTITIONS
from features.schema.tables import Schema
from features.types import NO_ID, PROFILE, RATING, Event, Millis
from features.units import DAY_MS
from online.recommend.recommendation import Recommendation
from online.settings import ApiSettings
from online.stores.item_store import ItemStore
from tests.online.sample_lists import a_list
from tests.schemas import MOVIES, added, film

FILMS = [
    film(number, f"Film {number}", ("Comedy",) if number % 2 else ("Drama", "War"), 1980 + number)
    for number in range(1, 41)
]


def _told_users(schema: Schema) -> list[tuple[int, bytes]]:
    state = UserState(UserFeatures(8))
    fold_user(state, Event("told", PROFILE, 8, NO_ID, 0, '{"plan":"paid"}', 100 * DAY_MS), None, 0, schema)
    return [(8, freeze_user(state))] if schema.users else []


def write_base(
    folder: Path,
    schema: Schema = MOVIES,
    hidden: Mapping[int, Millis] | None = None,
    partitions: int = DEFAULT_PARTITIONS,
) -> Base:
    """40 films, film n rated n times; user 7 has liked films 1 and 3; where users have attributes, 8 has a plan. Events to come
    mean what `schema` says. hidden: more films that the user is not shown, until when; partitions: of the home's
    log."""
    items = []
    for item in FILMS:
        features = ItemFeatures(item.item_id)
        for number in range(item.item_id):
            features = fold_item(features, added(item.item_id, 100 * DAY_MS + number, RATING, 400, 1), MOVIES)
        items.append((item.item_id, encode_features(features)))
    state = UserState(UserFeatures(7))
    for n, item in enumerate(FILMS[:3:2], start=-1):
        fold_user(state, Event(f"e{n}", RATING, 7, item.item_id, 500, "", 100 * DAY_MS + n), item, n, MOVIES)
    for number, (item_id, until) in enumerate((hidden or {}).items(), start=1):
        state.seen.add(item_id, number, until)
    catalogue = [schema.items.again(item) for item in FILMS]
    manifest = {"cut": 100 * DAY_MS, "first_ts": 99 * DAY_MS, "last_ts": 120 * DAY_MS, "partitions": partitions}
    near = {1: [(5, 0.9), (6, 0.5), (3, 0.4)], 3: [(6, 0.8)]}
    write_small_base(folder, schema, manifest, catalogue, [(7, freeze_user(state)), *_told_users(schema)], items, near)
    return Base(folder)


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return write_base(tmp_path / "base" / "1")


@pytest.fixture
def store(base: Base) -> ItemStore:
    return ItemStore(base)


def api_settings(folder: Path, **more: Any) -> ApiSettings:
    """Settings of an API whose base lies in folder/base and whose services are nowhere."""
    nowhere = "127.0.0.1:9"
    return ApiSettings(
        kafka=KafkaAddress(nowhere),
        redis=RedisAddress("127.0.0.1", 9),
        model_server=nowhere,
        models=str(folder / "models"),
        base=str(folder / "base" / "1"),
        generation=1,
        **more,
    )


@pytest.fixture
def answer(base: Base) -> Recommendation:
    """A list for user 7, with features."""
    return asyncio.run(a_list(base))
