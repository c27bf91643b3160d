"""Benchmarks of how fast the job folds, and how fresh features are."""

from typing import Annotated

import typer

from benchmarks.commands.options import AnyHome, Json, Parallelism, Picture, RunningHome, Runs, State, shape_of
from infra.cli.home_option import DEFAULT_HOME


def backlog(
    events: Annotated[int, typer.Option(min=1, help="At least so many; whole copies of MovieLens 100K.")] = 500_000,
    runs: Runs = 3,
    users_only: Annotated[
        bool, typer.Option("--users-only", help="Users' features alone; no items, no pairs.")
    ] = False,
    shuffled: Annotated[bool, typer.Option("--shuffled", help="Events in random order, not the data set's.")] = False,
    parallelism: Parallelism = None,
    state: State = None,
    json: Json = None,
) -> None:
    """Events a second through the job, Redis included, from a log that is full before it starts."""
    from benchmarks.backlog import run

    run(events, runs, shape_of(parallelism, state), users_only, shuffled, json)


def fold(
    events: Annotated[int, typer.Option(min=1000, help="Of copies of MovieLens 100K.")] = 100_000,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Events of a lane that come together.")] = 32,
    remembered: Annotated[int, typer.Option(min=0, max=5000, help="Events that each user remembers before.")] = 0,
    runs: Runs = 3,
    shuffled: Annotated[bool, typer.Option("--shuffled", help="Events in random order, not the data set's.")] = False,
    json: Json = None,
) -> None:
    """What an event costs the fold of users, and a co-visit that of items: by the specification, and by the kernel."""
    from benchmarks.kernel.fold import run

    run(events, batch, remembered, runs, shuffled, json)


def steady(
    home: AnyHome = None,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, by the clock.")] = 1000,
    seconds: Annotated[float, typer.Option(min=1, max=3600)] = 60,
    warm: Annotated[float, typer.Option(min=0, max=600, help="Seconds at that rate before, not measured.")] = 15,
    users: Annotated[int, typer.Option(min=1, help="Evenly chosen.")] = 10_000,
    runs: Runs = 3,
    linger: Annotated[
        int, typer.Option(min=0, max=100, help="ms that the producer waits for more events of a partition.")
    ] = 0,
    parallelism: Parallelism = None,
    state: State = None,
    picture: Picture = None,
    json: Json = None,
) -> None:
    """How long from an event's acknowledgement to its user's features being readable, at a steady rate."""
    from benchmarks.harness.traffic import Plan
    from benchmarks.latency.steady import run

    plan = Plan(rate, seconds, users, linger)
    run(home and home.resolve(), shape_of(parallelism, state), plan, warm, runs, picture, json)


def endurance(
    home: RunningHome = DEFAULT_HOME,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, by the clock.")] = 1000,
    lists: Annotated[float, typer.Option(min=0, max=1000, help="Lists a second, by the clock.")] = 50,
    minutes: Annotated[float, typer.Option(min=1, max=240, help="After a minute that is not measured.")] = 30,
    users: Annotated[int, typer.Option(min=1, help="Of the events, evenly chosen.")] = 10_000,
    picture: Picture = None,
    json: Json = None,
) -> None:
    """Whether latencies and memory stay flat while events and lists come at once for half an hour; and exactness."""
    from benchmarks.latency.endurance import run

    run(home.resolve(), rate, lists, minutes, users, picture, json)


def rest(
    home: RunningHome = DEFAULT_HOME,
    seconds: Annotated[float, typer.Option(min=1, max=3600)] = 60,
    runs: Runs = 3,
    json: Json = None,
) -> None:
    """How many processors each process of a home keeps busy while nobody does anything."""
    from benchmarks.at_rest import run

    run(home.resolve(), seconds, runs, json)


def million(
    users: Annotated[int, typer.Option(min=1)] = 1_000_000,
    events: Annotated[int, typer.Option(min=1, help="Of each user.")] = 1,
    runs: Runs = 1,
    parallelism: Parallelism = None,
    state: State = None,
    kernel_only: Annotated[
        bool, typer.Option("--kernel-only", help="Verify by the kernel alone: the specification takes an hour or more.")
    ] = False,
    json: Json = None,
) -> None:
    """Many users with a few events each: events a second, state, memory, checkpoints; and `verify`."""
    from benchmarks.million import run

    run(users, events, runs, shape_of(parallelism, state), kernel_only, json)


def growth(
    users: Annotated[int, typer.Option(min=1, help="Of the base size.")] = 1000,
    events: Annotated[int, typer.Option(min=1, help="A user, in the base size.")] = 100,
    runs: Runs = 3,
    parallelism: Parallelism = None,
    state: State = None,
    json: Json = None,
) -> None:
    """Ten times the users, ten times the events, four times the sequence length: what grows how."""
    from benchmarks.growth import run

    run(users, events, runs, shape_of(parallelism, state), json)
