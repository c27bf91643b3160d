"""Labels say which version ranks; they are changed in one step, and refuse what is not there."""

import shutil
from pathlib import Path

import pytest

from features.errors import BadInput, Broken
from models.registry import Labels, change_labels, list_versions, promote, read_labels, withdraw
from models.registry.labels import LABELS, MAX_DECISIONS
from tests.models.fake_version import publish_one


def test_without_labels_the_newest_version_ranks(tmp_path: Path) -> None:
    publish_one(tmp_path)
    assert read_labels(tmp_path, "toy") is None
    assert Labels().order([1, 2, 3]) == [3, 2, 1]


def test_the_stable_version_ranks_then_the_last_good_one_then_older_ones() -> None:
    labels = Labels(stable=4, last_good=2, candidate=6, lost=(3,))
    assert labels.order([1, 2, 3, 4, 5, 6]) == [4, 2, 1, 6, 5], "what was not compared yet comes last"
    assert labels.order([1, 3, 5]) == [1, 5]


def test_where_judging_is_off_what_has_lost_still_does_not_rank() -> None:
    assert Labels(lost=(3,)).order([1, 2, 3]) == [2, 1]


def test_a_promotion_remembers_what_ranked_before(tmp_path: Path) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "begun", stable=1, candidate=2))
    labels = promote(tmp_path, "toy", 2, 5)
    assert (labels.stable, labels.last_good, labels.candidate, labels.proved) == (2, 1, None, False)
    assert [(each.ts, each.text) for each in labels.decisions] == [(1, "begun"), (5, "2 ranks from now on: by hand")]
    assert read_labels(tmp_path, "toy") == labels


def test_a_version_that_is_not_there_gets_no_label(tmp_path: Path) -> None:
    publish_one(tmp_path)
    with pytest.raises(BadInput, match="7"):
        promote(tmp_path, "toy", 7, 5)
    assert read_labels(tmp_path, "toy") is None


def test_a_version_that_can_not_rank_is_not_promoted(tmp_path: Path) -> None:
    publish_one(tmp_path, schema="other")
    publish_one(tmp_path, inputs_version=1)
    with pytest.raises(Broken, match="another meaning of events"):
        promote(tmp_path, "toy", 1, 5, "mine")
    with pytest.raises(Broken, match="inputs version 1"):
        promote(tmp_path, "toy", 2, 5)
    assert read_labels(tmp_path, "toy") is None


@pytest.mark.parametrize("is_labelled", [False, True])
def test_a_rollback_passes_over_what_can_not_rank(tmp_path: Path, is_labelled: bool) -> None:
    for schema in ("mine", "other", "mine"):
        publish_one(tmp_path, schema=schema)
    if is_labelled:
        change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "begun", stable=3, last_good=2))
    assert withdraw(tmp_path, "toy", 9, "mine") == 1


def test_a_rollback_takes_away_what_ranks_where_the_newest_version_can_not(tmp_path: Path) -> None:
    for schema in ("mine", "mine", "other"):
        publish_one(tmp_path, schema=schema)
    assert withdraw(tmp_path, "toy", 9, "mine") == 1
    assert list_versions(tmp_path, "toy") == [1, 3]


@pytest.mark.parametrize("is_labelled", [False, True])
def test_a_rollback_to_nothing_that_can_rank_is_refused(tmp_path: Path, is_labelled: bool) -> None:
    for schema in ("other", "mine"):
        publish_one(tmp_path, schema=schema)
    if is_labelled:
        change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "begun", stable=2, last_good=1))
    before = read_labels(tmp_path, "toy")
    with pytest.raises(BadInput, match="an older version of toy that can rank, got 2 in all"):
        withdraw(tmp_path, "toy", 9, "mine")
    assert (read_labels(tmp_path, "toy"), list_versions(tmp_path, "toy")) == (before, [1, 2])


def test_labels_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    publish_one(tmp_path)
    (tmp_path / "toy" / LABELS).write_text('{"stable": "x"}')
    with pytest.raises(Broken, match=r"labels\.json"):
        read_labels(tmp_path, "toy")


def test_a_rollback_by_hand_moves_labels_where_there_are_some(tmp_path: Path) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "begun", stable=2, last_good=1, candidate=3))
    assert withdraw(tmp_path, "toy", 9) == 1
    labels = read_labels(tmp_path, "toy")
    assert labels is not None
    assert (labels.stable, labels.last_good, labels.lost, labels.candidate) == (1, None, (2,), 3)
    assert list_versions(tmp_path, "toy") == [1, 2, 3], "nothing is taken away"
    with pytest.raises(BadInput, match="an older version"):
        withdraw(tmp_path, "toy", 9)


def test_a_rollback_without_labels_takes_the_newest_version_away(tmp_path: Path) -> None:
    for _ in range(2):
        publish_one(tmp_path)
    assert withdraw(tmp_path, "toy", 9) == 1
    assert list_versions(tmp_path, "toy") == [1]


@pytest.mark.parametrize(("lost", "withdrawn", "ranks"), [((), 3, 2), ((3,), 2, 1), ((2,), 3, 1)])
def test_a_rollback_while_nobody_judges_takes_what_ranks(
    tmp_path: Path, lost: tuple[int, ...], withdrawn: int, ranks: int
) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "released", lost=lost))
    assert withdraw(tmp_path, "toy", 9) == ranks
    labels = read_labels(tmp_path, "toy")
    assert labels is not None
    assert (labels.stable, labels.lost) == (None, (*lost, withdrawn))
    assert labels.order([1, 2, 3])[0] == ranks
    assert list_versions(tmp_path, "toy") == [1, 2, 3], "nothing is taken away"


def test_the_file_stays_small() -> None:
    labels = Labels()
    for number in range(500):
        labels = labels.decided(number, "x")
    assert [each.ts for each in labels.decisions] == list(range(500 - MAX_DECISIONS, 500))


def test_a_rollback_by_hand_prefers_what_ranked_before_to_what_is_older(tmp_path: Path) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "begun", stable=2, last_good=3))
    assert withdraw(tmp_path, "toy", 9) == 3


def test_labels_of_versions_that_are_gone_stand_in_no_ones_way(tmp_path: Path) -> None:
    for _ in range(2):
        publish_one(tmp_path)
    change_labels(tmp_path, "toy", lambda labels: labels.decided(1, "begun", stable=1, candidate=2))
    shutil.rmtree(tmp_path / "toy" / "1")
    labels = promote(tmp_path, "toy", 2, 5)
    assert (labels.stable, labels.last_good, labels.candidate) == (2, None, None)
