"""No list waits for anything to be compiled."""

import sys

import numpy as np
from numba.core.dispatcher import Dispatcher

from features.base.reader import Base
from features.fold.state import UserFeatures
from features.inputs.columns import ClickWeights, item_matrix, user_vector
from features.inputs.facet_vocabulary import vocabulary_of
from features.inputs.moment import Moment
from features.inputs.released import released
from features.inputs.signals import signal_matrix
from features.recall.score_order import by_score
from features.types import CLICK
from features.units import DAY_MS
from online.query import Query
from online.recall import CORE_CHANNELS
from online.recall.compile_recall import compile_recall
from online.recall.merge import ChannelRunner
from online.stores.item_store import ItemStore
from online.vectors import VectorIndex
from online.vectors.vector_sets import make_set

AT = 101 * DAY_MS


def compiled() -> dict[str, int]:
    """How many versions there are of each compiled function, by name."""
    modules = [module for name, module in sys.modules.items() if name.startswith("features.")]
    functions = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    return {function.py_func.__name__: len(function.signatures) for function in functions}


def test_a_list_finds_all_that_it_computes_with_compiled(base: Base) -> None:
    store = ItemStore(base)
    compile_recall(base.schema)
    before = compiled()
    assert sum(map(bool, before.values())) > 10  # the others are parts of these
    sequence = [(item_id, AT) for item_id in (1, 2, 3, 3)]
    free = released({1: 1, 2: 2, 3: 3}, AT, store.index.row_of)
    for user in (UserFeatures(1), UserFeatures(2, sequence=sequence, recent=[(1, AT, CLICK, 0), (2, AT, CLICK, 0)])):
        query = Query(Moment(user, AT, store.index, ClickWeights(), np.ones(len(store), bool), released=free))
        runner = ChannelRunner(query, 500, {})
        runner.run(CORE_CHANNELS)
        found = runner.merged()
        assert found.failed == ()
        assert len(signal_matrix(query.signals, found.rows)) == len(found.rows) > 0
        assert query.signals.orders["popular"].size
        user_vector(user, AT, ("Comedy",), ClickWeights(), base.schema, query.moment.tastes)
        by_score(store.columns.ids[found.rows], np.zeros(len(found.rows), np.float32))
        assert len(item_matrix(store.columns, found.rows, AT, vocabulary_of(store.catalogue))) == len(found.rows)
    index = VectorIndex(np.arange(len(store)), make_set(np.eye(len(store), dtype=np.float32)))
    assert len(index.search(np.ones(len(store), np.float32), 2, np.ones(len(store), bool))[0]) == 2
    assert compiled() == before
