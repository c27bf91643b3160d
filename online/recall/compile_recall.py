"""Makes one list of a catalogue of two items, so that everything that recall computes with is compiled, or read from where it was
kept, before anybody waits for a list. As a program it does so beside the making of a home's first base."""

import numpy as np

from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.fold.state import ItemFeatures, UserFeatures
from features.inputs.columns import ClickWeights, ItemColumns, item_matrix, user_vector
from features.inputs.moment import ItemIndex, Moment, Together
from features.inputs.signals import signal_matrix
from features.recall.diversity import marginal_relevance
from features.recall.score_order import by_score
from features.schema.tables import Schema, preset_schema
from features.types import CLICK, Item
from features.units import DAY_MS
from online.query import Query
from online.recall import CORE_CHANNELS
from online.recall.merge import merge
from online.vectors.index import VectorIndex
from online.vectors.vector_sets import make_set

AT = DAY_MS


def compile_recall(schema: Schema) -> None:
    """Run the core channels, what rankers and the log read of them, and a search by vectors, for a user of a made-up catalogue
    that is liked."""
    columns, row_of = ItemColumns(2), {1: 0, 2: 1}
    for item_id, row in row_of.items():
        columns.set_item(row, item_id, Item(item_id, "", tastes=("value",), label_count=1, year=2000))
        liked = ItemFeatures(item_id, days=[[AT // DAY_MS, 0, 0, 1, schema.unit]])
        columns.set_features(row, liked, schema.unit)
    one, starts = np.ones(1, np.float32), np.array([0, 1])
    relations = Relations(columns.ids, np.array([1]), starts, np.array([2]), one)
    sessions = PastSessions(columns.ids, np.array([1, 2]), np.array([1]), np.array([0, 2]), np.array([0, 1]))
    index = ItemIndex(columns, row_of, relations, relations, sessions, Together(2), schema)
    user = UserFeatures(0, sequence=[(1, AT)], recent=[(1, AT, CLICK, 0)])
    query = Query(Moment(user, AT, index, ClickWeights(), np.ones(2, bool)))
    found = merge(CORE_CHANNELS, query, 2)
    signal_matrix(query.signals, found.rows)
    item_matrix(columns, found.rows, AT, ("value",))
    user_vector(user, AT, ("value",), ClickWeights(), schema, query.moment.tastes)
    VectorIndex(np.arange(2), make_set(np.eye(2, dtype=np.float32))).search(
        np.ones(2, np.float32), 2, query.moment.allowed
    )
    zeros = np.zeros(len(found.rows), np.float32)
    by_score(columns.ids[found.rows], zeros)
    marginal_relevance(zeros, *columns.facets.of(found.rows), 0.5, 2)


if __name__ == "__main__":
    compile_recall(preset_schema())
