"""What provokes a replay loses nothing, is the same by seed, and holds a bounded number of events; progress is never ahead."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.engines.kafka_address import KafkaAddress
from features.errors import BadInput
from features.types import RATING, Event
from infra.cli.replay_options import OPTIONAL_VALUES, filled
from infra.home.paths import Home, write_json
from infra.replay.perturbation import FAR, HELD, Outgoing, Perturbation, duplicated, held_back, shuffled
from infra.replay.replayer import Plan, Replayer, RowsInFlight, events_of, parse_speed
from offline.datasets.dataset import Dataset, open_dataset
from tests.schemas import MOVIES


def stream(count: int) -> Iterator[Outgoing]:
    for row in range(count):
        yield Outgoing(row, row * 1000, Event(f"e:{row}", RATING, row % 50, row % 30, 400, "", row * 1000))


def rows(events: Iterator[Outgoing]) -> list[int]:
    return [each.row for each in events]


PROVOCATIONS = st.builds(
    Perturbation,
    shuffle=st.sampled_from([0, 2, 7, 100]),
    duplicate=st.integers(1, 4),
    late=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    seed=st.integers(0, 9),
)


@given(perturbation=PROVOCATIONS, count=st.integers(0, 300))
def test_every_event_comes_at_least_once_unchanged_and_none_else(perturbation: Perturbation, count: int) -> None:
    sent = list(perturbation.apply(stream(count)))
    assert {(each.row, each.event) for each in sent} == {(each.row, each.event) for each in stream(count)}
    times = Counter(each.row for each in sent)
    assert max(times.values(), default=1) <= perturbation.duplicate
    assert sent == list(perturbation.apply(stream(count)))


def test_without_provocation_nothing_changes() -> None:
    assert list(Perturbation().apply(stream(100))) == list(stream(100))
    assert not Perturbation(seed=3)
    assert all([Perturbation(shuffle=2), Perturbation(duplicate=2), Perturbation(late=0.1)])


def test_the_seed_decides_and_each_stage_has_its_own_chance() -> None:
    everything = Perturbation(shuffle=50, duplicate=3, late=0.1, seed=1)
    others = [Perturbation(shuffle=50, duplicate=3, late=0.1, seed=seed) for seed in range(2, 6)]
    assert all(rows(everything.apply(stream(500))) != rows(other.apply(stream(500))) for other in others)
    once = list(dict.fromkeys(rows(everything.apply(stream(500)))))
    assert once == rows(Perturbation(shuffle=50, late=0.1, seed=1).apply(stream(500)))


def test_shuffled_rows_move_less_than_the_window_and_the_pace_stays() -> None:
    window = 100
    sent = list(shuffled(stream(1_050), window, random.Random("x")))
    moves = [each.row - position for position, each in enumerate(sent)]
    assert max(map(abs, moves)) < window
    assert max(map(abs, moves)) > window // 2  # it does shuffle
    assert [each.due for each in sent] == [each.due for each in stream(1_050)]
    assert all(each.event.ts == each.row * 1000 for each in sent)


def test_late_events_come_after_all_others_in_their_own_order() -> None:
    sent = rows(held_back(stream(10_000), 0.1, random.Random("y")))
    first_late = next(position for position in range(1, len(sent)) if sent[position] < sent[position - 1])
    assert sent[:first_late] == sorted(sent[:first_late])
    assert sent[first_late:] == sorted(sent[first_late:])
    assert 800 < len(sent) - first_late < 1_200
    assert all(each.due == each.event.ts for each in held_back(stream(50), 0.5, random.Random("x")))


def test_what_is_held_back_is_bounded_and_the_one_held_longest_goes_first() -> None:
    read = 0

    def counted() -> Iterator[Outgoing]:
        nonlocal read
        for each in stream(5_000):
            read += 1
            yield each

    held = list[int]()
    ahead = []
    for sent, each in enumerate(held_back(counted(), 0.5, random.Random("x"), limit=40), 1):
        ahead.append(read - sent)
        held.append(each.row)
    assert max(ahead) == 40
    assert sorted(held) == list(range(5_000))
    lateness = [max(held[:position], default=0) - row for position, row in enumerate(held)]
    assert min(late for late in lateness[:-40] if late > 0) >= 40  # not sent at once when there is no room


def test_copies_come_right_behind_or_far_later_but_within_the_bound() -> None:
    far, count = 200, 20_000
    sent = list(duplicated(stream(count), 3, random.Random("x"), far))
    times = Counter(rows(iter(sent)))
    assert set(times) == set(range(count))
    shares = Counter(times.values())
    assert all(0.3 < shares[each] / count < 0.37 for each in (1, 2, 3))
    first = dict[int, int]()
    near = distant = 0
    newest = -1
    for each in sent:
        if each.row in first:
            behind = newest - each.row  # events read since
            assert behind < far
            near, distant = near + (behind == 0), distant + (behind > far // 2)
        first.setdefault(each.row, each.row)
        newest = max(newest, each.row)
    assert near > count // 3
    assert distant > count // 10
    assert list(first) == list(range(count))  # first appearances keep their order


def test_copies_that_were_to_come_later_come_at_the_end() -> None:
    """However far the wheel has turned: of a thousand events as many copies as were drawn."""
    for count in (1, 150, 1000):
        sent = Counter(rows(duplicated(stream(count), 3, random.Random(5), 200)))
        rng, drawn = random.Random(5), 0
        for _ in range(count):
            copies = int(rng.random() * 3)
            drawn += copies
            for _ in range(copies):
                if rng.random() >= 0.5:
                    rng.random()
        assert sent.total() == count + drawn


def test_all_together_hold_no_more_than_they_say() -> None:
    perturbation, newest, seen = Perturbation(shuffle=500, duplicate=3, late=0.02, seed=2), -1, set[int]()

    def watched() -> Iterator[Outgoing]:
        nonlocal newest
        for each in stream(60_000):
            newest = each.row
            yield each

    limit = 0
    for each in perturbation.apply(watched()):
        seen.add(each.row)
        limit = max(limit, newest + 1 - len(seen))
    assert len(seen) == 60_000
    assert 1_000 < limit < 500 + 60_000 * 0.03 < HELD
    assert FAR < 60_000  # or the copies would not have gone once around


def test_a_seed_is_chosen_shown_and_not_taken_for_nothing() -> None:
    chosen = Perturbation.chosen(None, 3, 0.05, None)
    assert str(chosen) == f"--duplicate 3 --late 0.05 --seed {chosen.seed}"
    assert len({Perturbation.chosen(2, None, None, None).seed for _ in range(5)}) > 1
    assert Perturbation.chosen(10, None, None, 7) == Perturbation(shuffle=10, seed=7)
    with pytest.raises(BadInput, match="--seed: expected --shuffle"):
        Perturbation.chosen(None, None, None, 7)


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ("--shuffle", "--shuffle 10000"),
        ("--shuffle 7 --duplicate", "--shuffle 7 --duplicate 3"),
        ("--duplicate --shuffle --speed max", "--duplicate 3 --shuffle 10000 --speed max"),
        ("--shuffle=9 --late 0.1", "--shuffle=9 --late 0.1"),
        ("--late 0.1", "--late 0.1"),
    ],
)
def test_a_value_may_be_left_out(given_: str, meant: str) -> None:
    assert filled(given_.split(), OPTIONAL_VALUES) == meant.split()


def test_a_row_is_done_once_it_and_all_before_it_are_acknowledged() -> None:
    in_flight = RowsInFlight(100)
    assert (in_flight.row, in_flight.rows) == (100, 0)
    for row in range(100, 110):
        in_flight.read(row)
    in_flight.acknowledged([103, 101, 103])
    assert (in_flight.row, in_flight.rows, in_flight.records) == (100, 2, 3)
    in_flight.acknowledged([100])
    assert in_flight.row == 102
    in_flight.acknowledged([103, 104, 102, 105, 106, 107, 108])
    assert (in_flight.row, in_flight.rows) == (109, 9)
    in_flight.acknowledged([109, 100])
    assert (in_flight.row, in_flight.rows, in_flight.records) == (110, 10, 13)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return open_dataset("ml-100k", tmp_path / "data")


def test_a_plan_is_its_rows_in_order(dataset: Dataset) -> None:
    lines: list[int] = []
    events = list(events_of(dataset, Plan(65_000, 66_000, None), lines.append))  # across two batches of the file
    assert lines == [each.row for each in events] == list(range(65_000, 66_000))
    times = [each.event.ts for each in events]
    assert times == sorted(times) == [each.due for each in events]
    assert len({each.event.event_id for each in events}) == 1_000
    assert type(events[0].event.user_id) is type(times[0]) is int


def test_an_interrupted_replay_of_the_same_rows_is_known(tmp_path: Path, dataset: Dataset) -> None:
    home = Home(tmp_path).make()
    replayer = Replayer(home, KafkaAddress("nowhere"), dataset, MOVIES)
    assert replayer.resume_row(80, 100) == 80
    write_json(home.data / "replay.json", {"dataset": "ml-100k", "first": 80, "last": 100, "row": 93})
    assert replayer.resume_row(80, 100) == 93
    assert replayer.resume_row(81, 100) == 81
    assert replayer.resume_row(80, 99) == 80, "other rows"
    write_json(home.data / "replay.json", {"dataset": "ml-100k", "first": 80, "last": 100, "row": 100})
    assert replayer.resume_row(80, 100) == 80


def test_speeds() -> None:
    assert [parse_speed(text) for text in ("max", "100x", "0.5")] == [None, 100.0, 0.5]
    for text in ("fast", "0x", "-1", "nan", "inf"):
        with pytest.raises(ValueError):
            parse_speed(text)
