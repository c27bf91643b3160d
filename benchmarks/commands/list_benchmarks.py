"""Benchmarks of what lists and pages take."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.commands.options import BackgroundRate, History, Json, RunningHome, Runs
from features.errors import BadInput
from infra.cli.home_option import DEFAULT_HOME


def requests(
    home: RunningHome = DEFAULT_HOME,
    model: Annotated[str | None, typer.Option(help="What ranks.  [default: the API's default]")] = None,
    callers: Annotated[
        list[int] | None, typer.Option(min=1, max=256, help="May be given again.  [default: 1, 8]")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="For each number of callers.")] = 10,
    size: Annotated[int, typer.Option(min=1, max=100, help="Of a list.")] = 20,
    given: Annotated[int, typer.Option(min=0, max=500, help="Rank so many candidates instead (POST /v1/rank).")] = 0,
    background_rate: BackgroundRate = 0.0,
) -> None:
    """Lists or rankings a second, and how long one takes, for one caller and for many."""
    from benchmarks.latency.requests import run

    run(home.resolve(), model, callers or [1, 8], seconds, size, given, background_rate)


def attached(
    history: History = None,
    runs: Annotated[int, typer.Option(min=1, help="Of each kind of home, by turns.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 1_000,
    json: Json = None,
) -> None:
    """Lists and events of a home that is attached to Kafka, Redis and Flink, beside one that starts its own, by turns."""
    from benchmarks.attached import run

    run(None if history is None else history.resolve(), runs, rate, json)


def ann(
    size: Annotated[int, typer.Option(min=1000, help="Vectors of 64 columns.")] = 1_000_000,
    library: Annotated[list[str] | None, typer.Option(help="May be given again.  [default: all]")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Of vectors; may be given again.  [default: all]")] = None,
    json: Json = None,
) -> None:
    """Libraries for nearest vectors: time to build, memory, recall against comparing with all, time of a query."""
    from benchmarks.ann import CANDIDATES, MAKERS, run
    from benchmarks.harness.run_report import work_folder

    for what, given, known in (("--library", library, CANDIDATES), ("--kind", kind, MAKERS)):
        if strange := set(given or ()) - set(known):
            raise BadInput(what, f"one of {', '.join(known)}", strange.pop())
    with work_folder() as folder:
        run(size, library or list(CANDIDATES), kind or list(MAKERS), json, folder)


def recall(
    home: Annotated[Path | None, typer.Option("--home", help="A home with a base, running or not.")] = None,
    size: Annotated[int, typer.Option(min=0, help="Also over so many vectors of 64 columns.")] = 0,
    values: Annotated[
        int, typer.Option(min=0, help="Over items with three of so many facet values, not over vectors.")
    ] = 0,
    rounds: Annotated[int, typer.Option(min=10, help="Requests.")] = 500,
    json: Json = None,
) -> None:
    """How long each recall channel takes in a request."""
    from benchmarks.recall import run

    if home is None and not size:
        raise BadInput("bench recall", "--home, --size or both", "neither")
    if values and not size:
        raise BadInput("--values", "--size with it", "none")
    run(home and home.resolve(), size, values, rounds, json)


def vectors(
    size: Annotated[int, typer.Option(min=1_000, help="Items, of which nine in ten have a vector.")] = 300_000,
    kind: Annotated[str, typer.Option(help="Of vectors, as of bench ann.")] = "tastes",
    json: Json = None,
) -> None:
    """What several API processes pay for item vectors: time until they are there, memory, time of a search."""
    from benchmarks.ann import MAKERS
    from benchmarks.shared_vectors import run

    if kind not in MAKERS:
        raise BadInput("--kind", f"one of {', '.join(MAKERS)}", kind)
    run(size, kind, json)


def facets(
    items: Annotated[int, typer.Option(min=1000)] = 1_000_000,
    values: Annotated[int, typer.Option(min=1, help="Of the facet.")] = 5_000,
    each: Annotated[int, typer.Option(min=1, max=64, help="Values drawn for an item.")] = 3,
    json: Json = None,
) -> None:
    """Facets of a large catalogue: memory of the index, time to build it, of a filter and of a change."""
    from benchmarks.catalogue.facet_memory import run

    run(items, values, each, json)


def ladder(
    home: RunningHome = DEFAULT_HOME,
    user: Annotated[int, typer.Option(min=0, help="Whose lists are asked for.")] = 6,
) -> None:
    """Lists while Redis, the model server and Kafka stand still: what they miss and how long they take. These processes are
    stopped for a moment, so it is for a home that nobody else uses."""
    from benchmarks.ladder import run

    run(home.resolve(), user)


def swap(
    home: RunningHome = DEFAULT_HOME,
    model: Annotated[str, typer.Option(help="Whose version changes, and what ranks.")] = "fusion",
    callers: Annotated[int, typer.Option(min=1, max=256)] = 1,
    seconds: Annotated[float, typer.Option(min=4, max=600, help="For each run.")] = 12,
    runs: Runs = 3,
) -> None:
    """Lists while a version of their model is published and withdrawn, beside runs without."""
    from benchmarks.swap import run

    run(home.resolve(), model, callers, seconds, runs)


def pages(
    home: RunningHome = DEFAULT_HOME,
    visits: Annotated[int, typer.Option(min=1, max=100, help="Of each page, nothing cached.")] = 5,
    ratings: Annotated[int, typer.Option(min=1, max=1000, help="One after another, by somebody new.")] = 50,
    json: Json = None,
) -> None:
    """First paint and bytes of each page, and from a rating to the list that shows it, in a real browser (Chromium)."""
    from benchmarks.pages import run

    run(home.resolve(), visits, ratings, json)
