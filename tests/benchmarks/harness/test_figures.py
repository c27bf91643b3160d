"""Figures of runs, rates of a timeline, and the events that are measured with."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.growth import longer_sequence
from benchmarks.harness.event_generator import copies, grid, mixed
from benchmarks.harness.job_progress import Timeline
from benchmarks.harness.run_report import Report, percentile, show_figure, spread
from features.contracts.events import read_event, write_event
from features.fold.state import SEQUENCE, UserFeatures
from features.fold.user import UserState, fold_user
from features.types import LIKE, Event
from features.units import DAY_MS
from offline.datasets.dataset import DEFAULT, open_dataset
from tests.schemas import MOVIES


def test_medians_are_over_the_runs_that_have_a_figure(tmp_path: Path) -> None:
    report = Report("test", {"rate": 5})
    for value in (3, 1, 10):
        report.add({"ms": value, "verify": "equal", "sometimes": None if value == 10 else value})
    assert report.medians() == report.medians() | {"ms": 3, "verify": "equal", "sometimes": 2}
    report.save(tmp_path / "figures.json")
    saved = json.loads((tmp_path / "figures.json").read_text())
    assert [run["ms"] for run in saved["groups"][""]["runs"]] == [3, 1, 10]
    assert saved["options"] == {"rate": 5}


def test_words_that_differ_have_no_median() -> None:
    report = Report("test", {})
    report.add({"verify": "equal"})
    report.add({"verify": "DIFFERENT"})
    assert report.medians()["verify"] is None


def test_percentiles() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 51, 100, 100]
    assert spread("x", values)["x, worst"] == 100
    assert set(spread("x", []).values()) == {None}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "0"), (0.0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (0.01234, "0.0123"), ("word", "word")],
)
def test_figures_for_people(value: float | str | None, shown: str) -> None:
    assert show_figure(value) == shown


def test_a_rate_leaves_out_what_was_folded_before_it_began() -> None:
    # 100 records when first looked at 10 s, half of 1,000 at 12 s, all at 15 s; the items are done at 16 s.
    line = Timeline()
    for at, records in ((10.0, 100), (12.0, 500), (13.0, 500), (15.0, 1000)):
        line.add(at, records)
    line.users_done = 15.0
    assert line.rate() == 900 / 5
    assert line.rate(0.5) == 500 / 3
    line.items_done = 16.0
    assert line.rate(0.5) == 500 / 4


def test_copies_of_a_data_set_share_nothing_but_items(tmp_path: Path) -> None:
    dataset = open_dataset(DEFAULT, tmp_path)
    first = list(islice(copies(dataset, 3), 300))
    assert len({event.event_id for event in first}) == 300
    assert Counter(event.item_id for event in first).most_common(1)[0][1] % 3 == 0
    assert [event.ts for event in first] == sorted(event.ts for event in first)
    assert len({event.user_id for event in first}) == 3 * len({event.user_id for event in first[::3]})
    shuffled = list(islice(copies(dataset, 3, shuffled=True), 300))
    assert len({event.user_id for event in shuffled}) > 200
    assert shuffled == list(islice(copies(dataset, 3, shuffled=True), 300))


def test_made_up_events_keep_to_the_contract() -> None:
    events = list(grid(3, 4, [1, 2, 3], 1_000_000))
    assert Counter(event.user_id for event in events) == {1: 4, 2: 4, 3: 4}
    events += [mixed(number, 5, 6, 7, "run") for number in range(100)]
    assert len({event.event_id for event in events}) == len(events)
    assert [read_event(write_event(event, MOVIES), MOVIES) for event in events] == events


@pytest.mark.parametrize("users", [3, 200_000])
def test_made_up_events_are_none_of_the_future(users: int) -> None:
    start = 1_000_000
    times = [event.ts for event in grid(users, 2, [1, 2, 3], start)]
    assert times == sorted(times)
    assert start <= times[0] <= times[-1] <= start + DAY_MS


def test_a_longer_sequence_is_longer_only_within() -> None:
    def length() -> int:
        user = UserState(UserFeatures(1))
        for position in range(10 * SEQUENCE):
            fold_user(user, Event(str(position), LIKE, 1, position, 0, "", position + 1), None, position + 1, MOVIES)
        return len(user.features.sequence)

    with longer_sequence(4):
        assert length() == 4 * SEQUENCE
    assert length() == SEQUENCE
