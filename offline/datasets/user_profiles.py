"""The attributes of a data set's users, as a file beside its history: `users.parquet`, user (id outside), attributes (JSON)."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
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
KNOWN_UNTIL: Final = "known_until"
"""In taken.json: the home's time (ms) at which what users have was known of the log; those of files were known before all."""
_ROWS: Final = pa.schema([pa.field("user", pa.string(), False), pa.field("attributes", pa.string(), False)])
AT_ONCE: Final = 65_536
"""Users that memory holds as objects, at most."""
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class Profile(NamedTuple):
    """What is known of a user. user: the id outside, "" for a number; attributes: canonical JSON."""

    user: str
    attributes: str


def write_profiles(profiles: Iterable[tuple[OuterId, str]], path: Path) -> None:
    """Write the attributes of users, (id outside, attributes as JSON) each; no file where there are none."""
    source = iter(profiles)
    if not (some := list(islice(source, AT_ONCE))):
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, _ROWS, compression="zstd") as writer:
        while some:
            columns = [[str(user) for user, _ in some], [attributes for _, attributes in some]]
            writer.write_batch(
                pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in columns], schema=_ROWS)
            )
            some = list(islice(source, AT_ONCE))


def read_profiles(
    dataset: "Dataset", schema: Schema, report: Callable[[str], None] = lambda _: None
) -> dict[UserId, Profile]:
    """The users who have attributes that the schema takes. report: what is left out, as another schema took it, in words."""
    path = dataset.ratings.parent / PROFILES
    if not schema.users or not path.exists():
        return {}
    found: dict[UserId, Profile] = {}
    unfit: Counter[str] = Counter()
    for user, attributes in _rows(path):
        user_id = schema.ids.inside(user)
        has = _decoder.decode(attributes)
        fitting = schema.users.fitting(has)
        unfit.update(name for name in has if name in schema.users.declared and name not in fitting)
        if fitting:
            found[user_id] = Profile(user if user_id < 0 else "", _encoder.encode(fitting).decode())
    for name, count in unfit.items():
        report(f"{dataset.name}: {count:,} users have a {name} that is none by this schema, and do without")
    return found


def forget_profiles(dataset: "Dataset", schema: Schema, users: Collection[UserId]) -> None:
    """Delete the attributes of users for good."""
    path = dataset.ratings.parent / PROFILES
    if not users or not path.exists():
        return
    left = [(user, attributes) for user, attributes in _rows(path) if schema.ids.inside(user) not in users]
    if len(left) < pq.read_metadata(path).num_rows:
        write_profiles(left, path)


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=AT_ONCE):
            yield from zip(batch["user"].to_pylist(), batch["attributes"].to_pylist(), strict=True)
