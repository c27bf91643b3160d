"""Nothing that is learned from has a user who is forgotten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from features.base.reader import Base
from features.schema.tables import preset_schema
from offline.base.forgotten_users import EVER, FILE, ForgottenUsers, forgotten_of, open_left
from offline.base.from_dataset import make_base
from offline.datasets.dataset import open_dataset
from offline.embeddings import make_embeddings
from offline.settings import RankingListSettings, SampleSettings
from offline.training_data.ranking_lists import make_ranking_lists
from offline.training_data.rows import make_samples
from tests.offline.conftest import Row

pytestmark = pytest.mark.spark


def test_a_forgotten_user_is_in_no_base_samples_lists_sequences_or_vectors(
    spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Callable[..., Path]
) -> None:
    data, schema = tmp_path / "data", preset_schema()
    whole = open_dataset(str(write_folder(some_rows)), data)
    before, after = tmp_path / "1", tmp_path / "2"
    make_base(spark, whole, 0.8, before, schema)
    users = sorted(user for user in {row[0] for row in some_rows} if Base(before).stored_user(user) is not None)
    gone, others = users[:4], set(users[4:])
    (data / FILE).write_bytes(msgspec.json.encode(ForgottenUsers({}, tuple((user, EVER) for user in gone))))

    left = open_left("mine", data, schema)
    made = make_base(spark, left, 0.8, after, schema)
    old = Base(before).manifest
    assert (made["rows"], made["history_rows"], made["users"]) == (old["rows"], old["history_rows"], len(others))
    assert not [user for user in gone if Base(after).stored_user(user) is not None]
    base, folder = (
        Base(before),
        tmp_path / "learned",
    )  # of before the wish: it is learned from without them all the same
    samples = make_samples(spark, left, base, folder / "samples", SampleSettings(negatives=2))
    lists = make_ranking_lists(spark, left, base, folder / "asks", RankingListSettings(400, 20))
    assert samples["forgotten"] == lists["forgotten"] == forgotten_of(data / "mine", schema) != ""
    for path in (folder / "samples", folder / "asks" / "asks", folder / "asks" / "sequences"):
        found = {user for file in path.glob("*.parquet") for user in pq.read_table(file)["user_id"].to_pylist()}
        assert found, path
        assert found <= others, path
    make_embeddings(spark, left, base, folder / "embeddings")
    for vectors in (folder / "embeddings").glob("*/users.ids.npy"):
        assert set(np.load(vectors).tolist()) == others, vectors
