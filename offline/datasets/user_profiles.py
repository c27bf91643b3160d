"""The attributes of a data set's users, as a file beside its history: `users.parquet`, user (id outside), attributes (JSON)."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from features.durable import atomic_file
from features.ids import OuterId
from features.schema.tables import Schema
from features.types import UserId

if TYPE_CHECKING:
    from offline.datasets.dataset import Dataset

PROFILES: Final = "users.parquet"
_ROWS: Final = pa.schema([pa.field("user", pa.string(), False), pa.field("attributes", pa.string(), False)])
AT_ONCE: Final = 65_536
"""Users that memory holds as objects, at most."""
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class Profile(NamedTuple):
    """What is known of a user. user: the id outside, "" for a number; attributes: canonical JSON."""

    user: str
    attributes: str


def write_profiles(profiles: Iterable[tuple[OuterId, str]], path: Path) -> None:
    """Write the attributes of users, (id outside, attributes as JSON) each; no file where there are none."""
    path.unlink(missing_ok=True)
    source = iter(profiles)
    if not (some := list(islice(source, AT_ONCE))):
        return
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, _ROWS, compression="zstd") as writer:
        while some:
            columns = [[str(user) for user, _ in some], [attributes for _, attributes in some]]
            writer.write_batch(
                pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in columns], schema=_ROWS)
            )
            some = list(islice(source, AT_ONCE))


def read_profiles(dataset: "Dataset", schema: Schema) -> dict[UserId, Profile]:
    """The users who have attributes that the schema takes; without those who wanted to be forgotten."""
    path = dataset.ratings.parent / PROFILES
    if not schema.users or not path.exists():
        return {}
    found: dict[UserId, Profile] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=AT_ONCE):
            for user, attributes in zip(batch["user"].to_pylist(), batch["attributes"].to_pylist(), strict=True):
                user_id = schema.ids.inside(user)
                fitting = schema.users.fitting(_decoder.decode(attributes))
                if fitting and user_id not in dataset.forgotten:
                    outer = user if user_id < 0 else ""
                    found[user_id] = Profile(outer, schema.users.canonical(fitting, "attributes"))
    return found
