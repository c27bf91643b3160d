"""Other libraries under our protocol: what they are told, and what is shown, with one of our own in their place."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from features.arrays import IntArray, RealArray
from features.types import FOREVER
from infra.offline_jobs.peers import protocol
from offline.datasets.dataset import open_dataset
from offline.evaluation.peers.exchange import Peer, ProtocolRows, read_peers, write_peers
from offline.evaluation.peers.interactions import InteractionLog, answer_queries, learnable
from tests.schemas import MOVIES

USERS = [1, 1, 2, 2, 3, 1, 3, 2]
ITEMS = [10, 20, 10, 30, 10, 30, 20, 99]
WEIGHTS = [1, -1, 1, 1, 0, 1, 1, 1]


def rows_hidden(until: list[int]) -> ProtocolRows:
    users, items, weights, times = np.array(USERS), np.array(ITEMS), np.array(WEIGHTS), np.arange(8) * 1000
    return ProtocolRows(users, items, weights, times, np.array(until), 5, np.array([5, 6, 7]))


ROWS = rows_hidden([FOREVER] * 8)


class Spy:
    """Likes row 2 most, row 1 next, has no opinion of row 0."""

    def __init__(self) -> None:
        self.received: list[list[int]] = []

    def learn(self, log: InteractionLog) -> None: ...

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        self.received += [each.tolist() for each in histories]
        return np.tile([np.nan, 1.0, 2.0], (len(histories), 1))


def test_a_library_is_told_what_came_before_and_shows_nothing_seen() -> None:
    spy = Spy()
    lists = answer_queries(ROWS, learnable(ROWS, False), False, spy)
    assert spy.received == [[0, 1], [0], [0, 2]]
    assert [[item for item in line if item >= 0] for line in lists.tolist()] == [[30], [30, 20], [20]]


def test_what_is_hidden_no_more_is_shown_again() -> None:
    until = [0, 5000, 0, 0, 6001, FOREVER, FOREVER, FOREVER]  # user 1 asks at 5000, user 3 at 6000
    rows = rows_hidden(until)
    lists = answer_queries(rows, learnable(rows, False), False, Spy())
    assert [[item for item in line if item >= 0] for line in lists.tolist()] == [
        [30, 20, 10],
        [30, 20],
        [30, 20, 10],
    ]


def test_positive_rows_alone_are_told_where_a_library_wants_them() -> None:
    log = learnable(ROWS, True)
    assert log.ids.tolist() == [10, 20, 30]
    assert log.items.tolist() == [0, 0, 2]
    spy = Spy()
    answer_queries(ROWS, log, True, spy)
    assert spy.received == [[0], [], [0, 2]]


def test_popularity_fills_a_list_up() -> None:
    class Silent(Spy):
        def score(self, histories: Sequence[IntArray]) -> RealArray:
            return np.full((len(histories), 3), np.nan)

    lists = answer_queries(ROWS, learnable(ROWS, False), False, Silent())
    assert lists[1].tolist()[:2] == [20, 30]  # user 3 has seen the most popular one


def test_a_shorter_protocol_asks_for_known_items_alone() -> None:
    part = ROWS.between(2, 6)
    assert (part.first, part.queries.tolist()) == (2, [2, 5])  # row 3 brings its item for the first time


def test_files_come_back_as_they_went(tmp_path: Path) -> None:
    ROWS.write(tmp_path / "rows.npz")
    back = ProtocolRows.read(tmp_path / "rows.npz")
    assert (back.first, back.users.tolist(), back.queries.tolist()) == (5, USERS, [5, 6, 7])
    peers = {"one of them": Peer(np.ones((2, 10), np.int64), 1.5, 2.5)}
    write_peers(tmp_path / "lists.npz", peers)
    read = read_peers(tmp_path / "lists.npz")["one of them"]
    assert (read.lists.tolist(), read.learned, read.query_seconds) == (peers["one of them"].lists.tolist(), 1.5, 2.5)


def test_the_protocol_is_the_evaluations(tmp_path: Path, write_folder: Callable[..., Path]) -> None:
    rows = [(1, 10, 4.0, 1), (2, 10, 3.0, 2), (2, 11, 5.0, 3), (3, 11, 5.0, 4)]
    received = protocol(open_dataset(str(write_folder(rows)), tmp_path / "data"), MOVIES, 2)
    assert (received.first, received.queries.tolist(), received.items.tolist()) == (2, [3], [10, 10, 11, 11])
    assert (received.weights.tolist(), received.hidden.tolist()) == ([1, 0, 1, 1], [FOREVER] * 4)
