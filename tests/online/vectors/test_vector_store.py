"""Vectors for recall: the index against brute force, new and refused versions on disk, folding in."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.arrays import BoolArray
from features.base.embedding_files import ALS, ITEM2VEC, META, VECTORS_FILE, FoldIn, gram_of, unit
from features.base.reader import Base
from features.units import DAY_MS
from online.stores.item_store import ItemStore
from online.vectors import VectorIndex, VectorStore
from online.vectors.index import NO_ROW
from online.vectors.vector_sets import ARRAY_FILE, EXACT_UP_TO, INDEX_FILE, file_size, make_set, read_set
from tests.online.synthetic_vectors import WIDTH, drawn, write_embeddings
from tests.schemas import film

SIZE = 6_000
ROWS = np.setdiff1d(np.arange(SIZE), np.arange(0, SIZE, 7))  # every seventh has no vector


def index_of(exact: bool) -> VectorIndex:
    return VectorIndex(ROWS, make_set(unit(drawn(len(ROWS), width=16)), SIZE if exact else 0))


def brute(query: Any, allowed: Any, limit: int) -> list[int]:
    scores = unit(drawn(len(ROWS), width=16)) @ query
    may = allowed[ROWS]
    return [int(row) for row in ROWS[may][np.argsort(-scores[may], kind="stable")][:limit]]


@pytest.mark.parametrize("exact", [True, False])
class TestEveryIndex:
    def test_it_finds_what_comparing_with_all_finds(self, exact: bool) -> None:
        index, everything = index_of(exact), np.ones(SIZE, bool)
        assert index.exact == exact
        hits = 0
        for query in drawn(20, 5, 16):
            rows, scores = index.search(query, 50, everything)
            assert len(rows) == len(set(rows.tolist())) == 50
            assert (np.diff(scores) <= 0).all()
            hits += len(set(rows.tolist()) & set(brute(query, everything, 50)))
        assert hits >= (1000 if exact else 850)

    def test_what_is_not_allowed_is_never_found_and_few_allowed_ones_all_are(self, exact: bool) -> None:
        index, rng = index_of(exact), np.random.default_rng(3)
        for share in (0.5, 0.01, 0.001, 0.0):
            allowed = rng.random(SIZE) < share
            query = drawn(1, 9, 16)[0]
            rows, _ = index.search(query, 300, allowed)
            assert allowed[rows].all()
            may = int(allowed[ROWS].sum())
            assert len(rows) == min(300, may)
            if may <= 300:
                assert set(rows.tolist()) == set(brute(query, allowed, 300))

    def test_items_that_come_later_get_their_vectors_in_any_row(self, exact: bool) -> None:
        vectors = unit(drawn(len(ROWS) + 2, 8, 16))
        index = VectorIndex(np.append(ROWS, [NO_ROW, NO_ROW]), make_set(vectors, SIZE if exact else 0))
        assert len(index) == len(ROWS)
        late, everything = np.array([len(ROWS), len(ROWS) + 1]), np.ones(SIZE + 5, bool)
        found, _ = index.search(vectors[late[0]], len(late) + len(ROWS), everything)
        assert set(found.tolist()) == set(ROWS.tolist())
        index.assign(late, np.array([SIZE + 4, SIZE + 1]))
        assert len(index) == len(ROWS) + 2
        known, given = index.vectors(np.array([SIZE + 1, 0, SIZE + 4, SIZE + 2, SIZE + 99]))
        assert known.tolist() == [True, False, True, False, False]
        assert given == pytest.approx(vectors[late[::-1]], abs=1e-3)
        assert index.search(vectors[late[0]], 1, everything)[0].tolist() == [SIZE + 4]
        before = everything[: SIZE + 4]  # a mask from before it came
        assert SIZE + 4 not in index.search(vectors[late[0]], 9, before)[0].tolist()

    def test_a_mapped_set_finds_and_gives_what_the_one_in_memory_does(self, exact: bool, tmp_path: Path) -> None:
        index, rng = index_of(exact), np.random.default_rng(4)
        make_set(unit(drawn(len(ROWS), width=16)), SIZE if exact else 0).write(tmp_path)
        mapped = VectorIndex(ROWS, read_set(tmp_path / (ARRAY_FILE if exact else INDEX_FILE)))
        assert (mapped.exact, mapped.width, len(mapped)) == (exact, 16, len(ROWS))
        for query in drawn(20, 5, 16):
            allowed = rng.random(SIZE) < rng.choice([0.01, 0.5, 1.0])
            assert _lists(*index.search(query, 300, allowed)) == _lists(*mapped.search(query, 300, allowed))
        assert _lists(*index.vectors(np.arange(40))) == _lists(*mapped.vectors(np.arange(40)))

    def test_the_size_of_a_file_is_known_before_it_is_made(self, exact: bool, tmp_path: Path) -> None:
        make_set(drawn(len(ROWS), width=16), SIZE if exact else 0).write(tmp_path)
        (file,) = tmp_path.iterdir()
        assert file.stat().st_size == pytest.approx(file_size(len(ROWS), 16, SIZE if exact else 0), rel=0.05)


def _lists(*arrays: Any) -> list[Any]:
    return [each.tolist() for each in arrays]


def test_folding_in_solves_the_users_half_step() -> None:
    items, liked = drawn(30, 2).astype(np.float64), [3, 7, 20]
    alpha, regularization = 10.0, 0.05
    confidence = np.ones(30)
    confidence[liked] += alpha
    wanted = np.isin(np.arange(30), liked).astype(float)
    matrix = items.T @ np.diag(confidence) @ items + regularization * len(liked) * np.eye(WIDTH)
    expected = np.linalg.solve(matrix, items.T @ (confidence * wanted))
    got = FoldIn(gram_of(items.astype(np.float32)), alpha, regularization)(items[liked].astype(np.float32))
    assert got == pytest.approx(expected, abs=1e-4)


class NoModels:
    def get(self, name: str) -> None:
        return None


def vector_store_of(folder: Path, store: ItemStore, exact_up_to: int = EXACT_UP_TO) -> VectorStore:
    models: Any = NoModels()
    return VectorStore(str(folder), folder / "models", models, store, None, exact_up_to)


def refreshed(vector_store: VectorStore) -> dict[str, int]:
    asyncio.run(vector_store.refresh())
    return {kind.name: kind.version for kind in vector_store.all()}


def test_a_new_version_is_taken_in_and_one_that_goes_is_followed_back(base: Base, tmp_path: Path) -> None:
    folder, ids = tmp_path / "embeddings", np.arange(1, 41)
    vector_store = vector_store_of(folder, ItemStore(base))
    assert refreshed(vector_store) == {}
    write_embeddings(folder / "1", ids, drawn(40))
    assert refreshed(vector_store) == {"als": 1, "item2vec": 1}
    assert vector_store.now()["als"].fold_in is not None
    write_embeddings(folder / "2.tmp", ids, drawn(40, 2), (ITEM2VEC,))
    assert refreshed(vector_store) == {"als": 1, "item2vec": 1}
    (folder / "2.tmp").rename(folder / "2")
    assert refreshed(vector_store) == {"als": 1, "item2vec": 2}
    (folder / "2").rename(tmp_path / "gone")
    assert refreshed(vector_store) == {"als": 1, "item2vec": 1}
    (folder / "1").rename(tmp_path / "gone too")
    assert refreshed(vector_store) == {"als": 1, "item2vec": 1}  # nothing good is there: what was goes on
    assert vector_store.refused == {}


def _cut(folder: Path) -> None:
    path = folder / ITEM2VEC / VECTORS_FILE
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(folder: Path) -> None:
    path = folder / ITEM2VEC / VECTORS_FILE
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(bytes(content))


def _unsaid(folder: Path) -> None:
    (folder / META).unlink()


def _narrow(folder: Path) -> None:
    meta = json.loads((folder / META).read_text())
    (folder / META).write_text(json.dumps(meta | {"width": WIDTH + 1}))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_cut, "items.npy was changed or cut: expected SHA-256"),
        (_flipped, "items.npy was changed or cut: expected SHA-256"),
        (_unsaid, "meta.json can't be read: No such file"),
        (_narrow, r"items.npy: expected the shape \[40, 7\], got \[40, 6\]"),
    ],
)
def test_a_bad_version_is_refused_with_its_reason_and_the_one_before_goes_on(
    base: Base, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    folder, ids = tmp_path / "embeddings", np.arange(1, 41)
    vector_store = vector_store_of(folder, ItemStore(base))
    write_embeddings(folder / "1", ids, drawn(40))
    refreshed(vector_store)
    write_embeddings(folder / "2", ids, drawn(40, 2), (ITEM2VEC,))
    spoil(folder / "2")
    for _ in range(2):
        assert refreshed(vector_store) == {"als": 1, "item2vec": 1}
        assert list(vector_store.refused) == [(ITEM2VEC, 2)]
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(vector_store.refused[ITEM2VEC, 2])


@pytest.mark.parametrize(
    ("ids", "vectors", "reason"),
    [
        (
            np.arange(1, 41),
            np.where(np.arange(240).reshape(40, 6) == 99, np.nan, 1),
            "the vector of item 17 is not finite",
        ),
        (np.arange(40, 0, -1), drawn(40), "expected item ids, ascending"),
        (np.arange(1, 41), drawn(40).astype(np.float64), "expected numbers of type float32, got float64"),
        (np.arange(1, 39), drawn(40), r"expected the shape \[38, 6\], got \[40, 6\]"),
    ],
)
def test_what_was_written_wrong_is_refused(base: Base, tmp_path: Path, ids: Any, vectors: Any, reason: str) -> None:
    if vectors.dtype == np.float64 and not np.isfinite(vectors).all():
        vectors = vectors.astype(np.float32)
    write_embeddings(tmp_path / "1", ids, vectors, (ALS,))
    vector_store = vector_store_of(tmp_path, ItemStore(base))
    assert refreshed(vector_store) == {}
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(vector_store.refused[ALS, 1])


def test_a_folder_that_is_whole_at_last_is_taken(base: Base, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "1", np.arange(1, 41), drawn(40), (ALS,))
    whole = (tmp_path / "1" / ALS / VECTORS_FILE).read_bytes()
    (tmp_path / "1" / ALS / VECTORS_FILE).write_bytes(whole[:99])
    vector_store = vector_store_of(tmp_path, ItemStore(base))
    assert refreshed(vector_store) == {}
    (tmp_path / "1" / ALS / VECTORS_FILE).write_bytes(whole)
    assert refreshed(vector_store) == {"als": 1}
    assert vector_store.refused == {}


def test_items_that_come_into_the_store_later_get_their_vectors(base: Base, tmp_path: Path) -> None:
    store = ItemStore(base)
    write_embeddings(tmp_path / "1", np.array([3, 4, 900]), np.eye(3, WIDTH, dtype=np.float32) + 0.1, (ITEM2VEC,))
    vector_store = vector_store_of(tmp_path, store)
    refreshed(vector_store)
    assert len(vector_store.now()[ITEM2VEC].index) == 2
    store.put_item(film(900, "New", ("Comedy",), 2020, ts=101 * DAY_MS))
    refreshed(vector_store)
    row = store.row(900)
    assert row is not None
    assert [near for near, _ in vector_store.similar(ITEM2VEC, row, 5, others(store, row))] == [
        store.row(3),
        store.row(4),
    ]


@pytest.mark.parametrize("exact_up_to", [0, EXACT_UP_TO])
def test_an_item_that_was_deleted_before_its_vector_was_added_may_come_back(
    base: Base, tmp_path: Path, exact_up_to: int
) -> None:
    store = ItemStore(base)
    write_embeddings(tmp_path / "1", np.array([*range(1, 41), 900, 901, 902]), drawn(43))
    vector_store = vector_store_of(tmp_path, store, exact_up_to)
    refreshed(vector_store)
    store.put_item(film(900, "Deleted", deleted=True))
    for item in (film(901, "Next"), film(900, "Back"), film(902, "Last")):
        store.put_item(item)
        refreshed(vector_store)
    rows = np.array([store.row(each) for each in (900, 901, 902)])
    for kind in (ALS, ITEM2VEC):
        index = vector_store.now()[kind].index
        assert index.exact == bool(exact_up_to)
        known, vectors = index.vectors(rows)
        assert known.all()
        expected = drawn(43)[40:] if kind == ALS else unit(drawn(43))[40:]
        assert vectors == pytest.approx(expected, abs=1e-2)
        allowed = np.ones(len(store), bool)
        assert {900, 901, 902} <= set(store.columns.ids[index.search(expected[0], 43, allowed)[0]].tolist())


def others(store: ItemStore, *rows: int) -> BoolArray:
    """All items but these."""
    allowed = np.ones(len(store), bool)
    allowed[list(rows)] = False
    return allowed


def test_what_is_similar_is_told_by_cosine_without_the_item_itself(base: Base, tmp_path: Path) -> None:
    store = ItemStore(base)
    vectors = np.zeros((40, WIDTH), np.float32)
    vectors[:4, 0], vectors[:4, 1] = (1, 9, 1, 0.1), (0, 9, 0.1, 0)
    write_embeddings(tmp_path / "1", np.arange(1, 41), vectors, (ALS,))
    vector_store = vector_store_of(tmp_path, store)
    refreshed(vector_store)
    assert vector_store.kinds() == ["als"]
    near = vector_store.similar(ALS, 0, 3, others(store, 0))
    assert [row for row, _ in near] == [3, 2, 1]
    assert [weight for _, weight in near] == pytest.approx([1, 0.995, 0.707], abs=1e-3)
    assert vector_store.similar(ALS, 0, 2, others(store, 0, 3, 2))[0][0] == 1
    with pytest.raises(KeyError):
        vector_store.similar(ITEM2VEC, 0, 3, others(store, 0))


def test_an_evaluation_recalls_as_the_api_does(base: Base, tmp_path: Path) -> None:
    from features.fold.user import thaw_user
    from features.inputs.columns import ClickWeights
    from features.inputs.moment import Moment
    from offline.evaluation.recall_coverage import vector_channels
    from online.query import Query
    from online.recall import VECTOR_CHANNELS

    write_embeddings(tmp_path / "1", np.arange(1, 36), drawn(35))
    store = ItemStore(base)
    vector_store = vector_store_of(tmp_path, store)
    refreshed(vector_store)
    stored = base.stored_user(7)
    assert stored is not None
    allowed = np.arange(len(store)) % 3 > 0
    moment = Moment(thaw_user(stored).features, 101 * DAY_MS, store.index, ClickWeights(), allowed)
    online = {
        each.name: each.recall(Query(moment, vectors=vector_store.now()), 300).tolist() for each in VECTOR_CHANNELS
    }
    channels = vector_channels(tmp_path / "1", tmp_path, base)
    offline = {name: channel(moment).tolist() for name, channel in channels.items()}
    assert offline == {"als": online["als"], "item2vec": online["item2vec"]}
    assert len(online["als"]) == 23


def test_what_is_taken_before_a_row_is_counted_as_candidates_are_taken() -> None:
    from features.inputs.signals import candidates
    from offline.evaluation.recall_coverage import NEVER, candidates_before, interleaved_ranks

    rng = np.random.default_rng(4)
    orders = [rng.permutation(60)[:20] for _ in range(4)]
    turns = interleaved_ranks(orders, 60)
    rows, _ = candidates({str(at): order for at, order in enumerate(orders)}, 60)
    assert [candidates_before(turns, row) for row in rows.tolist()] == list(range(len(rows)))
    assert all(candidates_before(turns, row) == NEVER for row in set(range(60)) - set(rows.tolist()))
