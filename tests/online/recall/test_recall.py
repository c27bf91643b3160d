"""The contract of every recall channel, and their merge."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.arrays import IntArray
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.reader import Base
from features.base.repeat_lifts import SPANS, Repeats
from features.base.segments import Segments
from features.contracts.served import MAX_CANDIDATES
from features.fold.co_visits import Neighbours
from features.fold.state import UserFeatures
from features.fold.user import thaw_user
from features.inputs.columns import ClickWeights, tastes
from features.inputs.moment import Moment
from features.inputs.released import released
from features.inputs.signals import candidates
from features.schema.tables import preset_schema
from features.types import CLICK, DISLIKE, Item, Value
from features.units import DAY_MS, SESSION_GAP_MS
from infra.system.repository import REPO
from online.query import Query
from online.ranking.policy import MAX_RULED
from online.recall import CHANNELS, CORE_CHANNELS, PINNED, VECTOR_CHANNELS, ChannelRunner, GivenRecall, Recall, merge
from online.stores.first_puts import NEW_FOR_MS
from online.stores.item_store import ItemStore
from tests.online.conftest import write_base
from tests.online.synthetic_vectors import WIDTH, kinds_of
from tests.schemas import MOVIES, added, film, peopled

AT = 101 * DAY_MS
CHANNEL = {channel.name: channel for channel in CHANNELS}


def query_for(store: ItemStore, features: UserFeatures, hidden: list[int] | None = None) -> Query:
    allowed = np.ones(len(store), bool)
    allowed[store.rows(hidden or [])] = False
    query = Query(Moment(features, AT, store.index, ClickWeights(), allowed), vectors=kinds_of(store))
    query.user_vector = np.ones(WIDTH, np.float32)
    return query


def known_user(base: Base) -> UserFeatures:
    stored = base.stored_user(7)
    assert stored is not None
    return thaw_user(stored).features


NEW = (901, 902, 903, 904)


def telling_query(base: Base, hidden: Sequence[int] = ()) -> Query:
    """A query for which every channel finds more than a few items."""
    store = ItemStore(base)
    for number, item_id in enumerate(NEW):
        store.put_item(film(item_id, f"New {number}", ("Comedy",), 2020, ts=AT - 1 - number))
    near = [(10 + other, 9 - other) for other in range(8)]
    store.put_neighbours(Neighbours(3, 1, AT, near))
    rows = store.columns.ids[: len(store)].copy()
    weights = Relations(
        rows,
        np.array([1, 3]),
        np.array([0, 8, 16]),
        np.array([*range(20, 28), *range(10, 18)]),
        np.linspace(1, 0.1, 16).astype(np.float32),
    )
    sessions = PastSessions(
        rows, np.array([3, *range(20, 28)]), np.array([AT - DAY_MS]), np.array([0, 9]), np.arange(9)
    )
    taken = np.arange(20, 28)
    repeats = Repeats(rows, taken, np.linspace(2, 9, len(taken) * SPANS).astype(np.float32))
    segments = Segments(
        rows,
        np.frombuffer(b'["plan:gold"]', np.uint8),
        np.array([0, 8]),
        np.arange(10, 18),
        np.linspace(1, 0.1, 8, dtype=np.float32),
    )
    index = dataclasses.replace(
        store.index,
        ease=weights,
        similar=weights,
        sessions=sessions,
        repeats=repeats,
        segments=segments,
        schema=peopled("movies"),
    )
    user = msgspec.structs.replace(known_user(base), attributes='{"plan":"gold"}')
    clicks = [(item_id, AT - SESSION_GAP_MS // 2, CLICK, 0) for item_id in (33, 32, 31, 30, 3)]
    user = msgspec.structs.replace(user, recent=[*user.recent, *clicks])
    allowed = np.ones(len(store), bool)
    allowed[store.rows(list(hidden))] = False
    free = released(dict.fromkeys(taken.tolist(), AT - DAY_MS), AT, index.row_of)
    moment = Moment(user, AT, index, ClickWeights(), allowed, released=free)
    query = Query(moment, store.first_puts.newest(AT), kinds_of(store))
    query.user_vector = np.ones(WIDTH, np.float32)
    return query


def ids(store: ItemStore, rows: IntArray) -> list[int]:
    """Items of the base by id; new ones, which this store does not have, by their position after them."""
    known = store.columns.ids[: len(store)].tolist()
    return [known[row] if row < len(known) else NEW[row - len(known)] for row in rows.tolist()]


def test_pages_and_docs_have_words_for_each_channel() -> None:
    words = (REPO / "online" / "pages" / "channels.js").read_text().partition("KNOWN = {")[2].partition("};")[0]
    rows = (REPO / "docs" / "serving.md").read_text().partition("| channel | gives |")[2].partition("\n\n")[0]
    first_cells = "".join(line.split("|")[1] for line in rows.splitlines()[1:])
    assert set(re.findall(r"^  (\w+): \[", words, re.MULTILINE)) == set(CHANNEL)
    assert set(re.findall(r"`(\w+)`", first_cells)) == set(CHANNEL)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
class TestEveryChannel:
    def test_it_gives_allowed_rows_once_and_no_more_than_asked(self, channel: Recall, base: Base) -> None:
        store = ItemStore(base)
        hidden = [1, 3, 40, 39, 5]
        for features in (known_user(base), UserFeatures(99)):
            rows = channel.recall(query_for(store, features, hidden), 8)
            assert rows.dtype == np.int64
            assert len(rows) <= 8
            assert len(set(rows.tolist())) == len(rows)
            assert not set(store.columns.ids[rows].tolist()) & set(hidden)

    def test_asked_for_much_it_finds_some_and_what_is_hidden_is_not_among_them(
        self, channel: Recall, base: Base
    ) -> None:
        found = ids(ItemStore(base), channel.recall(telling_query(base), 30))
        assert len(found) >= 3
        hidden = found[::2]
        rest = ids(ItemStore(base), channel.recall(telling_query(base, hidden), 30))
        assert rest
        assert not set(rest) & set(hidden)
        assert len(rest) == len(set(rest))

    def test_asked_for_less_it_gives_the_best_of_what_it_gave(self, channel: Recall, base: Base) -> None:
        whole = channel.recall(telling_query(base), 30).tolist()
        for limit in (1, 2, len(whole) - 1):
            assert channel.recall(telling_query(base), limit).tolist() == whole[:limit]

    def test_it_is_deterministic(self, channel: Recall, base: Base) -> None:
        answers = [channel.recall(telling_query(base), 10).tolist() for _ in range(2)]
        assert answers[0] == answers[1]

    def test_with_nothing_allowed_it_gives_nothing(self, channel: Recall, base: Base) -> None:
        store = ItemStore(base)
        everything = [*store.columns.ids.tolist(), *NEW]
        assert channel.recall(telling_query(base, everything), 10).tolist() == []


def test_new_items_come_first_where_their_genres_are_liked(base: Base) -> None:
    store = ItemStore(base)
    user = known_user(base)
    found = tastes(user, AT, ClickWeights(), MOVIES)
    liked, other = found.names[int(found.values.sum(axis=0).argmax())], "War"
    assert other not in found.names
    for number, genre in enumerate((liked, other, other)):
        store.put_item(film(900 + number, "New", (genre,), 2020, ts=AT - 3 + number))
    store.put_item(film(1, "Changed", (other,), 1999, ts=AT))
    query = Query(query_for(store, user, [902]).moment, store.first_puts.newest(AT))
    assert ids(store, CHANNEL["new"].recall(query, 10)) == [900, 901]
    assert ids(store, store.first_puts.newest(AT)) == [902, 901, 900]
    assert store.first_puts.newest(AT + NEW_FOR_MS + 5).tolist() == []
    assert store.title_of(1) == "Changed"


@pytest.mark.parametrize("channel", VECTOR_CHANNELS, ids=lambda channel: channel.name)
class TestEveryChannelByVectors:
    def test_it_is_silent_without_its_vectors(self, channel: Recall, base: Base) -> None:
        query = Query(query_for(ItemStore(base), known_user(base)).moment)
        assert channel.recall(query, 10).tolist() == []

    def test_it_says_what_it_found_and_how_strongly(self, channel: Recall, base: Base) -> None:
        query = query_for(ItemStore(base), known_user(base))
        rows = channel.recall(query, 10)
        assert len(rows) == 10
        found, strengths = query.found[channel.name]
        assert found.tolist() == rows.tolist()
        assert (np.diff(strengths) <= 0).all()

    def test_a_user_without_positive_items_is_asked_of_the_tower_alone(self, channel: Recall, base: Base) -> None:
        rows = channel.recall(query_for(ItemStore(base), UserFeatures(99)), 10)
        assert len(rows) == (10 if channel.name == "twotower" else 0)


def test_what_was_just_liked_moves_every_channel_by_the_users_items(base: Base) -> None:
    store = ItemStore(base)
    user = known_user(base)
    before = query_for(store, user)
    after = query_for(store, msgspec.structs.replace(user, sequence=[*user.sequence, (20, AT)]))
    for name in ("als", "item2vec", "deepwalk"):
        assert CHANNEL[name].recall(before, 10).tolist() != CHANNEL[name].recall(after, 10).tolist()


def test_without_the_users_vector_the_tower_fails_and_is_named(base: Base) -> None:
    query = query_for(ItemStore(base), known_user(base))
    query.user_vector = None
    assert merge(CHANNELS, query, 20).failed == ("twotower",)


def test_when_the_time_is_over_the_rest_is_skipped_and_named_but_no_list_is_empty(base: Base) -> None:
    query = query_for(ItemStore(base), UserFeatures(99))
    ticks = itertools.count()
    runner = ChannelRunner(
        query, 20, {}, seconds=0.5, clock=lambda: float(next(ticks)), wall=lambda: float(next(ticks))
    )
    runner.run(CORE_CHANNELS)
    found = runner.merged()
    assert len(found.rows) == 20
    assert found.names == tuple(channel.name for channel in CORE_CHANNELS)
    assert found.failed == ()
    assert found.left_out == found.names[4:]  # the first that has something to say to a newcomer is popular_day


def test_a_process_that_stands_still_leaves_no_channel_out(base: Base) -> None:
    """Time passes at each look at the wall's clock, none of the processor's."""
    query = query_for(ItemStore(base), UserFeatures(99))
    ticks = itertools.count()
    runner = ChannelRunner(query, 20, {}, seconds=0.5, clock=lambda: 7.0, wall=lambda: float(next(ticks)))
    runner.run(CORE_CHANNELS)
    assert runner.merged().left_out == ()


def test_each_channel_does_what_its_name_says(base: Base) -> None:
    store = ItemStore(base)
    query = query_for(store, known_user(base))
    found = {channel.name: ids(store, channel.recall(query, 5)) for channel in CORE_CHANNELS}
    assert found["popular"] == [40, 39, 38, 37, 36]
    assert found["genre"] == [39, 37, 35, 33, 31]  # the user has liked comedies only
    assert found["similar"] == found["ease"] == [6, 5, 3]  # 6 is near both films that were liked
    assert found["together"] == []
    assert found["newest"] == [40, 39, 38, 37, 36]
    assert found["trending"] == [40, 39, 38, 37, 36]  # all that is known of any film happened yesterday
    assert found["era"] == [9, 8, 7, 6, 5]  # films 1 and 3 are of the eighties
    assert found["session"] == []  # it was yesterday
    near = Neighbours(3, 1, AT, [(9, 3), (10, 1), (12345, 1)])
    store.put_neighbours(near)
    assert ids(store, CHANNEL["together"].recall(query_for(store, known_user(base)), 5)) == [9, 10]


@pytest.mark.parametrize(("preset", "newest"), [("news", [104, 103, 101]), ("shop", [104, 102, 103, 101])])
def test_what_came_out_last_is_found_where_items_have_no_years(tmp_path: Path, preset: str, newest: list[int]) -> None:
    """By the first time that the schema declares, an item without one by when it was first put; nothing that is still to come."""
    store = ItemStore(write_base(tmp_path / "1", preset_schema(preset)))
    days = {101: 20, 103: 30, 102: 500, 104: None}
    for later, (item_id, day) in enumerate(days.items()):
        values: dict[str, Value] = {} if day is None else {"published": day * DAY_MS}
        put = AT - {101: 3, 103: 2, 102: 1, 104: 0}[item_id] * DAY_MS
        store.put_item(Item(item_id, "New", {}, values, ts=put + later))
    found = CHANNEL["newest"].recall(query_for(store, UserFeatures(99)), 5)
    assert store.columns.ids[found].tolist() == newest


def test_merging_takes_the_best_places_names_channels_and_skips_one_that_fails(base: Base) -> None:
    class Failing:
        name, default_limit = "failing", 10

        def recall(self, query: Query, limit: int) -> IntArray:
            raise RuntimeError("out of order")

    store = ItemStore(base)
    found = merge((Failing(), *CORE_CHANNELS), query_for(store, known_user(base)), 20)
    assert found.failed == ("failing",)
    assert len(found.rows) == 20
    assert len(set(found.rows.tolist())) == 20
    index_of_39 = found.rows.tolist().index(store.row(39))
    assert found.channels(int(found.found_by[index_of_39])) == ("popular_day", "popular", "genre", "trending", "newest")
    assert ids(store, found.rows[:3]) == [
        6,
        40,
        39,
    ]  # best of all first: of ease and similar, of the popular, of the genre


def test_a_channel_gives_its_few_unless_a_policy_says_more(base: Base) -> None:
    class Many:
        name, default_limit = "many", 3

        def recall(self, query: Query, limit: int) -> IntArray:
            return np.arange(limit)

    query = query_for(ItemStore(base), known_user(base))
    assert len(merge((Many(),), query, 20).rows) == 3
    assert query.orders["many"].tolist() == [0, 1, 2]
    assert len(merge((Many(),), query, 20, {"many": 7}).rows) == 7
    assert len(merge((Many(),), query, 20, {"many": 0}).rows) == 0


def test_who_has_only_clicked_gets_what_is_near(base: Base) -> None:
    store = ItemStore(base)
    user = UserFeatures(99, recent=[(1, AT - 60_000, CLICK, 0), (3, AT - 30_000, DISLIKE, 0)])
    assert ids(store, CHANNEL["session"].recall(query_for(store, user), 5)) == [5, 6, 3]
    user.recent.append((1, AT - 10_000, DISLIKE, 0))
    assert CHANNEL["session"].recall(query_for(store, user), 5).tolist() == []  # it was clicked, then disliked
    user.recent.pop()
    newest = user.recent[-1][1]
    for at, some in ((newest + SESSION_GAP_MS, True), (newest + SESSION_GAP_MS + 1, False)):
        later = Query(Moment(user, at, store.index, ClickWeights(), np.ones(len(store), bool)))
        assert (len(CHANNEL["session"].recall(later, 5)) > 0) is some


def test_a_session_reaches_what_is_liked_together_with_what_is_near(base: Base) -> None:
    store = ItemStore(base)
    user = UserFeatures(99, recent=[(40, AT - 60_000, CLICK, 0)])  # which no weights know: all comes from co-visits
    assert ids(store, CHANNEL["session"].recall(query_for(store, user), 5)) == []
    store.put_neighbours(Neighbours(40, 1, AT, [(20, 3), (21, 1)]))
    assert ids(store, CHANNEL["session"].recall(query_for(store, user), 5)) == [20, 21]
    store.put_neighbours(Neighbours(21, 1, AT, [(22, 1)]))
    store.put_neighbours(Neighbours(20, 1, AT, [(23, 1), (21, 1)]))
    assert ids(store, CHANNEL["session"].recall(query_for(store, user), 5)) == [20, 21, 23, 22]


def test_a_new_item_is_recalled_as_soon_as_the_stream_speaks_of_it(base: Base) -> None:
    from features.fold.item import fold_item
    from features.fold.state import ItemFeatures
    from features.types import LIKE

    store = ItemStore(base)
    features = ItemFeatures(5000)
    for number in range(60):
        features = fold_item(features, added(5000, AT + number, LIKE, 0, 1), MOVIES)
    store.put_features(5000, features)
    popular = CHANNEL["popular"].recall(query_for(store, UserFeatures(1)), 3)
    assert ids(store, popular)[0] == 5000


def test_as_many_items_as_a_policy_may_pin_are_all_candidates() -> None:
    size = 5_000
    rng = np.random.default_rng(3)
    orders = {f"channel {number}": rng.permutation(size)[:MAX_CANDIDATES] for number in range(len(CHANNELS))}
    pinned = rng.permutation(size)[:MAX_RULED]
    rows, found_by = candidates({PINNED: pinned, **orders}, MAX_CANDIDATES, first=1)
    assert rows[:MAX_RULED].tolist() == pinned.tolist()
    assert (found_by & 1).sum() == MAX_RULED


def test_what_is_pinned_is_a_candidate_before_all_others(base: Base) -> None:
    store = ItemStore(base)
    pinned = store.rows([33, 32, 31, 30])
    found = merge((GivenRecall(PINNED, pinned), *CORE_CHANNELS), query_for(store, known_user(base)), 4)
    assert found.rows.tolist() == pinned.tolist()
    assert all(found.channels(mask)[0] == PINNED for mask in found.found_by.tolist())
