"""A model's vocabulary: the facet values that have a column of their own in its inputs. All others share one more, the bucket
OTHER, so that an item of any value can be ranked by any model.

The vocabulary is the model's, not the catalogue's: it is chosen when training data is made, and stands in the manifest of each
version (`features.inputs.input_maps.InputMaps`).
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from features.types import Item

VOCABULARY_SIZE: Final = 64
"""The most values of a vocabulary: inputs stay as wide, however many values a catalogue has."""

Vocabulary = tuple[str, ...]
"""G facet values in the order of their columns; the column after them is that of all other values."""


def vocabulary_of(catalogue: Iterable[Item], size: int = VOCABULARY_SIZE) -> Vocabulary:
    """The `size` values that the largest numbers of items have, ties by name; in alphabetical order.

    >>> labels = [("War", "Drama"), ("Drama", "Art"), ("War",)]
    >>> items = [Item(at, "x", tastes=each, label_count=len(each)) for at, each in enumerate(labels)]
    >>> vocabulary_of(items), vocabulary_of(items, 2), vocabulary_of(items, 1)
    (('Art', 'Drama', 'War'), ('Drama', 'War'), ('Drama',))
    """
    counts = Counter(name for item in catalogue for name in item.labels)
    return tuple(sorted(sorted(counts, key=lambda name: (-counts[name], name))[:size]))
