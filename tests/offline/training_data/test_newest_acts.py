"""What users did lately: in the order of time, and of each user so many."""

from typing import cast

import pytest

from features.inputs.history import mark_of
from features.keys import EVENTS
from features.types import RATING
from offline.base.kafka_log import KafkaLog, Span
from offline.training_data.newest_acts import ACTS, ACTS_OF_USER, Act, act_of_row, newest_spans, sequences_of
from tests.schemas import MOVIES

START = 1_000_000


def rated(user: int, item: int, stars: int, ts: int, number: int) -> Act:
    return Act(user, item, RATING, 100 * stars, ts, number)


def test_acts_stand_in_the_order_of_time_and_ties_in_that_of_the_log() -> None:
    acts = [
        rated(1, 10, 5, START + 2, 0),
        rated(2, 11, 1, START, 1),
        rated(1, 12, 4, START, 2),
        rated(1, 13, 2, START, 3),
    ]
    found = sequences_of(acts, MOVIES, MOVIES.weight(RATING, 500) / 2)
    assert found.left_out == 0
    assert [row[:3] for row in found.rows] == [(1, [2, 3, 0], [12, 13, 10]), (2, [1], [11])]
    marks, times, importances = found.rows[0][3:]
    assert marks == [mark_of(RATING, centi) for centi in (400, 200, 500)]
    assert times == [START, START, START + 2]
    assert importances == pytest.approx([2 * MOVIES.weight(RATING, 400) / MOVIES.weight(RATING, 500), 0, 2])


def test_of_one_user_the_newest_count_and_what_is_left_out_is_counted() -> None:
    bot = [rated(1, 10 + number, 5, START + number, number) for number in range(1_000)]
    found = sequences_of([*bot, rated(2, 7, 5, START, 1_000)], MOVIES, 1.0)
    assert (len(found.rows), found.left_out) == (2, 1_000 - ACTS_OF_USER)
    assert found.rows[0][2] == [10 + number for number in range(1_000 - ACTS_OF_USER, 1_000)]


def test_the_newest_records_are_of_all_partitions_as_far_as_there_are_some() -> None:
    class Log:
        def spans(self, topic: str) -> list[Span]:
            return [Span(topic, 0, 5, 9), Span(topic, 1, 0, ACTS)]

    found = newest_spans(cast(KafkaLog, Log()))
    assert found == [Span(EVENTS, 0, 5, 9), Span(EVENTS, 1, ACTS - ACTS // 2, ACTS)]


def test_a_row_of_a_data_set_is_an_act() -> None:
    assert act_of_row(7, (1, 10, RATING, 400, START, "1", "10")) == Act(1, 10, RATING, 400, START, 7)
