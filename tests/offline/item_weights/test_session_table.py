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
from features.units import SESSION_GAP_MS, ends_session
from offline.item_weights.session_table import sessions_of

EVENTS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(0, 2 * SESSION_GAP_MS)), max_size=30)


@given(EVENTS, st.integers(1, 20))
def test_sessions_are_what_silences_part(steps: list[tuple[int, int, int]], limit: int) -> None:
    """Of more than one item, each once, in the order of their last events, the newest alone."""
    now, last, open_sessions = 0, dict[int, int](), dict[int, list[int]]()
    closed: dict[int, tuple[int, set[int]]] = {}
    for user, item, step in steps:
        now += step
        if user not in last or ends_session(now - last[user]):
            open_sessions[user] = [len(closed)]
            closed[len(closed)] = (now, set())
        number = open_sessions[user][0]
        closed[number] = (now, closed[number][1] | {item})
        last[user] = now
    expected = sorted((end, sorted(items)) for end, items in closed.values() if len(items) > 1)
    times = np.cumsum([0, *(step for *_, step in steps)])[1:]
    users, items = (np.array([each[at] for each in steps], np.int64) for at in (0, 1))
    ids, starts, members = sessions_of(users, items, times, limit)
    found = [sorted(ids[members[a:b]].tolist()) for a, b in pairwise(starts.tolist())]
    ends = [end for end, _ in expected]
    if len(set(ends)) == len(ends):
        assert found == [each for _, each in expected][-limit:]
    else:
        assert len(found) == min(limit, len(expected))


@pytest.mark.parametrize("count", [40, 2_500], ids=["all are compared", "more than are compared"])
def test_the_nearest_sessions_are_those_of_v_sknn(count: int) -> None:
    """The arrays say of every item, in relation to the best one, what the plain V-SKNN of the benchmark says. Lengths are powers
    of two, so that what is equally alike there is not parted by rounding."""
    rng = np.random.default_rng(3)
    plain, now = SessionNeighbours(Popularity()), 0
    users, items, times = list[int](), list[int](), list[int]()
    for session in range(count):
        for item in rng.choice(60, rng.integers(2, 9), replace=False).tolist():
            now += 1_000
            plain.observe(Click(session, session, item, "click", now))
            for column, value in ((users, session), (items, item), (times, now)):
                column.append(value)
    past = PastSessions(np.arange(60), *sessions_of(np.array(users), np.array(items), np.array(times)))
    for _ in range(20):
        going_on = rng.integers(60, size=2 ** rng.integers(4)).tolist()
        expected = defaultdict(float, plain.scores(count, going_on))
        plainly, found = np.array([expected[item] for item in range(60)]), past.spread(np.array(going_on), 60)
        assert found / found.max() == pytest.approx(plainly / plainly.max(), rel=1e-5)
