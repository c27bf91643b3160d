"""`python -m tests.spark_seeds DATA HISTORY LATER EMPTY`: what seeds have by Spark, in one session.

Of MovieLens 100K: a base of 80 % of it with training data, embeddings, and a base without history. DATA keeps the data set.
"""

import sys
from pathlib import Path

from features.base.reader import Base
from features.schema.tables import preset_schema
from offline.base.from_dataset import make_base
from offline.datasets.dataset import open_dataset
from offline.embeddings import make_embeddings
from offline.settings import RankingListSettings, SampleSettings
from offline.spark.session import spark_session
from offline.training_data.ranking_lists import make_ranking_lists
from offline.training_data.rows import make_samples
from tests.seed import DATASET

EMBEDDINGS = ("als", "item2vec")
"""One kind with vectors of users, and one without."""
SAMPLING = SampleSettings(max_positives=8_000)
LISTS = RankingListSettings(limit=2_000)
"""What small models are trained on: a part of what `up` makes of the same history, in a part of the time."""


def make(data: Path, history: Path, later: Path, empty: Path) -> None:
    """Make them in folders laid out as a home is."""
    schema = preset_schema().salted("")
    dataset = open_dataset(DATASET, data, schema)
    for folder in (history / "base", history / "data", later / "embeddings", empty / "base"):
        folder.mkdir(parents=True, exist_ok=True)
    with spark_session(history.parent, dataset.rows) as spark:
        make_base(spark, dataset, 0.8, history / "base" / "1", schema)
        base = Base(history / "base" / "1")
        make_samples(spark, dataset, base, history / "data" / "samples-1", SAMPLING)
        make_ranking_lists(spark, dataset, base, history / "data" / "asks-1", LISTS)
        make_embeddings(spark, dataset, base, later / "embeddings" / "1", EMBEDDINGS)
        make_base(spark, dataset, 0.0, empty / "base" / "1", schema)


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:5]))
