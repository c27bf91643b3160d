"""Shown lists as impressions: each list once, in the order of its partition."""

from hypothesis import given
from hypothesis import strategies as st

from features.contracts.served import ServedHead
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import LISTS_REMEMBERED, admit_shown, fold_list, list_memory, merge_impressions
from features.types import IMPRESSION, Contribution
from features.units import DAY_MS
from features.verdicts import APPLIED, DUPLICATE, LATE
from tests.features.strategies import slates


def head(name: str, ts: int, *items: int) -> ServedHead:
    return ServedHead(name, 7, ts, items)


def stored(memory: DedupeMemory) -> list[tuple[int, int]]:
    return [(key, entry.ts) for key, entry in memory.items()]


def test_a_list_is_an_impression_of_each_of_its_items() -> None:
    verdict, contributions = fold_list(list_memory([]), head("a", 5, 3, 4))
    assert verdict == APPLIED
    assert contributions == [Contribution(3, 5, IMPRESSION, 0, 1), Contribution(4, 5, IMPRESSION, 0, 1)]
    assert fold_list(list_memory([]), head("a", 5)) == (APPLIED, [])


def test_a_list_that_comes_again_adds_nothing_whatever_it_says() -> None:
    memory = list_memory([])
    fold_list(memory, head("a", 5, 3))
    assert fold_list(memory, head("a", 5, 3)) == (DUPLICATE, [])
    assert fold_list(memory, head("a", 99, 4)) == (DUPLICATE, [])
    assert len(memory) == 1


def test_what_is_older_than_all_that_is_remembered_is_late_once_memory_is_full() -> None:
    memory = list_memory([])
    for number in range(LISTS_REMEMBERED - 1):
        assert fold_list(memory, head(f"r{number}", 100 + number, 1))[0] == APPLIED
    assert fold_list(memory, head("early", 1, 1))[0] == APPLIED, "not full yet"
    assert fold_list(memory, head("earlier", 0, 1)) == (LATE, [])
    assert fold_list(memory, head("new", 1000, 1))[0] == APPLIED
    assert len(memory) == LISTS_REMEMBERED
    assert fold_list(memory, head("early", 1, 1)) == (LATE, []), "forgotten, so it can't be told from a repetition"


@given(slates(), st.integers(0, 80))
def test_stopping_anywhere_and_going_on_from_what_is_stored_changes_nothing(log: list[ServedHead], stop: int) -> None:
    whole = list_memory([])
    wanted = [fold_list(whole, each) for each in log]
    first = list_memory([])
    got = [fold_list(first, each) for each in log[:stop]]
    second = list_memory(stored(first))
    got += [fold_list(second, each) for each in log[stop:]]
    assert got == wanted
    assert stored(second) == stored(whole)


@given(slates())
def test_merged_impressions_are_those_of_the_lists_by_item_and_day(log: list[ServedHead]) -> None:
    merging, single = list_memory([]), list_memory([])
    shown = [(each.ts, each.item_ids) for each in log if admit_shown(merging, each) == APPLIED]
    times: dict[tuple[int, int], list[int]] = {}
    for each in log:
        for added in fold_list(single, each)[1]:
            times.setdefault((added.item_id, added.ts // DAY_MS), []).append(added.ts)
    assert sorted(merge_impressions(shown)) == sorted(
        (item_id, len(seen), min(seen), max(seen)) for (item_id, _), seen in times.items()
    )
