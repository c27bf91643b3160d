"""Sequence models of RecBole as baselines of the walk: GRU4Rec and SASRec, each session a user of theirs.

They learn from the earlier part alone, in an environment of their own (`infra.offline_jobs.peers`), so all their lists can be
made before the walk begins.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.sessions.baseline import Context, Recommender
from benchmarks.sessions.click_log import Click, ClickLog
from benchmarks.sessions.click_walk import TOP, VIEWS, Recommenders, walk
from infra.offline_jobs.peers import peer_environment
from infra.offline_jobs.runner import run_module
from offline.evaluation.peers.exchange import ProtocolRows, read_peers

LIBRARY: Final = "recbole"
LENGTH: Final = 5 * TOP
"""Items of a list, from which what its user had before is left out where new items alone count."""
Prefix = tuple[int, int]
"""A session, and how many of its clicks are known."""


class _Requests:
    """Notes where the walk asks for lists."""

    name = "requests"

    def __init__(self) -> None:
        self.prefixes: list[Prefix] = []

    def ranking(self, context: Context) -> list[int]:
        self.prefixes.append((context.session, len(context.items)))
        return []

    def observe(self, click: Click) -> None: ...


class MadeLists:
    """Lists that were made before the walk, by where it asks for them."""

    def __init__(self, name: str, lists: Mapping[Prefix, list[int]]) -> None:
        self.name, self._lists = name, lists

    def ranking(self, context: Context) -> list[int]:
        return self._lists[context.session, len(context.items)][: context.count]

    def observe(self, click: Click) -> None: ...


def protocol(log: ClickLog, start: int, sessions: int | None) -> tuple[ProtocolRows, list[Prefix]]:
    """The views of a log as the libraries read rows, those before `start` (ms) to learn from; and where the walk asks for lists,
    in the order of their queries."""
    requests = _Requests()
    walk(log, start, Recommenders(static=[requests]), sessions)
    views = [click for click in log if click.kind in VIEWS]
    numbers: dict[Prefix, int] = {}
    known: dict[int, int] = {}
    for number, click in enumerate(views):
        numbers[click.session, known.get(click.session, 0)] = number
        known[click.session] = known.get(click.session, 0) + 1
    users, items, times = (
        np.array([getattr(click, name) for click in views], np.int64) for name in ("session", "item", "ts")
    )
    same, never = np.ones(len(views), np.int64), np.zeros(len(views), np.int64)
    queries = np.array([numbers[prefix] for prefix in requests.prefixes], np.int64)
    return ProtocolRows(
        users, items, same, times, never, int(np.searchsorted(times, start)), queries
    ), requests.prefixes


def sequence_models(
    log: ClickLog, start: int, sessions: int | None, folder: Path, print_line: Callable[[str], None]
) -> list[Recommender]:
    """The models, trained on what lies before `start` (ms). folder: for the files between the two environments.

    Raises MartletError if the environment can't be made, or a model fails.
    """
    rows, prefixes = protocol(log, start, sessions)
    taken, lists = folder / "rows.npz", folder / "lists.npz"
    rows.write(taken)
    argv = [
        "offline.evaluation.peers",
        "--rows",
        str(taken),
        "--out",
        str(lists),
        "--only",
        LIBRARY,
        "--top",
        str(LENGTH),
    ]
    run_module(argv, folder / "peers.log", print_line, peer_environment(print_line))
    return [
        MadeLists(name.removeprefix(f"{LIBRARY} "), dict(zip(prefixes, peer.lists.tolist(), strict=True)))
        for name, peer in read_peers(lists).items()
    ]
