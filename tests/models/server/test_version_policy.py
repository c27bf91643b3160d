"""Which versions are wanted, and which may go."""

import pytest

from models.server.version_policy import All, Besides, Latest, Policy, Specific, named, to_unload, versions_in, wanted


def test_only_whole_numbers_are_versions() -> None:
    names = ["001", "2", "tmp_dir", "5abc", "-3", "+4", " 5", "1.0", "٣", str(2**63 - 1), str(2**63), "", ".7"]
    assert versions_in(names) == {1: "001", 2: "2", 2**63 - 1: str(2**63 - 1)}


def test_one_folder_of_two_with_the_same_number() -> None:
    assert versions_in(["1", "001"]) == versions_in(["001", "1"]) == {1: "1"}


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        (Latest(), {4}),
        (Latest(2), {4, 3}),
        (Latest(9), {1, 2, 3, 4}),
        (All(), {1, 2, 3, 4}),
        (Specific(frozenset({1, 3, 7})), {1, 3}),
        (Specific(frozenset()), set()),
        (Besides(Latest(), frozenset({1, 7})), {1, 4}),
    ],
)
def test_what_a_policy_asks_for(policy: Policy, versions: set[int]) -> None:
    present = {1: "001", 2: "2", 3: "3", 4: "4"}
    assert wanted(present, policy) == {version: present[version] for version in versions}


def test_which_versions_a_policy_names() -> None:
    both = Besides(Specific(frozenset({1})), frozenset({7}))
    assert [named(policy) for policy in (Latest(), All(), Specific(frozenset({3})), both)] == [
        set(),
        set(),
        {3},
        {1, 7},
    ]


@pytest.mark.parametrize(
    ("loaded", "aspired", "gone"),
    [
        ({1}, {1}, []),
        ({1}, {2}, []),  # 2 is not there yet: 1 goes on
        ({1, 2}, {2}, [1]),
        ({1, 2, 3}, {3, 4}, [1, 2]),
        ({1, 2}, {3}, [1]),  # nothing wanted is there: the largest stays
        ({1, 2}, set(), [1, 2]),
        (set(), {1}, []),
    ],
)
def test_availability_is_preserved(loaded: set[int], aspired: set[int], gone: list[int]) -> None:
    assert to_unload(loaded, aspired) == gone
