"""`bench growth`: how costs grow with ten times the users, ten times the events, four times the sequence length.

Users and events are measured through the job, from a full log, in a home of each size. The sequence length is a constant of the
fold, so its cost is measured on the fold itself, by changing that constant in this process; the same is measured for the
other sizes, so that there is something to compare it with.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backlog import fold_backlog
from benchmarks.harness.engines.flink_cluster import Cluster
from benchmarks.harness.event_generator import fill, grid
from benchmarks.harness.homes import Shape, StreamHome, share_base
from benchmarks.harness.run_report import Figure, Report, work_folder
from features.fold import state
from features.fold.state import UserFeatures, encode_features
from features.fold.user import UserState, fold_user, freeze_user
from features.schema.tables import preset_schema
from features.types import Item

FOLDED_ALONE = 200
"""Number of users for measuring the fold's own cost, which does not depend on it."""


@dataclass(frozen=True)
class Size:
    """Number of users, events of each, and the factor on the fold's sequence length."""

    name: str
    users: int
    events: int
    sequence: int = 1


def sizes(users: int, events: int) -> list[Size]:
    return [
        Size("base", users, events),
        Size("users ×10", users * 10, events),
        Size("events ×10", users, events * 10),
        Size("events ×10, sequence ×4", users, events * 10, 4),
    ]


@contextmanager
def longer_sequence(factor: int) -> Iterator[None]:
    """Make SEQUENCE `factor` times longer in every module of features that has it, for as long as the context lasts."""
    original = state.SEQUENCE
    modules = [module for name, module in sys.modules.items() if name.startswith("features")]
    holders = [vars(module) for module in modules if "SEQUENCE" in vars(module)]
    try:
        for names in holders:
            names["SEQUENCE"] = original * factor
        yield
    finally:
        for names in holders:
            names["SEQUENCE"] = original


def fold_alone(size: Size, items: dict[int, Item], ts: int) -> dict[str, Figure]:
    """Measure the fold and the encoding of what is written, in this process: time per event, bytes at the end."""
    users = min(size.users, FOLDED_ALONE)
    states = {user_id: UserState(UserFeatures(user_id)) for user_id in range(1, users + 1)}
    events = list(grid(users, size.events, sorted(items), ts))
    with longer_sequence(size.sequence):
        began = time.process_time()
        for offset, event in enumerate(events):
            user = states[event.user_id]
            fold_user(user, event, items.get(event.item_id), offset + 1, preset_schema())
            encode_features(user.features)
        took = time.process_time() - began
    return {
        "the fold alone, µs an event": took / len(events) * 1e6,
        "features as written, bytes": sum(len(encode_features(user.features)) for user in states.values()) / users,
        "whole user as a base keeps it, bytes": sum(len(freeze_user(user)) for user in states.values()) / users,
    }


def through_the_job(home: StreamHome, size: Size) -> dict[str, Figure]:
    """Measure the job of an entered home whose log is full."""
    running = home.running
    cluster = Cluster(running.rest)
    figures = fold_backlog(home, sorted(running.base().catalogue))
    last = cluster.await_checkpoint(time.time_ns() // 1_000_000)
    with running.redis() as client:
        used = client.info("memory")["used_memory"]
    return figures | {
        "users' state, bytes a user": cluster.users_state_bytes(last) / size.users,
        "Redis data, bytes a user": used / size.users,
        "checkpoint, s": last.took_ms / 1000,
    }


def run(users: int, events: int, runs: int, shape: Shape, json: Path | None) -> None:
    """Print and save the figures of `runs` runs of each size."""
    report = Report("growth", {"users": users, "events": events, "runs": runs, "shape": shape})
    with work_folder() as folder:
        first: Path | None = None
        for at, size in enumerate(sizes(users, events)):
            own = folder / str(at)
            if first is not None:
                share_base(first, own)
            for number in range(runs):
                with ExitStack() as stack:
                    home = stack.enter_context(StreamHome(own, shape))
                    first = first or own
                    base = home.running.base()
                    alone = fold_alone(size, base.catalogue, base.horizon)
                    figures: dict[str, Figure] = {"users": size.users, "events a user": size.events}
                    if size.sequence == 1:
                        if number == 0:
                            events_of = grid(size.users, size.events, sorted(base.catalogue), base.horizon)
                            fill(home.running.engines.kafka, events_of)
                        figures |= through_the_job(home, size)
                report.add(figures | alone, size.name)
    report.show_medians()
    report.save(json)
