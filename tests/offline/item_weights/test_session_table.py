"""The sessions of a history, and that the nearest of them are those of V-SKNN."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sessions.baseline import Popularity
from benchmarks.sessions.click_log import Click
from benchmarks.sessions.session_knn import SessionNeighbours
from features.base.past_sessions import PastSessions
from features.types import CLICK, IMPRESSION
from features.units import SESSION_GAP_MS, ends_session
from offline.item_weights.session_table import sessions_of
from tests.features.dense import dense

EVENTS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(1, 5),
        st.integers(1, 2 * SESSION_GAP_MS),
        st.sampled_from([(CLICK, 1), (CLICK, 1), (CLICK, 0), (CLICK, -1), (IMPRESSION, 0)]),
    ),
    max_size=30,
)


@given(EVENTS, st.integers(1, 20))
def test_sessions_are_what_silences_part(steps: list[tuple[int, int, int, tuple[int, int]]], limit: int) -> None:
    """Silences between acts of any kind; of more than one item, each once, none disliked; in the order of their last acts, the
    newest alone."""
    now, last, going_on = 0, dict[int, int](), dict[int, int]()
    ends, liked, disliked = list[int](), list[set[int]](), list[set[int]]()
    for user, item, step, (kind, says) in steps:
        now += step
        if kind == IMPRESSION:
            continue
        if user not in last or ends_session(now - last[user]):
            going_on[user] = len(ends)
            ends.append(now)
            liked.append(set())
            disliked.append(set())
        last[user] = ends[going_on[user]] = now
        if says:
            (liked if says > 0 else disliked)[going_on[user]].add(item)
    wanted = [sorted(mine - others) for mine, others in zip(liked, disliked, strict=True)]
    expected = sorted((end, items) for end, items in zip(ends, wanted, strict=True) if len(items) > 1)[-limit:]
    users, items = (np.array([each[at] for each in steps], np.int64) for at in (0, 1))
    times = np.cumsum([0, *(each[2] for each in steps)])[1:]
    kinds, says_of = (np.array([each[3][at] for each in steps], np.int8) for at in (0, 1))
    ids, found_ends, starts, members = sessions_of(users, items, times, kinds, says_of, limit)
    found = [sorted(ids[members[a:b]].tolist()) for a, b in pairwise(starts.tolist())]
    assert list(zip(found_ends.tolist(), found, strict=True)) == expected
    assert ids.tolist() == sorted({item for _, session in expected for item in session})


@pytest.mark.parametrize("count", [40, 2_500], ids=["all are compared", "more than are compared"])
def test_the_nearest_sessions_are_those_of_v_sknn(count: int) -> None:
    """The arrays say of every item, in relation to the best one, what the plain V-SKNN of the benchmark says. Lengths are powers
    of two, so that what is equally alike there is not parted by rounding."""
    rng = np.random.default_rng(3)
    plain, now = SessionNeighbours(Popularity()), 0
    rows = list[tuple[int, int, int]]()
    for session in range(count):
        for item in rng.choice(60, rng.integers(2, 9), replace=False).tolist():
            now += 1_000
            plain.observe(Click(session, session, item, "click", now))
            rows.append((session, item, now))
    users, items, times = np.array(rows).T
    clicks = np.full(len(rows), CLICK)
    past = PastSessions(np.arange(60), *sessions_of(users, items, times, clicks, np.ones(len(rows), np.int8)))
    for _ in range(20):
        going_on = rng.integers(60, size=2 ** rng.integers(4)).tolist()
        expected = defaultdict(float, plain.scores(count, going_on))
        plainly = np.array([expected[item] for item in range(60)])
        found = dense(past.spread(np.array(going_on), now + 1, np.ones(60, bool)), 60)
        assert found / found.max() == pytest.approx(plainly / plainly.max(), rel=1e-5)
