"""The anytime-valid test keeps to its errors however often one looks, whoever the users are, and decides in the end."""

import numpy as np
import pytest

from features.arrays import DoubleArray, IntArray
from features.statistics.betting import (
    LISTS_PER_USER,
    PairedDifferences,
    confidence_sequence,
    e_value,
    lists_wanted,
    verdict_of,
)

SEEDS = 200
USERS = 300
LISTS = 2_000
EVERY = 100


def drawn(seed: int, difference: float, spread: float) -> tuple[IntArray, DoubleArray]:
    """([LISTS] users, [LISTS] differences of 1 or -1) of a mean over users who differ by `spread` either way, and of whom few
    make most of the lists."""
    rng = np.random.default_rng(seed)
    means = difference + spread * rng.choice([-1, 1], USERS)
    busy = rng.pareto(1.5, USERS) + 0.2
    users = rng.choice(USERS, LISTS, p=busy / busy.sum())
    return users, np.where(rng.random(LISTS) < (1 + means[users]) / 2, 1.0, -1.0)


def looks(users: IntArray, differences: DoubleArray) -> list[tuple[DoubleArray, DoubleArray]]:
    """(counts, sums) after every EVERY lists."""
    found, seen = [], PairedDifferences()
    for number, (user, difference) in enumerate(zip(users.tolist(), differences.tolist(), strict=True), start=1):
        seen.add(user, difference)
        if number % EVERY == 0:
            found.append(seen.arrays())
    return found


def share_of_seeds(difference: float, spread: float, mean: float) -> float:
    """Share of seeds in which "better than `mean`" is believed at one of the looks."""
    believed = (
        any(e_value(*look, mean) >= 20 for look in looks(*drawn(seed, difference, spread))) for seed in range(SEEDS)
    )
    return sum(believed) / SEEDS


@pytest.mark.parametrize("spread", [0.0, 0.6])
@pytest.mark.parametrize("mean", [0.0, -0.1])
def test_what_is_not_above_the_mean_is_believed_in_five_of_a_hundred(spread: float, mean: float) -> None:
    assert share_of_seeds(mean, spread, mean) <= 0.05


def test_what_is_better_is_believed() -> None:
    assert share_of_seeds(0.2, 0.2, 0.0) >= 0.95


def test_what_is_equal_is_believed_to_be_no_worse_by_a_margin() -> None:
    assert share_of_seeds(0.0, 0.0, -0.15) >= 0.9


def test_the_confidence_sequence_holds_the_mean_at_all_looks() -> None:
    missed = 0
    for seed in range(SEEDS):
        bounds = [confidence_sequence(*look) for look in looks(*drawn(seed, 0.1, 0.2))[4::5]]
        missed += any(not low <= 0.1 <= high for low, high in bounds)
    assert missed / SEEDS <= 0.05


def test_one_user_is_bounded() -> None:
    alone = PairedDifferences()
    for _ in range(10_000):
        alone.add("bot", 1.0)
    assert (alone.counts["bot"], alone.ignored) == (LISTS_PER_USER, 10_000 - LISTS_PER_USER)
    assert e_value(*alone.arrays()) < 2


def test_the_order_of_users_does_not_matter() -> None:
    users, differences = drawn(1, 0.1, 0.3)
    verdicts = []
    for order in (np.arange(LISTS), np.argsort(users, kind="stable")):
        seen = PairedDifferences()
        for index in order.tolist():
            seen.add(int(users[index]), float(differences[index]))
        verdicts.append(verdict_of(seen))
    assert verdicts[0].better == pytest.approx(verdicts[1].better)
    assert (verdicts[0].low, verdicts[0].high) == pytest.approx((verdicts[1].low, verdicts[1].high))


def test_lists_wanted() -> None:
    assert lists_wanted(np.zeros(0), np.zeros(0)) is None
    assert lists_wanted(np.ones(9), -np.ones(9)) is None
    assert lists_wanted(np.ones(99), np.ones(99)) == 0
    wanted = lists_wanted(np.ones(20), np.ones(20))
    assert wanted is not None
    assert e_value(np.ones(20 + wanted), np.ones(20 + wanted)) >= 20
    assert e_value(np.ones(20 + wanted // 2), np.ones(20 + wanted // 2)) < 20


def test_what_is_no_difference_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from -1 to 1, got 1\.5"):
        PairedDifferences().add(1, 1.5)
