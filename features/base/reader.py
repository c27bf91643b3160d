"""A base: an immutable, versioned set of states that the stream starts from, and how to read one.

    <bases>/<number>/manifest.json     what it was made of, digests, the catalogue's digest, the cut
                     users.table       user id → StoredUser (features, remembered events, items seen)
                     items.table       item id → ItemFeatures
                     pairs.table       item id → Pairs (co-visits)
                     catalogue.table   item id → Item
                     relations/        weights between items, a folder for each kind (`features.base.item_weights`), the
                                       history's sessions (`features.base.past_sessions`), how soon items are taken again
                                       (`features.base.repeat_lifts`), and what segments of users like
                                       (`features.base.segments`)
                     features/         the same features as Parquet columns, for people and training

The tables are mapped, not read: the job, the API and `verify` open the same files (the API alone reads the weights between
items). This is the only contact of `features` with a file system, and it only reads.
"""

import json
import mmap
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from features.arrays import IntArray
from features.base.mapped_table import MappedTable
from features.contracts.admission import Admission
from features.errors import BadInput, Broken
from features.fold.catalogue import CatalogueVersions, as_folded
from features.fold.co_visits import Pairs
from features.fold.state import ItemFeatures, StoredUser, decode_item, decode_stored_user
from features.ids import OuterId
from features.keys import DEFAULT_PARTITIONS, EVENTS, SERVED, partition_of
from features.schema.document import FILE
from features.schema.tables import Schema, read_schema
from features.types import Item

if TYPE_CHECKING:
    from features.base.item_weights import Relations
    from features.base.past_sessions import PastSessions
    from features.base.repeat_lifts import Repeats
    from features.base.segments import Segments

USERS: Final = "users.table"
ITEMS: Final = "items.table"
CATALOGUE: Final = "catalogue.table"
PAIRS: Final = "pairs.table"
RELATIONS: Final = "relations"
EASE, SIMILAR = "ease", "similar"
"""The kinds of weights between items: a linear model's, and which are liked one after another."""
SESSIONS: Final = "sessions"
REPEATS: Final = "repeats"
SEGMENTS: Final = "segments"
MANIFEST: Final = "manifest.json"

Offsets = dict[str, dict[int, int]]
"""Topic → partition → the next offset to read."""

_encoder = msgspec.msgpack.Encoder()
_item_decoder = msgspec.msgpack.Decoder(Item)


def encode_catalogue_item(item: Item) -> bytes:
    return _encoder.encode(item)


def _decode_item(value: bytes) -> Item:
    """An item that shares the names of its tastes with all others: there are few, and many items have each."""
    item = _item_decoder.decode(value)
    return msgspec.structs.replace(item, tastes=tuple(map(intern, item.tastes)))


# All compute by Numba, which takes half a second to import: many read a base without them.
def read_relations(folder: Path, rows: IntArray) -> "Relations":
    """Raises Broken where the folder does not hold them."""
    from features.base.item_weights import ARRAYS, Relations

    return Relations(rows, *_read_arrays(folder, ARRAYS))


def read_past_sessions(folder: Path, rows: IntArray) -> "PastSessions":
    """Of a base from before there were sessions, which has no such folder, no session. Raises Broken where it is not whole."""
    from features.base.past_sessions import SESSION_ARRAYS, PastSessions

    return PastSessions(rows, *_read_arrays(folder, SESSION_ARRAYS)) if folder.exists() else PastSessions.none()


def read_repeats(folder: Path, rows: IntArray) -> "Repeats":
    """Of a base from before there were repeats, which has no such folder, none. Raises Broken where it is not whole."""
    from features.base.repeat_lifts import REPEAT_ARRAYS, Repeats

    return Repeats(rows, *_read_arrays(folder, REPEAT_ARRAYS)) if folder.exists() else Repeats.none()


def read_segments(folder: Path, rows: IntArray) -> "Segments":
    """Of a base from before there were segments, which has no such folder, none. Raises Broken where it is not whole."""
    from features.base.segments import SEGMENT_ARRAYS, Segments

    return Segments(rows, *_read_arrays(folder, SEGMENT_ARRAYS)) if folder.exists() else Segments.none()


