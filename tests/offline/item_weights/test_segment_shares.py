"""What segments like more than all do, of a history."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.base.reader import read_segments
from features.recall.sparse import ROW
from features.types import RATING, Event
from offline.base.log_dataset import happened
from offline.datasets.dataset import Dataset, keep_dataset, open_dataset
from offline.datasets.user_profiles import PROFILES, forget_profiles, write_profiles
from offline.item_weights.segment_shares import (
    MAX_ITEMS,
    MIN_USERS,
    SEEN,
    liked,
    segments,
    under_context,
    write_segments,
)
from tests.offline.conftest import Row
from tests.schemas import MOVIES, peopled

PAIRS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 6)), max_size=60)


@given(PAIRS, st.sets(st.integers(1, 14)))
def test_a_weight_is_how_much_larger_the_items_share_is(pairs: list[tuple[int, int]], members: set[int]) -> None:
    users, items = (np.array([pair[at] for pair in pairs], np.int64) for at in range(2))
    found = segments({"some": sorted(members), "few": [1, 2]}, liked(users, items))
    assert "few" not in found
    once = set(pairs)
    own = [item for user, item in once if user in members]
    if len({user for user, _ in once} & members) < MIN_USERS:
        assert not found
        return
    expected = {
        item: (own.count(item) - len(own) * share) / (len(own) + SEEN)
        for item, share in ((each, Fraction(sum(each == item for _, item in once), len(once))) for _, each in once)
        if own.count(item) > len(own) * share
    }
    ids, weights = found["some"]
    assert weights.tolist() == sorted(weights.tolist(), reverse=True)
    assert dict(zip(ids.tolist(), weights.tolist(), strict=True)) == pytest.approx(
        {item: float(weight) for item, weight in expected.items()}
    )


def test_of_more_segments_those_of_the_most_users_are_there() -> None:
    users = np.arange(40)
    pairs = liked(users, users % 7)
    members = {"b": [*range(5)], "a": [*range(5)], "large": [*range(20)], "few": [*range(4)]}
    assert list(segments(members, pairs, limit=2)) == ["large", "a"]


def test_of_more_items_the_best_are_there() -> None:
    users = np.repeat(np.arange(10), 2 * MAX_ITEMS)
    items = np.where(users < 5, np.arange(len(users)) % (2 * MAX_ITEMS), 0)
    ids, weights = segments({"first": [*range(5)]}, liked(users, items))["first"]
    assert ids.tolist() == list(range(1, MAX_ITEMS + 1))
    assert (weights > 0).all()


def test_what_users_with_the_same_attributes_like_is_in_a_folder(
    tmp_path: Path, write_folder: Callable[..., Path]
) -> None:
    """Those of the gold plan like film 1, the others film 2; the newest row is beyond the history, and who is forgotten is in no
    segment."""
    rows: list[Row] = [
        (user, 1 + user % 2 if liked else 3, 5.0 if liked else 1.0, 900_000_000 + 20 * user + liked)
        for user in range(1, 41)
        for liked in (False, True)
    ]
    rows.append((41, 6, 5.0, 900_002_000))
    schema = peopled("movies")
    dataset = open_dataset(str(write_folder(rows)), tmp_path / "data", schema)
    plans = {user: "free" if user % 2 else "gold" for user in range(1, 60)}
    write_profiles(((user, f'{{"plan":"{plan}"}}') for user, plan in plans.items()), dataset.ratings.parent / PROFILES)

    def known(name: str, number: int) -> list[int]:
        out = tmp_path / f"{name} {number}"
        write_segments(dataset, dataset.rows - 1, schema, out)
        ids = np.arange(10)
        return sorted(int(key & ROW) for key in read_segments(out, ids).spread([name], np.ones(10, bool)))

    assert (known("plan:gold", 1), known("plan:free", 1)) == ([1], [2])
    forget_profiles(dataset, schema, {*range(12, 60)})
    assert known("plan:gold", 2) == [1]
    forget_profiles(dataset, schema, {*range(10, 12)})
    assert known("plan:gold", 3) == []
    assert write_segments(dataset, dataset.rows, MOVIES, tmp_path / "none") == 0
    assert len(read_segments(tmp_path / "none", np.arange(10))) == 0


def test_what_is_liked_under_a_context_is_in_a_folder(tmp_path: Path) -> None:
    """Five users like 1 on a phone, twice, and 2 on a tv; the tablet of four says nothing; nor does what nobody liked, or what
    comes after the history."""
    schema = peopled("movies")
    phone, tv, tablet = (f'{{"device":"{name}","logged_in":true}}' for name in ("phone", "tv", "tablet"))
    acts = [(user, item, 500, said) for user in range(1, 6) for item, said in ((1, phone), (2, tv), (1, phone))]
    acts += [(user, 3, 500, tablet) for user in range(1, 5)]
    acts += [(user, 4, 100, phone) for user in range(1, 6)]
    acts += [(user, 5, 500, phone) for user in range(1, 6)]
    events = [
        Event(f"e{at}", RATING, user, item, centi, "", 900_000_000_000 + 1000 * at, context=said)
        for at, (user, item, centi, said) in enumerate(acts)
    ]
    keep_dataset("acts", tmp_path, happened(events, schema), [], {})
    dataset = open_dataset(str(tmp_path / "acts"), tmp_path, schema)
    assert write_segments(dataset, dataset.rows - 5, schema, tmp_path / "out") == 3
    ids = np.arange(10)
    found = read_segments(tmp_path / "out", ids)

    def liked_under(name: str) -> list[int]:
        return [int(key & ROW) for key in found.spread([f"context.{name}"], np.ones(10, bool))]

    assert (liked_under("device:phone"), liked_under("device:tv")) == ([1], [2])
    assert liked_under("device:tablet") == liked_under("logged_in:true") == []


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.booleans(), st.booleans()), max_size=60
    )
)
def test_a_context_counts_each_user_and_item_once(rows: list[tuple[int, int, int, bool, bool]]) -> None:
    """By the definition: of the rows that are liked, the different pairs, and their users."""
    schema = peopled("movies")
    said = [
        "" if not device else f'{{"device":"d{device}"' + (',"logged_in":true}' if flag else "}")
        for *_, device, flag, _ in rows
    ]
    expected: dict[str, set[tuple[int, int]]] = {}
    for user, item, device, flag, positive in rows:
        for name in ([f"context.device:d{device}"] + ["context.logged_in:true"] * flag) if device and positive else ():
            expected.setdefault(name, set()).add((user, item))
    users, items = (np.array([row[at] for row in rows], np.int64) for at in (0, 1))
    liking = np.array([row[4] for row in rows], bool)
    with TemporaryDirectory() as folder:
        pq.write_table(pa.table({"context": pa.array(said, pa.string())}), Path(folder) / "rows.parquet")
        dataset = Dataset("acts", Path(folder) / "rows.parquet", [], len(rows), 0, 0)
        found = under_context(dataset, liking, users, items, np.arange(4), schema)
    assert {name: (each.users, sorted(each.items.tolist())) for name, each in found.items() if each.users} == {
        name: (len({user for user, _ in pairs}), sorted(item for _, item in pairs)) for name, pairs in expected.items()
    }
