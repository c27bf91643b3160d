"""A model's vocabulary: which facet values have a column."""

from hypothesis import given
from hypothesis import strategies as st

from features.inputs.facet_vocabulary import VOCABULARY_SIZE, vocabulary_of
from features.types import Item
from tests.schemas import film

NAMES = [f"v{number:03}" for number in range(VOCABULARY_SIZE + 20)]

catalogues = st.lists(st.lists(st.sampled_from(NAMES), max_size=30).map(lambda names: film(1, "x", names)), max_size=12)


@given(catalogues)
def test_it_has_the_values_of_the_most_items(catalogue: list[Item]) -> None:
    counts = {name: sum(name in item.labels for item in catalogue) for name in NAMES}
    found = vocabulary_of(catalogue)
    assert list(found) == sorted(set(found))
    assert found == vocabulary_of(reversed(catalogue))
    left_out = [name for name in NAMES if counts[name] and name not in found]
    assert len(found) == min(VOCABULARY_SIZE, sum(1 for name in NAMES if counts[name]))
    for name in left_out:
        assert all((-counts[other], other) < (-counts[name], name) for other in found)


def test_a_value_that_an_item_names_twice_counts_once() -> None:
    twice = [film(1, "x", ("War", "War")), film(2, "y", ("Art",)), film(3, "z", ("Art",))]
    assert vocabulary_of(twice, 1) == ("Art",)


def test_where_no_item_has_any_it_is_empty() -> None:
    assert vocabulary_of([film(1, "x")]) == ()