def _read_arrays(folder: Path, kinds: Mapping[str, Any]) -> list[Any]:
    arrays: list[Any] = []
    for name, kind in kinds.items():
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise Broken(f"{path} can't be read: {error}") from error
        if array.dtype != kind or array.ndim != 1:
            raise Broken(f"{path}: expected {np.dtype(kind)} in one dimension, got {array.dtype} in {array.ndim}")
        arrays.append(array)
    return arrays


class Base:
    """One base, opened for reading. Raises Broken if it is not there or not whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise Broken(f"{folder} is not a base: {error}") from error
        self._users = self._map(USERS)
        self._items = self._map(ITEMS)
        self._pairs = self._map(PAIRS)
        self._catalogue = self._map(CATALOGUE)

    @cached_property
    def schema(self) -> Schema:
        """What the events mean that are folded into this base, and those to come. Raises Broken where its file is not whole."""
        path = self.folder / FILE
        try:
            return read_schema(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError, BadInput) as error:
            raise Broken(f"{path} can't be read: {error}") from error

    def _map(self, name: str) -> MappedTable:
        path = self.folder / name
        try:
            with path.open("rb") as file:
                return MappedTable(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), str(path))
        except (OSError, ValueError) as error:
            raise Broken(f"{path} can't be mapped: {error}") from error

    @property
    def cut(self) -> int:
        """Time of the newest event in the base, ms; 0 if it holds none."""
        return int(self.manifest["cut"])

    def offset_of(self, user: OuterId) -> int:
        """The next offset that is not in the base, of the partition of `events` of the user with this id outside: 0 for a base
        of a data set, and for a forgotten user whose id is known by its hash alone."""
        return 0 if isinstance(user, int) and user < 0 else self.offsets[EVENTS][partition_of(user, self.partitions)]

    @property
    def clock_start(self) -> int:
        """The start of the home's clock, ms: the cut, or the data set's first event where nothing is history. A base made
        from the log keeps the start of the base it goes on from, as time goes on."""
        return int(self.manifest.get("clock_start", self.cut or self.manifest.get("first_ts", 0)))

    @property
    def data_base(self) -> int:
        """Number of the base made of the data set that this one goes back to; its own if it is that one."""
        return int(self.manifest.get("data_base", self.manifest["number"]))

    @property
    def root(self) -> int:
        """Number of the base, made of files or of nothing, that this one goes back to: the whole log lies behind it."""
        return int(self.manifest.get("root", self.data_base))

    @property
    def partitions(self) -> int:
        """Of each topic of users, in the home that the base was made for."""
        return int(self.manifest.get("partitions", DEFAULT_PARTITIONS))

    @cached_property
    def admission(self) -> Admission:
        """The rule by which records of the home's log are taken."""
        return Admission(self.schema, self.partitions)

    @cached_property
    def offsets(self) -> Offsets:
        """The next offset that is not in the base, for each partition of `events` and `served`; 0 where none of it is."""
        recorded = self.manifest.get("offsets", {})
        return {
            topic: {number: int(recorded.get(topic, {}).get(str(number), 0)) for number in range(self.partitions)}
            for topic in (EVENTS, SERVED)
        }

    @cached_property
    def catalogue_versions(self) -> dict[int, int]:
        """The catalogue's version that holds at the base's end, for each partition (`features.fold.catalogue`)."""
        recorded = self.manifest.get("catalogue_versions", {})
        return {number: int(recorded.get(str(number), 0)) for number in range(self.partitions)}

    def versions(self) -> CatalogueVersions:
        """The catalogue by version as the fold reads it (`as_folded`), from the base's items on: they are as of the smallest
        version of a partition."""
        items = {item.item_id: as_folded(item) for item in self.catalogue_items()}
        return CatalogueVersions(items, self.catalogue_start)

    @property
    def catalogue_start(self) -> int:
        """The version of the base's items."""
        return min(self.catalogue_versions.values())

    def root_base(self) -> "Base":
        """The base that `root` numbers. Raises Broken if it is not there or not whole."""
        return self if self.root == self.manifest["number"] else Base(self.folder.parent / str(self.root))

    @cached_property
    def horizon(self) -> int:
        """Time of the newest event of the whole data set at the root, ms: a replay may go there, whatever was learned since."""
        return int(self.root_base().manifest.get("last_ts", 0))

    def user(self, user_id: int) -> StoredUser | None:
        value = self._users.get(user_id)
        return None if value is None else decode_stored_user(value)

    def users(self) -> Iterator[tuple[int, StoredUser]]:
        return ((user_id, decode_stored_user(value)) for user_id, value in self._users.items())

    def user_count(self) -> int:
        return len(self._users)

    @property
    def user_ids(self) -> memoryview:
        """Ids ascending, as signed 64-bit numbers; so are the two below."""
        return self._users.ids

    @property
    def item_ids(self) -> memoryview:
        return self._items.ids

    @property
    def pair_ids(self) -> memoryview:
        """The items that have pairs."""
        return self._pairs.ids

    def stored_user(self, user_id: int) -> bytes | None:
        """The user's bytes as stored, for `features.fold.user.thaw_user`."""
        return self._users.get(user_id)

    def item_features(self, item_id: int) -> ItemFeatures | None:
        value = self.stored_item(item_id)
        return None if value is None else decode_item(value)

    def stored_item(self, item_id: int) -> bytes | None:
        """The item's features as they are stored; None if the base has none."""
        return self._items.get(item_id)

    def all_item_features(self) -> Iterator[tuple[int, bytes]]:
        return self._items.items()

    def pairs(self, item_id: int) -> Pairs:
        """The item's pairs; empty ones if the base has none."""
        value = self.stored_pairs(item_id)
        return Pairs(item_id) if value is None else Pairs.decode(item_id, value)

    def stored_pairs(self, item_id: int) -> bytes | None:
        """The item's pairs as they are stored; None if the base has none."""
        return self._pairs.get(item_id)

    def all_pairs(self) -> Iterator[tuple[int, Pairs]]:
        return ((item_id, Pairs.decode(item_id, value)) for item_id, value in self._pairs.items())

    def catalogue_item(self, item_id: int) -> Item | None:
        """One item of the catalogue, decoded now."""
        value = self._catalogue.get(item_id)
        return None if value is None else _item_decoder.decode(value)

    def catalogue_items(self) -> Iterator[Item]:
        """All items of the catalogue, ascending by id, each decoded when it is its turn."""
        return (_item_decoder.decode(value) for _, value in self._catalogue.items())

    @cached_property
    def catalogue(self) -> dict[int, Item]:
        """All items by id, decoded once (a catalogue fits in memory; users and features need not)."""
        return {item_id: _decode_item(value) for item_id, value in self._catalogue.items()}

    def relations(self, kind: str, rows: IntArray) -> "Relations":
        """The weights of a kind, between items in these rows (ids [N])."""
        return read_relations(self.folder / RELATIONS / kind, rows)

    def past_sessions(self, rows: IntArray) -> "PastSessions":
        """The history's sessions, of items in these rows (ids [N])."""
        return read_past_sessions(self._relations_of(SESSIONS), rows)

    def repeats(self, rows: IntArray) -> "Repeats":
        """How soon items in these rows (ids [N]) are taken again."""
        return read_repeats(self._relations_of(REPEATS), rows)

    def segments(self, rows: IntArray) -> "Segments":
        """What segments of users like among the items in these rows (ids [N])."""
        return read_segments(self._relations_of(SEGMENTS), rows)

    def _relations_of(self, kind: str) -> Path:
        """The folder of a kind that bases of before lack. Raises Broken where this one had it, and it is gone."""
        folder, prefix = self.folder / RELATIONS / kind, f"{RELATIONS}/{kind}/"
        if not folder.exists() and any(path.startswith(prefix) for path in self.manifest.get("sha256", {})):
            raise Broken(f"{folder} is gone")
        return folder
