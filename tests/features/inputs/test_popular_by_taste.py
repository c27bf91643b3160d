"""What is popular by taste is the same whichever way it is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.inputs.facet_table import FacetTable
from features.inputs.popular_by_taste import popular_by_taste
from features.recall.whole_order import WholeOrder
from tests.features.recall.test_whole_order import expected

VALUES = 40


@pytest.mark.parametrize("depth", [0, 10, 1 << 20], ids=["along what is popular", "the shorter way", "by value"])
@given(st.integers(0, 1 << 30), st.integers(1, 40), st.integers(0, VALUES))
def test_it_gives_the_best_of_all_rows(depth: int, seed: int, limit: int, liked: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 400))
    popular = np.where(rng.random(size) < 0.9, rng.integers(1, 50, size), 0).astype(np.float32)
    factors, allowed = np.sqrt(popular), rng.random(int(rng.integers(size // 2, size + 1))) < 0.7
    table = FacetTable(size)
    table.put(0, [str(number) for number in range(VALUES)])
    of_rows = [set(np.floor(VALUES * rng.random(rng.integers(0, 4)) ** 3).astype(int).tolist()) for _ in range(size)]
    for row, numbers in enumerate(of_rows):
        table.put(row, [str(number) for number in numbers])
    weights = np.zeros(VALUES, np.float32)
    weights[rng.choice(VALUES, liked, replace=False)] = rng.random(liked)
    for changes in (1, 200, 0):
        means = [np.float32(sum(float(weights[each]) for each in of)) / max(len(of), 1) for of in of_rows]
        products = (np.array(means) * factors).astype(np.float32)
        found = popular_by_taste(table, weights, WholeOrder(popular), factors, allowed, limit, depth)
        assert found.tolist() == expected(products, allowed, limit)
        for row in rng.permutation(size)[:changes].tolist():  # and once more after one has changed, and after many
            of_rows[row] = {0, VALUES - 1}
            table.put(row, ["0", str(VALUES - 1)])
