"""The impression record of a list."""

import asyncio

import numpy as np
import pytest

from features.base.reader import Base
from features.contracts.served import Served, read_served
from features.contracts.shown_lists import read_shown, write_shown
from features.inputs.columns import USER_COLUMNS
from features.inputs.model_inputs import layout
from online.recommend.impression import head_of, impression_of
from online.recommend.recommendation import Recommendation, Request
from online.recommend.recommender import NO_LIVE_FEATURES, NO_MODEL
from tests.online.sample_lists import AT, model_of, recommender
from tests.schemas import MOVIES


def record_of(answer: Recommendation) -> Served:
    """The record of a list, as training reads it."""
    return read_shown(write_shown(impression_of(answer)))


def test_a_list_keeps_the_numbers_it_was_made_of(base: Base, answer: Recommendation) -> None:
    served = record_of(answer)
    assert (served.request_id, served.user_id, served.ts, served.at) == (answer.request_id, 7, AT + 5, AT + 5)
    assert (served.model, served.model_version) == ("widedeep", 3)
    assert served.degraded == (NO_LIVE_FEATURES, NO_MODEL)
    assert [(item.item_id, item.score, item.channels) for item in served.items] == [
        (item.item_id, item.score, item.channels) for item in answer.items
    ]
    assert [item.position for item in served.items] == list(range(10))
    assert {item.propensity for item in served.items} == {1.0}
    candidates = served.candidates
    assert set(candidates.item_id) == set(range(1, 41)) - {1, 3}  # all films but the two that user 7 has seen
    index_of = {item_id: at for at, item_id in enumerate(candidates.item_id)}
    for item in served.items:
        at = index_of[item.item_id]
        assert candidates.score[at] == item.score
        assert (
            tuple(name for k, name in enumerate(candidates.channels) if candidates.channel[at] >> k & 1)
            == item.channels
        )
    features = served.features
    assert features is not None
    assert features.layout == layout(("Comedy", "Drama", "War"), MOVIES.digest)
    # Column 0 of an item is the logarithm of one more than its ratings: film n has n.
    ratings = np.log1p([item.item_id for item in served.items]).astype(np.float32)
    assert np.array_equal(np.array([row[0] for row in features.items], np.float32), ratings)
    assert features.cross is not None
    assert len(features.cross) == 10
    taste_of_comedy = features.user[len(USER_COLUMNS)]
    assert [row[0] for row in features.cross] == [taste_of_comedy if item.item_id % 2 else 0.0 for item in served.items]


@pytest.mark.parametrize("size", [1, 10])
def test_without_a_model_there_are_no_features_and_the_list_is_logged_all_the_same(base: Base, size: int) -> None:
    async def recommended() -> Recommendation:
        async with recommender(base) as (made, _):
            return await made.recommend(Request(7, None, size, at=AT - 1000))

    served = record_of(asyncio.run(recommended()))
    assert (served.model, served.model_version, served.features) == (None, None, None)
    assert (served.ts, served.at) == (AT + 5, AT - 1000)
    assert len(served.items) == size


def test_a_list_of_nothing_is_a_list(base: Base) -> None:
    async def recommended() -> Recommendation:
        async with recommender(base) as (made, items):
            return await made.recommend(Request(7, model_of(items), 10, exclude=frozenset(range(1, 41))))

    served = record_of(asyncio.run(recommended()))
    assert served.items == ()
    assert served.features is not None
    assert served.features.items == []


def test_the_head_names_the_items_shown_and_where_the_rest_lies(answer: Recommendation) -> None:
    head = read_served(head_of(answer)(41), MOVIES.ids)
    assert (head.request_id, head.user_id, head.ts, head.shown) == (answer.request_id, 7, answer.ts, 41)
    assert head.item_ids == tuple(item.item_id for item in answer.items)
    assert read_served(head_of(answer)(None), MOVIES.ids).shown is None


def test_records_are_small(answer: Recommendation) -> None:
    """A list of 10 of 38 candidates."""
    assert len(head_of(answer)(41)) < 200
    assert len(write_shown(impression_of(answer))) < 4_000
