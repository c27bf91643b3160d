"""A slice of what was shown: each sample once, and of each user a bounded weight."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.contracts.samples import Sample
from features.errors import BadInput
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import layout, width_of
from features.types import RATING
from models.training.lessons.list_data import read_lists, read_ranking_lists
from offline.base.kafka_log import Span
from offline.training_data.from_impressions import LIST
from offline.training_data.logged_lists import FORGOTTEN
from offline.training_data.newest_acts import Act, Sequences, sequences_of
from offline.training_data.slice_lists import (
    IMPORTANCE,
    LEARNED,
    MAX_WEIGHT,
    NewestClosed,
    UserBound,
    held_spans,
    new_samples,
    read_spans,
    slice_lists,
    write_slice,
)
from tests.offline.training_data.test_from_impressions import GENRES, START, Listed, act, sample_of, served, whole
from tests.schemas import MOVIES

COLUMNS = layout(GENRES, MOVIES.digest)


def liked(number: int, item: int, user: int = 1, closed: int = START) -> Sample:
    shown = msgspec.structs.replace(served(number), user_id=user)
    return Sample(shown.request_id, user, shown, (act("like", item),), closed)


def test_of_one_user_so_much_counts_and_what_is_left_out_is_counted() -> None:
    bot = [liked(number, 10, user=1) for number in range(10_000)]
    others = [liked(20_000 + number, 11, user=2 + number) for number in range(30)]
    rows, counts, bound = slice_lists([*bot, *others], MOVIES, COLUMNS, 1.0)
    of_bot = [row for row in rows if row[1] == 1]
    assert (len(of_bot), len(rows) - len(of_bot)) == (MAX_WEIGHT, 30)
    assert (bound.left_out, bound.users, counts[LIST]) == (10_000 - MAX_WEIGHT, 31, 10_030)


def test_who_likes_all_of_a_list_teaches_nothing_by_it() -> None:
    shown = served(1)
    everything = Sample(shown.request_id, 1, shown, tuple(act("like", item) for item in (10, 11, 12)), START)
    rows, counts, _ = slice_lists([everything], MOVIES, COLUMNS, 1.0)
    assert (rows, counts[LIST]) == ([], 1)


def test_a_heavy_like_uses_up_more_of_a_users_weight() -> None:
    bound = UserBound()
    assert [bound.weight(1, 8.0) for _ in range(4)] == [8, 8, 0, 0]
    assert bound.weight(1, 4.0) == 4
    assert (bound.left_out, bound.users) == (2, 1)


def test_a_like_that_weighs_more_than_a_users_weight_by_itself_teaches_as_much_as_that() -> None:
    rows, _, bound = slice_lists([liked(1, 10), liked(2, 11)], MOVIES, COLUMNS, 0.01)
    assert [row[IMPORTANCE] for row in rows] == [MAX_WEIGHT]
    assert (bound.left_out, bound.users) == (1, 1)


def test_a_sample_that_comes_again_is_learned_once() -> None:
    """Where the job folds the log anew, all samples come again: what was closed before the newest one learned is known."""
    values = [sample_of(served(number), (act("like", 10),), START + number * 1000) for number in range(10)]
    log, spans = Listed([*values, *values]), whole(0, 10, 20)
    found = list(new_samples(log, spans, START + 7000, -1, {}))
    assert [each if isinstance(each, str) else each.request_id for each in found] == [LEARNED] * 7 + ["r7", "r8", "r9"]


def test_what_the_weights_have_learned_elsewhere_is_left_out() -> None:
    values = [sample_of(served(number), (act("like", 10),), START) for number in range(4)]
    found = list(new_samples(Listed(values), whole(0, 0, 4), 0, START + 1000, {}))
    assert [isinstance(each, str) for each in found] == [True, True, False, False]


def test_lists_of_who_is_forgotten_since_are_left_out_up_to_the_wish() -> None:
    values = [sample_of(served(number), (act("like", 10),), START) for number in range(4)]
    found = list(
        new_samples(Listed(values), whole(0, 0, 4), 0, -1, {0: START, 1: START + 1000, 2: START + 1999, 999: START})
    )
    assert [each if isinstance(each, str) else each.request_id for each in found] == [FORGOTTEN, FORGOTTEN, "r2", "r3"]


def test_a_partition_that_was_not_read_to_its_end_holds_up_what_all_users_did() -> None:
    """Its next lists were shown before, and are scored in a slice to come."""
    newest = NewestClosed()
    for partition, closed in ((0, START + 9_000), (1, START + 2_000), (1, START + 1_000)):
        assert len(list(newest.noting(partition, [liked(1, 10, closed=closed), LEARNED]))) == 2
    spans = {0: (0, 4, 0), 1: (0, 4, 0), 2: (5, 5, START - 7)}
    assert newest.in_all(spans, {0: 4, 1: 4, 2: 5}, START + 9_000) == START + 9_000
    assert newest.in_all(spans, {0: 4, 1: 6, 2: 5}, START + 9_000) == START + 2_000
    assert newest.in_all(spans, {0: 6, 1: 4, 2: 5}, START + 8_000) == START + 8_000
    assert newest.in_all(spans, {0: 4, 1: 6, 2: 6}, START + 9_000) == START - 7


def test_the_folder_is_what_training_reads(tmp_path: Path) -> None:
    user, item = width_of("user", GENRES), width_of("item", GENRES)
    maps = InputMaps(GENRES, (0.0,) * user, (2.0,) * user, (0.0,) * item, (1.0,) * item)
    rows, counts, bound = slice_lists(
        [liked(number, 10 + number % 3, number) for number in range(9)], MOVIES, COLUMNS, 1.0
    )
    acts = [Act(1, 10 + number, RATING, 400, START + number, number) for number in range(3)]
    write_slice(rows, sequences_of(acts, MOVIES, 1.0), maps, MOVIES, counts, bound, tmp_path / "new")
    lists = read_lists(tmp_path / "new" / "asks", maps)
    assert len(lists) == 9
    whole = read_ranking_lists(tmp_path / "new")
    assert whole.histories is not None
    assert whole.histories.items.tolist() == [10, 11, 12]
    assert (whole.shown, whole.to_ms) == (True, lists.at.max())
    write_slice(rows, Sequences([], 0), maps, MOVIES, counts, bound, tmp_path / "without")
    assert read_ranking_lists(tmp_path / "without").histories is None
    assert lists.answers.tolist() == [number % 3 for number in range(9)]
    np.testing.assert_allclose(lists.columns, 0.5)
    assert len(read_lists(tmp_path / "new" / "asks", maps, since=START + 4000)) == 4


def test_spans_that_are_none_are_refused() -> None:
    assert read_spans('{"3": [1, 2, 5]}') == {3: (1, 2, 5)}
    with pytest.raises(BadInput, match=r"--spans: expected .* got \[1\]"):
        read_spans("[1]")


def test_what_the_log_has_lost_of_a_slice_that_waited_is_passed_over() -> None:
    log = [Span("samples", 0, 40, 90), Span("samples", 1, 0, 90), Span("samples", 2, 80, 90)]
    spans = {0: (10, 60, 5), 1: (10, 60, 6), 2: (10, 60, 7)}
    assert held_spans(spans, log) == ({0: (40, 60, 5), 1: (10, 60, 6), 2: (60, 60, 7)}, 80)
