"""What was shown as lessons: what a user's actions say of each item, and files that training reads."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.contracts.samples import Action, Sample
from features.contracts.served import Served, ServedCandidates, ServedFeatures, ServedItem
from features.errors import BadInput
from features.inputs.history import LENGTH
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import layout, width_of
from features.inputs.signals import FIRST_SIGNAL_COLUMNS, SIGNAL_COLUMNS
from features.keys import SAMPLES, SERVED, SHOWN
from features.schema.tables import Schema
from models.training.lessons.list_data import read_ranking_lists
from models.training.lessons.row_data import read_samples
from offline.base.kafka_log import Record, Span
from offline.training_data.from_impressions import lessons, make_from_impressions
from offline.training_data.logged_lists import Spans
from offline.training_data.reactions import Reaction, labels_of, reactions_of
from tests.schemas import MOVIES, SHOP

pytestmark = pytest.mark.spark

GENRES = ("Action", "Drama")
START = 889_000_000_000


def sample_of(served: Served, actions: tuple[Action, ...], closed_ts: int) -> bytes:
    """A sample as homes of before wrote it, with its list."""
    sample = Sample(served.request_id, served.user_id, served, actions, closed_ts)
    return msgspec.json.encode(sample)


def served(
    number: int, items: tuple[int, ...] = (10, 11, 12), features: bool = True, schema: Schema = MOVIES
) -> Served:
    signals = [[float(item)] * len(SIGNAL_COLUMNS) for item in items]
    rows = [[item / 10] * width_of("item", GENRES) for item in items]
    history = ([-1] * (LENGTH - 1) + [9], [0] * (LENGTH - 1) + [10], [0] * (LENGTH + 1))
    made = ServedFeatures(layout(GENRES, schema.digest), [1.0] * width_of("user", GENRES), rows, None, history, signals)
    return Served(
        request_id=f"r{number}",
        user_id=number % 7,
        ts=START + number * 1000,
        at=START + number * 1000,
        model="fusion",
        model_version=1,
        items=tuple(ServedItem(item, place, 0.5, ()) for place, item in enumerate(items)),
        candidates=ServedCandidates((), [], [], []),
        features=made if features else None,
    )


def act(kind: Any, item_id: int, number: int = 0, **more: Any) -> Action:
    return Action(f"{kind}{item_id}-{number}", kind, START, item_id, **more)


def sample(*actions: Action, of: Served | None = None) -> Sample:
    of = of or served(1)
    return Sample(of.request_id, of.user_id, of, actions, START)


@pytest.mark.parametrize(
    ("actions", "labels"),
    [
        ((), {10: 0, 11: 0, 12: 0}),
        ((act("click", 11),), {10: 0, 11: 1, 12: 0}),
        ((act("impression", 10), act("click", 11)), {10: 0, 11: 1}),
        ((act("rating", 10, rating=4.0), act("rating", 12, rating=3.5)), {10: 1, 11: 0, 12: 0}),
        ((act("click", 10), act("dislike", 10)), {10: 0, 11: 0, 12: 0}),
        ((act("dislike", 10), act("click", 10)), {10: 0, 11: 0, 12: 0}),
        ((act("dislike", 10), act("like", 10)), {10: 1, 11: 0, 12: 0}),
        ((act("click", 10), Action("u", "undo", START, target="click10-0")), {10: 0, 11: 0, 12: 0}),
        ((act("click", 99),), {10: 0, 11: 0, 12: 0}),
    ],
)
def test_what_actions_say(actions: tuple[Action, ...], labels: dict[int, float]) -> None:
    assert labels_of(sample(*actions), MOVIES) == labels


@pytest.mark.parametrize(
    ("actions", "reactions"),
    [
        ((act("view", 10), act("click", 10), act("view", 10, 2)), {10: Reaction(True, 2)}),
        ((act("click", 10), act("purchase", 10, value=9.9)), {10: Reaction(True, 8)}),
        ((act("purchase", 10), act("view", 10)), {10: Reaction(True, 8)}),
        ((act("add_to_cart", 10), act("remove_from_cart", 10), act("view", 10)), {10: Reaction(False, 2)}),
        ((act("remove_from_cart", 10), act("add_to_cart", 10)), {10: Reaction(True, 4)}),
        (
            (act("rating", 10, rating=3.0), act("click", 10)),
            {10: Reaction(False, 0)},
        ),  # a middling rating is a judgement
        ((act("impression", 10), act("impression", 11)), {10: Reaction(False, 0), 11: Reaction(False, 0)}),
        ((act("unheard_of", 10),), {10: Reaction(False, 0)}),
    ],
)
def test_what_a_shops_acts_say(actions: tuple[Action, ...], reactions: dict[int, Reaction]) -> None:
    found = reactions_of(sample(*actions), SHOP)
    assert {item_id: found[item_id] for item_id in reactions} == reactions
    others = set(found) - set(reactions)
    assert all(found[item_id] == Reaction(False, 0) for item_id in others)


def test_a_list_of_fewer_signals_lacks_the_last_ones() -> None:
    """It was shown before they were appended: what its columns mean is the same."""
    shown = served(1)
    assert shown.features is not None
    fewer = [row[: len(FIRST_SIGNAL_COLUMNS)] for row in shown.features.signals or ()]
    shown = msgspec.structs.replace(shown, features=msgspec.structs.replace(shown.features, signals=fewer))
    of = lessons(sample(act("like", 11), of=shown), MOVIES, layout(GENRES, MOVIES.digest), 1.0)
    (ask,) = [ask for _, ask, _ in of if ask is not None]
    signals = np.array(ask[-2]).reshape(-1, len(SIGNAL_COLUMNS))
    assert signals[:, : len(FIRST_SIGNAL_COLUMNS)].tolist() == fewer
    assert not signals[:, len(FIRST_SIGNAL_COLUMNS) :].any()


@dataclass
class Listed:
    """A log of these values, in one partition."""

    values: list[bytes]

    def first(self, span: Span) -> int:
        return 0

    def read(self, span: Span) -> Iterator[Record]:
        for offset in range(span.start, span.end):
            yield Record(offset, START, b"1", self.values[offset])


def whole(partition: int, start: int, end: int) -> Spans:
    """Samples that hold their lists."""
    return Spans(Span(SAMPLES, partition, start, end), Span(SHOWN, partition, 0, 0), Span(SERVED, partition, 0, 0))


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    folders = tmp_path / "samples-1", tmp_path / "asks-1"
    user, item = width_of("user", GENRES), width_of("item", GENRES)
    maps = InputMaps(GENRES, (0.0,) * user, (1.0,) * user, (0.0,) * item, (1.0,) * item)
    for folder in folders:
        folder.mkdir()
        (folder / "maps.json").write_bytes(msgspec.json.encode(maps))
        (folder / "meta.json").write_text(json.dumps({"dataset": "mine", "mean_weight": 0.25, "schema": "x"}))
    return folders


def test_training_reads_what_was_shown(spark: Any, sources: tuple[Path, Path], tmp_path: Path) -> None:
    values = [
        sample_of(served(number), (act("like", 10 + number % 3), act("click", 10 + number % 3)), START + number)
        for number in range(30)
    ]
    values += [
        sample_of(served(40), (act("like", 10), act("like", 12)), START + 40),
        sample_of(served(41), (act("dislike", 10),), START + 41),
        sample_of(served(42, features=False), (act("click", 10),), START),
        sample_of(served(44), (), START),
        b"no sample",
    ]
    strange = served(43)
    assert strange.features is not None
    other = msgspec.structs.replace(strange, features=msgspec.structs.replace(strange.features, layout="other"))
    values.append(sample_of(other, (act("click", 10),), START))
    values.append(sample_of(served(45, schema=SHOP), (act("click", 10),), START))
    spans = [whole(0, 0, 20), whole(0, 20, len(values)), whole(1, 0, 0)]
    out = tmp_path / "shown"
    counts = make_from_impressions(spark, Listed(values), spans, MOVIES, *sources, out)
    assert counts == {"list": 32, "no action": 1, "no features": 1, "no sample": 1, "other columns": 2}
    assert sorted(path.name for path in out.iterdir()) == ["asks", "samples"]

    asks = read_ranking_lists(out / "asks")
    lists = [asks.train_lists, asks.validation_lists]
    assert sum(map(len, lists)) == 32
    first = lists[0]
    liked = first.items[np.arange(len(first)), first.answers]
    assert liked[:4].tolist() == [10, 11, 12, 10]
    assert (first.signals[np.arange(len(first)), first.answers, 0] == liked).all()
    assert first.history[0, -1] == 9
    both = lists[1].part(lists[1].at == START + 40_000)
    assert sorted(both.items[:, :2].tolist()) == [[10, 11], [11, 12]]  # what is liked too stands against nothing

    rows = read_samples(out / "samples", ("user", "item"))
    assert len(rows.train) + len(rows.validation) == 3 * 32
    labels = np.concatenate([rows.train.labels, rows.validation.labels])
    assert labels.sum() == 32
    np.testing.assert_allclose(rows.train.inputs["item"][:, 0], rows.train.inputs["movieId"] / 10, rtol=1e-6)
    assert rows.dataset == "mine"


def test_nothing_to_learn_from_is_an_error(spark: Any, sources: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "shown"
    with pytest.raises(BadInput, match=r"the topic samples: expected closed lists .* got 1 with no sample"):
        make_from_impressions(spark, Listed([b"x"]), [whole(0, 0, 1)], MOVIES, *sources, out)
    with pytest.raises(BadInput, match="got none at all"):
        make_from_impressions(spark, Listed([]), [whole(0, 0, 0)], MOVIES, *sources, out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(BadInput, match="--out: expected a folder that is not there yet"):
        make_from_impressions(spark, Listed([]), [], MOVIES, *sources, out)
