"""A list with the two-tower model's vector of the user: in time, late, failing, of another vocabulary."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.base.embedding_files import TWOTOWER
from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from features.inputs.columns import ClickWeights
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.input_maps import INPUTS_VERSION, InputMaps
from features.inputs.model_inputs import width_of
from features.types import Item
from features.units import DAY_MS
from models.registry import DataSeen, Manifest, ModelInput, Towers
from online.model_client.live_models import LiveModel, LiveModels
from online.ranking.policy import Chosen, Policy
from online.recommend.recommendation import Recommendation, Request
from online.recommend.recommender import Recommender
from online.stores.item_store import ItemStore
from online.stores.user_store import UserStore
from online.support.home_clock import HomeClock
from online.support.reloadable_file import ReloadableFile
from online.vectors import EmbeddingKind
from tests.online.synthetic_vectors import WIDTH, kinds_of
from tests.schemas import film

DEADLINE = 5.0


class Client:
    """A model client that never ranks; returns users' vectors after a delay, or fails."""

    def __init__(self, after: float = 0.0, fails: bool = False) -> None:
        self._after, self._fails = after, fails
        self.calls: list[tuple[Any, ...]] = []

    async def scores(self, *_: Any) -> Any:
        raise Unavailable("away")

    async def vector(self, *given: Any) -> Any:
        self.calls.append(given)
        if self._fails:
            raise Unavailable("away")
        try:
            async with asyncio.timeout(given[-1]):
                await asyncio.sleep(self._after)
        except TimeoutError:
            raise Unavailable("late") from None
        return np.ones(WIDTH, np.float32)


class ItemMeanwhile(Client):
    """A client during whose call an item comes into the store."""

    def __init__(self, items: ItemStore, item: Item) -> None:
        super().__init__()
        self._items, self._item = items, item

    async def vector(self, *given: Any) -> Any:
        self._items.put_item(self._item)
        return await super().vector(*given)


class FakeVectorStore:
    def __init__(self, kinds: dict[str, EmbeddingKind]) -> None:
        self._kinds = kinds

    def now(self) -> dict[str, EmbeddingKind]:
        return self._kinds


def tower_of(vocabulary: Vocabulary) -> LiveModel:
    width = width_of("user", vocabulary)
    maps = InputMaps(vocabulary, (0.0,) * width, (1.0,) * width)
    inputs = (ModelInput("history", "int64", 20), ModelInput("user", "float32", width))
    towers = Towers("user_vector", "vector", inputs, WIDTH, "vectors")
    return LiveModel(
        TWOTOWER,
        3,
        Manifest(TWOTOWER, 3, inputs, maps, INPUTS_VERSION, ("score",), (), {}, DataSeen(), "", 0, {}, towers),
    )


def recommend(base: Base, client: Client, policy: Policy | None = None, **changes: Any) -> Recommendation:
    items = changes.get("items") or ItemStore(base)
    kinds = kinds_of(items)
    kinds[TWOTOWER] = replace(kinds[TWOTOWER], model=tower_of(changes.get("vocabulary", ("Comedy", "Drama", "War"))))
    given: Any = client
    vector_store: Any = FakeVectorStore(kinds)

    async def recommended() -> Recommendation:
        users = UserStore(RedisAddress("127.0.0.1", 1), 1, base)
        models = LiveModels(Path("/nonexistent"), given, base.schema.digest)
        clock = HomeClock(101 * DAY_MS, 0, 101 * DAY_MS, lambda: 5)
        weights = ReloadableFile(None, lambda _: ClickWeights(), ClickWeights())
        made = Recommender(models, users, items, given, clock, weights, DEADLINE, vector_store)
        chosen = Chosen(policy or Policy(), {}, policy or Policy())
        try:
            return await made.recommend(Request(7, None, 10, chosen=chosen))
        finally:
            await users.close()

    return asyncio.run(recommended())


def failed(answer: Recommendation) -> list[str]:
    return [each for each in answer.degraded if each.startswith("recall channel failed")]


def test_the_version_whose_items_vectors_are_held_is_asked_within_the_share_of_recall(base: Base) -> None:
    client = Client(0.05)
    answer = recommend(base, client)
    assert failed(answer) == []
    name, version, signature, inputs, width, timeout = client.calls[0]
    assert (name, version, signature, width) == (TWOTOWER, 3, "user_vector", WIDTH)
    assert {key: value.shape for key, value in inputs.items()} == {"history": (1, 20), "user": (1, 7 + 3 * 4)}
    assert 0 < timeout < DEADLINE / 2
    found = answer.ranked.found
    assert {"als", "item2vec", "deepwalk", TWOTOWER} <= set(found.names)


@pytest.mark.parametrize("client", [Client(50.0), Client(fails=True)], ids=["late", "failing"])
def test_a_vector_that_does_not_come_is_named_and_the_rest_goes_on(base: Base, client: Client) -> None:
    answer = recommend(base, client)
    assert failed(answer) == ["recall channel failed: twotower"]
    assert len(answer.items) == 10


def test_a_model_of_another_vocabulary_is_asked_under_its_own(base: Base) -> None:
    """User 7 has liked comedies alone: with nothing else in the vocabulary, all of the taste is in the bucket of others."""
    client = Client()
    assert failed(recommend(base, client, vocabulary=("Ornithology",))) == []
    ((*_, inputs, _width, _timeout),) = client.calls
    assert inputs["user"].shape == (1, 7 + 3 * 2)
    assert inputs["user"][0, 7:].reshape(3, 2).tolist() == [[0, 0], [0, 1], [0, 1]]  # what was liked a day ago


def test_a_policy_that_gives_it_no_place_does_not_ask(base: Base) -> None:
    client = Client()
    answer = recommend(base, client, msgspec.structs.replace(Policy(), channels={TWOTOWER: 0, "als": 0}))
    assert client.calls == []
    assert failed(answer) == []
    assert not {"als", TWOTOWER} & set(answer.ranked.found.names)


def test_a_pinned_item_that_comes_while_the_list_is_made_is_left_to_the_next_list(base: Base) -> None:
    items = ItemStore(base)
    client = ItemMeanwhile(items, film(500, "New", ("Comedy",), 2026, ts=101 * DAY_MS))
    policy = msgspec.structs.replace(Policy(), pin=(500, 40))
    lists = [recommend(base, client, policy, items=items).item_ids for _ in range(2)]
    assert [found[0] for found in lists] == [40, 500]
    assert 500 not in lists[0]
