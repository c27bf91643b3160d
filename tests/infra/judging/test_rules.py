"""What the judge decides, and after how many lists: an equal version, a better one, a worse one, one that ranks at random."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from features.contracts.scores import YARDSTICK, InterleavedList, ShadowList
from features.units import DAY_MS
from infra.judging.outcomes import Evidence
from infra.judging.rules import EXHAUSTED, MARGIN, SHADOW_LISTS, TRIAL_MS, decide
from models.registry import Labels

SEEDS = 200
USERS = 300
EVERY = 50
RARELY = 150


@dataclass
class Home:
    """A home's judge, whose users bring one list that counts after another, against each opponent in turn.

    won  opponent → the probability with which it wins a list that counts against the stable version
    """

    labels: Labels
    versions: list[int]
    won: dict[str, float]
    seed: int = 0
    every: int = EVERY
    users: int = USERS
    evidence: Evidence = field(default_factory=Evidence)

    def run(self, lists: int) -> tuple[Labels, int | None]:
        """(labels, lists until the first decision or None): a decision is looked for every `every` lists."""
        rng = np.random.default_rng(self.seed)
        names = list(self.won)
        for number in range(1, lists + 1):
            opponent = names[number % len(names)]
            liked = {2} if rng.random() < self.won[opponent] else {1}
            stable = self.labels.stable
            assert stable is not None
            record = InterleavedList(f"r{number}", int(rng.integers(self.users)), "m", stable, opponent, (1,), (2,))
            self.evidence.count(record, liked)
            if number % self.every == 0:
                after = decide("m", self.labels, self.versions, self.evidence, number)
                if after != self.labels:
                    return after, number
        return self.labels, None


TRIAL = Labels(stable=1, candidate=2, phase="trial")
FORCED = Labels(stable=2, last_good=1, proved=False)


def decided(labels: Labels, won: dict[str, float], lists: int, every: int = EVERY) -> list[tuple[Labels, int]]:
    """The decisions of SEEDS homes, of those that came to one."""
    found = (Home(labels, [1, 2], won, seed, every).run(lists) for seed in range(SEEDS))
    return [(after, number) for after, number in found if number is not None]


def test_a_candidate_that_is_worse_by_the_margin_is_promoted_in_five_of_a_hundred_homes() -> None:
    decisions = decided(TRIAL, {"m:2": (1 - MARGIN) / 2}, 1500, RARELY)
    assert sum(after.stable == 2 for after, _ in decisions) / SEEDS <= 0.05


def test_an_equal_version_is_rolled_back_in_five_of_a_hundred_homes() -> None:
    decisions = decided(Labels(stable=2, last_good=1), {"m:1": 0.5, YARDSTICK: 0.3}, 1500, RARELY)
    assert sum(after.stable == 1 for after, _ in decisions) / SEEDS <= 0.05


def test_an_equal_candidate_is_promoted_as_the_fresher_one() -> None:
    decisions = decided(TRIAL, {"m:2": 0.5}, 3000, RARELY)
    assert sum(after.stable == 2 for after, _ in decisions) / SEEDS >= 0.9
    assert any("fresher and wins no less than 45% of lists: E = " in after.decisions[-1].text for after, _ in decisions)


def test_a_good_candidate_is_in_within_250_lists_that_count() -> None:
    decisions = decided(TRIAL, {"m:2": 0.7}, 250)
    assert sum(after.stable == 2 for after, _ in decisions) / SEEDS >= 0.95
    labels = decisions[0][0]
    assert (labels.last_good, labels.candidate, labels.proved) == (1, None, False)
    assert any("2 ranks in place of 1, better: E = " in after.decisions[-1].text for after, _ in decisions)


def test_a_candidate_that_ranks_at_random_is_never_promoted_and_dropped_within_150() -> None:
    decisions = decided(TRIAL, {"m:2": 0.1}, 150)
    assert len(decisions) == SEEDS
    assert {(after.stable, after.candidate, after.lost) for after, _ in decisions} == {(1, None, (2,))}


def test_one_that_ranks_at_random_and_was_forced_in_is_out_within_200_lists_that_count() -> None:
    decisions = decided(FORCED, {"m:1": 0.9, YARDSTICK: 0.85}, 200)
    assert len(decisions) == SEEDS
    assert {(after.stable, after.last_good, after.lost) for after, _ in decisions} == {(1, None, (2,))}
    assert all("rolled back" in after.decisions[-1].text for after, _ in decisions)


def test_below_the_yardstick_an_older_version_ranks_if_there_is_one() -> None:
    after, _ = Home(Labels(stable=3, lost=(2,)), [1, 2, 3], {YARDSTICK: 0.9}).run(200)
    assert (after.stable, after.lost) == (1, (2, 3))
    assert YARDSTICK in after.decisions[-1].text
    assert Home(Labels(stable=1), [1], {YARDSTICK: 0.9}).run(200) == (Labels(stable=1), None)


def test_a_version_below_the_yardstick_stays_where_the_one_before_is_worse_still() -> None:
    home = Home(FORCED, [1, 2], {"m:1": 0.1})
    home.labels, _ = home.run(300)
    assert (home.labels.stable, home.labels.proved) == (2, True)
    home.won = {YARDSTICK: 0.9}
    assert home.run(300) == (home.labels, None)


def test_a_version_whose_predecessor_is_gone_is_held_to_none_and_others_are_tried() -> None:
    for labels, versions in ((FORCED, [2, 3]), (Labels(stable=2, proved=False), [1, 2, 3])):
        after = decide("m", labels, versions, Evidence(), 5)
        assert (after.stable, after.last_good, after.proved) == (2, None, True)
        assert decide("m", after, versions, Evidence(), 6).candidate == 3


def test_an_older_candidate_has_to_be_better_than_a_newer_stable_version() -> None:
    older = Labels(stable=2, candidate=1, phase="trial")
    decisions = decided(older, {"m:1": 0.5}, 3000, RARELY)
    assert sum(after.stable == 1 for after, _ in decisions) / SEEDS <= 0.05


def test_the_newest_version_becomes_the_candidate_once_the_stable_one_is_proved() -> None:
    evidence = Evidence()
    assert decide("m", Labels(stable=1, lost=(4,)), [1, 2, 3, 4], evidence, 5).candidate == 3
    assert decide("m", Labels(stable=3, last_good=2, proved=False), [2, 3, 4], evidence, 5).candidate is None
    assert decide("m", Labels(stable=1, candidate=2, phase="trial"), [1, 2, 3], evidence, 5).candidate == 2
    assert decide("m", Labels(stable=1, candidate=2), [1, 2, 3], evidence, 5).candidate == 3
    assert decide("m", Labels(stable=3), [1, 2, 3], evidence, 5) == Labels(stable=3)
    proved, _ = Home(Labels(stable=2, last_good=1, proved=False), [1, 2], {"m:1": 0.4}).run(2000)
    assert proved.proved
    assert proved.last_good == 1


@pytest.mark.parametrize(
    ("ranks", "problem", "liked", "phase", "candidate"),
    [
        ((1, 0), "", {5}, "trial", 2),
        ((300, 400), "", {5}, "shadow", None),
        ((300, 400), "", set[int](), "trial", 2),
        ((), "away", {5}, "shadow", None),
    ],
)
def test_a_candidate_ranks_beside_lists_before_it_is_shown(
    ranks: tuple[int, ...], problem: str, liked: set[int], phase: str, candidate: int | None
) -> None:
    labels, evidence = Labels(stable=1, candidate=2), Evidence()
    for number in range(SHADOW_LISTS):
        if number < 20:
            assert decide("m", labels, [1, 2], evidence, 5) == labels
        evidence.count(ShadowList(f"r{number}", number, "m", 2, 0.1, problem, (5, 6), ranks), liked)
    after = decide("m", labels, [1, 2], evidence, 5)
    assert (after.phase, after.candidate) == (phase, candidate)
    assert after.lost == (() if candidate else (2,))


def test_where_few_users_have_given_all_their_lists_an_undecided_candidate_makes_room_for_the_next() -> None:
    home = Home(TRIAL, [1, 2, 3], {"m:2": 0.5}, users=5, every=1)
    after, lists = home.run(1000)
    assert lists is not None
    assert (after.stable, after.candidate, after.lost) == (1, None, (2,))
    assert "undecided against 1: no user has lists left" in after.decisions[-1].text
    assert sum(home.evidence.of("m", 1, "m:2").differences.in_vain.values()) == EXHAUSTED
    assert decide("m", after, [1, 2, 3], home.evidence, lists).candidate == 3


def test_one_user_who_goes_on_and_on_decides_nothing_for_the_others() -> None:
    """But where nobody else has come for a month, there is nobody to wait for."""
    evidence = Evidence()

    def count(user: int, lists: int) -> Labels:
        for number in range(lists):
            evidence.count(InterleavedList(f"r{user}-{number}", user, "m", 1, "m:2", (1,), (2,)), {2})
        return decide("m", TRIAL, [1, 2, 3], evidence, 5)

    for user in range(8):
        assert count(user, 1).candidate == 2
    assert count(99, 10 * EXHAUSTED).candidate == 2
    begun = TRIAL.decided(5, "begun", phase="trial")
    assert decide("m", begun, [1, 2, 3], evidence, TRIAL_MS).candidate == 2
    after = decide("m", begun, [1, 2, 3], evidence, 5 + TRIAL_MS)
    assert (after.candidate, after.lost) == (None, (2,))


def test_a_version_that_no_list_is_made_with_keeps_none_from_being_tried() -> None:
    """As where nobody asks that model for lists: on trial, or held to the one before, it would be for good."""
    on_trial, held = TRIAL.decided(5, "begun", phase="trial"), FORCED.decided(5, "promoted")
    for labels, after in ((on_trial, (1, None, (2,))), (held, (2, None, ()))):
        assert decide("m", labels, [1, 2, 3], Evidence(), TRIAL_MS) == labels
        ended = decide("m", labels, [1, 2, 3], Evidence(), 5 + TRIAL_MS)
        assert (ended.stable, ended.candidate, ended.lost) == after
        assert "no list has counted in 30 days" in ended.decisions[-1].text
        assert decide("m", ended, [1, 2, 3], Evidence(), 5 + TRIAL_MS).candidate == 3


def test_where_few_users_have_given_all_their_lists_a_stable_version_is_held_no_longer() -> None:
    home = Home(FORCED, [1, 2], {"m:1": 0.5}, users=5, every=1)
    after, lists = home.run(1000)
    assert lists is not None
    assert (after.stable, after.last_good, after.proved) == (2, 1, True)
    assert "undecided against 1" in after.decisions[-1].text


def test_a_candidate_that_is_taken_from_disk_is_none_any_more() -> None:
    assert decide("m", TRIAL, [1], Evidence(), 5).candidate is None


def test_in_a_home_of_few_lists_a_newer_version_each_night_waits_for_the_one_that_shadows() -> None:
    labels, versions, evidence = Labels(stable=1), [1], Evidence()
    for night in range(12):
        versions.append(2 + night)
        for number in range(10):
            now = night * DAY_MS + number
            labels = decide("m", labels, versions, evidence, now)
            if labels.candidate is not None and labels.phase == "shadow":
                list_id = f"r{night}-{number}"
                evidence.count(ShadowList(list_id, number, "m", labels.candidate, 0.01, "", (1, 2), (0, 1)), {1})
    assert (labels.candidate, labels.phase) == (2, "trial")


@pytest.mark.parametrize(("problem", "days", "expected"), [("", 29, 2), ("", 31, 3), ("not loaded", 1, 3)])
def test_one_that_does_not_rank_or_takes_too_long_makes_room_for_the_newer(
    problem: str, days: int, expected: int
) -> None:
    evidence = Evidence()
    labels = decide("m", Labels(stable=1), [1, 2], evidence, 0)
    evidence.count(ShadowList("r", 7, "m", 2, 0.01, problem, (1, 2), () if problem else (0, 1)), {1})
    assert decide("m", labels, [1, 2, 3], evidence, days * DAY_MS).candidate == expected
