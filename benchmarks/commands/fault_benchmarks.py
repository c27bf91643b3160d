"""Benchmarks of what is noticed while processes die and networks are cut."""

from typing import Annotated

import typer

from benchmarks.commands.options import AnyHome, History, Json, Parallelism, RunningHome, Runs, State, shape_of
from infra.cli.home_option import DEFAULT_HOME


def recovery(
    home: AnyHome = None,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, by the clock.")] = 1000,
    users: Annotated[int, typer.Option(min=1, help="Evenly chosen.")] = 10_000,
    runs: Runs = 3,
    calm: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds between two kills; below 60 restarts wait longer and longer.")
    ] = 65,
    parallelism: Parallelism = None,
    state: State = None,
    json: Json = None,
) -> None:
    """How long after a kill -9 of each process of Flink features are fresh again, and whether all is exact then."""
    from benchmarks.faults.recovery import run

    run(home and home.resolve(), shape_of(parallelism, state), rate, users, runs, calm, json)


def losses(
    home: RunningHome = DEFAULT_HOME,
    events: Annotated[float, typer.Option(min=1, help="Events a second, posted over HTTP.")] = 100,
    lists: Annotated[float, typer.Option(min=1, help="Lists a second.")] = 5,
    silent: Annotated[
        float, typer.Option(min=0, max=120, help="Seconds that each process is stopped for; 0: it is killed with -9.")
    ] = 0,
    calm: Annotated[float, typer.Option(min=1, max=600, help="Seconds of fresh lists before each loss.")] = 15,
    json: Json = None,
) -> None:
    """What callers notice while each process of a running home (of one made with --scale) dies in turn; and exactness."""
    from benchmarks.faults.losses import run

    run(home.resolve(), events, lists, silent, calm, json)


def cut(
    history: History = None,
    events: Annotated[float, typer.Option(min=1, help="Events a second, posted over HTTP.")] = 100,
    lists: Annotated[float, typer.Option(min=1, help="Lists a second.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Seconds that each cut lasts.")] = 20,
    calm: Annotated[float, typer.Option(min=1, max=600, help="Seconds of fresh lists before each cut.")] = 15,
    json: Json = None,
) -> None:
    """What callers notice while a network is cut between hosts that have Kafka and Redis; and exactness. Needs Linux and root."""
    from benchmarks.faults.cut import run

    run(None if history is None else history.resolve(), events, lists, seconds, calm, json)
