"""Benchmarks of how good lists are."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.commands.options import Json
from features.errors import BadInput


def sessions(
    files: Annotated[
        list[Path], typer.Argument(help="Files of click sessions, or folders of them.", metavar="FILE...")
    ],
    home: Annotated[
        Path | None, typer.Option("--home", help="A running home.  [default: none, the baselines alone]")
    ] = None,
    learn: Annotated[float, typer.Option(min=0.01, max=0.99, help="The earlier share of rows, to learn from.")] = 0.8,
    limit: Annotated[int | None, typer.Option(min=1, help="Later sessions to walk.  [default: all]")] = None,
    loaded: Annotated[
        bool,
        typer.Option("--loaded", help="The home was made of these files: its times are theirs, nothing is posted."),
    ] = False,
    peers: Annotated[
        bool,
        typer.Option(
            "--peers",
            help="Also GRU4Rec and SASRec of RecBole, from an environment of their own that is made for them (6 GB).",
        ),
    ] = False,
    json: Json = None,
) -> None:
    """How often the next click of real sessions is in the list: Martlet over HTTP beside V-SKNN, sequential rules, co-visits and
    popularity, each click predicted before anybody learns of it."""
    from benchmarks.sessions.session_run import run

    run(files, home and home.resolve(), learn, limit, loaded, peers, json)


def simulator(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="A running home of the preset shop.  [default: none, the others alone]"),
    ] = None,
    clicks: Annotated[int, typer.Option(min=1, help="On Martlet's lists, after which all end.")] = 1000,
    users: Annotated[int, typer.Option(min=10)] = 400,
    items: Annotated[int, typer.Option(min=40)] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same shop.")] = 7,
    only: Annotated[
        str | None, typer.Option(help="prepare: send items and the past; drive: they were sent.  [default: both]")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the shop as files into this folder, and end.")] = None,
    json: Json = None,
) -> None:
    """Regret in a drawn shop whose tastes are known, with drift, repeat purchases and new items: Martlet beside most-popular
    and random lists."""
    from benchmarks.simulator import simulator_run
    from benchmarks.simulator.shop import Plan

    if only is not None and only not in simulator_run.STEPS:
        raise BadInput("--only", " or ".join(simulator_run.STEPS), only)
    plan = Plan(users=users, items=items, seed=seed)
    if write is not None:
        simulator_run.write(plan, write)
        return
    steps = simulator_run.STEPS if only is None else (only,)
    simulator_run.run(plan, home and home.resolve(), steps, clicks, json)
