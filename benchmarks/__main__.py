"""`./martlet bench` (`python -m benchmarks`): one subcommand per benchmark."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import BadInput, MartletError
from infra.cli.home_option import DEFAULT_HOME
from infra.flink.cluster import MEMORY, ROCKSDB

if TYPE_CHECKING:
    from benchmarks.harness.homes import Shape

app = typer.Typer(
    help="Performance figures. Alone: from a click to the list that knows of it, in the running home.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Clicks = Annotated[int, typer.Option(min=1, max=100_000, help="Clicks, one after another.")]
RunningHome = Annotated[Path, typer.Option("--home", help="A running home.")]
AnyHome = Annotated[
    Path | None, typer.Option("--home", help="A running home.  [default: one of its own, without API and models]")
]
Runs = Annotated[int, typer.Option(min=1, max=100, help="How often; medians are printed beside.")]
History = Annotated[
    Path | None, typer.Option(help="The folder of a home that has never run, to begin from a copy of it.")
]
Json = Annotated[Path | None, typer.Option("--json", help="A file for the raw figures.")]
Picture = Annotated[
    Path | None, typer.Option("--picture", help="A file (.png, .svg) for a plot over the time of the last run.")
]
Parallelism = Annotated[
    int | None, typer.Option(min=1, max=8, help="As with `up`, for a home of its own.  [default: 1]")
]
State = Annotated[str | None, typer.Option(help="As with `up`, for a home of its own.  [default: memory]")]
BackgroundRate = Annotated[float, typer.Option("--beside", min=0, help="Events a second that stream in meanwhile.")]


def _shape(parallelism: int | None, state: str | None) -> "Shape":
    from benchmarks.harness.homes import Shape

    if state not in (None, MEMORY, ROCKSDB):
        raise BadInput("--state", f"{MEMORY} or {ROCKSDB}", str(state))
    return Shape(parallelism, state)


@app.callback()
def bench(
    context: typer.Context,
    home: RunningHome = DEFAULT_HOME,
    clicks: Clicks = 200,
    background_rate: BackgroundRate = 0.0,
) -> None:
    """Performance figures. Alone: from a click to the list that knows of it, in the running home."""
    if context.invoked_subcommand is not None:
        if (home, clicks, background_rate) != (DEFAULT_HOME, 200, 0.0):
            raise BadInput("bench", f"options behind {context.invoked_subcommand}", "options before it")
        return
    from benchmarks.latency.clicks import run

    run(home.resolve(), clicks, background_rate)


@app.command()
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

    run(events, runs, _shape(parallelism, state), users_only, shuffled, json)


@app.command()
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


@app.command()
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


@app.command()
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
    run(home and home.resolve(), _shape(parallelism, state), plan, warm, runs, picture, json)


@app.command()
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


@app.command()
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

    run(home and home.resolve(), _shape(parallelism, state), rate, users, runs, calm, json)


@app.command()
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


@app.command()
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


@app.command()
def attached(
    history: History = None,
    runs: Annotated[int, typer.Option(min=1, help="Of each kind of home, by turns.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 1_000,
    json: Json = None,
) -> None:
    """Lists and events of a home that is attached to Kafka, Redis and Flink, beside one that starts its own, by turns."""
    from benchmarks.attached import run

    run(None if history is None else history.resolve(), runs, rate, json)


@app.command()
def million(
    users: Annotated[int, typer.Option(min=1)] = 1_000_000,
    events: Annotated[int, typer.Option(min=1, help="Of each user.")] = 1,
    runs: Runs = 1,
    parallelism: Parallelism = None,
    state: State = None,
    json: Json = None,
) -> None:
    """Many users with a few events each: events a second, state, memory, checkpoints; and `verify`."""
    from benchmarks.million import run

    run(users, events, runs, _shape(parallelism, state), json)


@app.command()
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

    run(users, events, runs, _shape(parallelism, state), json)


@app.command()
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


@app.command()
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


@app.command()
def facets(
    items: Annotated[int, typer.Option(min=1000)] = 1_000_000,
    values: Annotated[int, typer.Option(min=1, help="Of the facet.")] = 5_000,
    each: Annotated[int, typer.Option(min=1, max=64, help="Values drawn for an item.")] = 3,
    json: Json = None,
) -> None:
    """Facets of a large catalogue: memory of the index, time to build it, of a filter and of a change."""
    from benchmarks.catalogue.facet_memory import run

    run(items, values, each, json)


@app.command()
def ladder(
    home: RunningHome = DEFAULT_HOME,
    user: Annotated[int, typer.Option(min=0, help="Whose lists are asked for.")] = 6,
) -> None:
    """Lists while Redis, the model server and Kafka stand still: what they miss and how long they take. These processes are
    stopped for a moment, so it is for a home that nobody else uses."""
    from benchmarks.ladder import run

    run(home.resolve(), user)


@app.command()
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


@app.command()
def pages(
    home: RunningHome = DEFAULT_HOME,
    visits: Annotated[int, typer.Option(min=1, max=100, help="Of each page, nothing cached.")] = 5,
    ratings: Annotated[int, typer.Option(min=1, max=1000, help="One after another, by somebody new.")] = 50,
    json: Json = None,
) -> None:
    """First paint and bytes of each page, and from a rating to the list that shows it, in a real browser (Chromium)."""
    from benchmarks.pages import run

    run(home.resolve(), visits, ratings, json)


@app.command()
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


@app.command()
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


def main() -> None:
    """Run the command line; an error that is meant for the user is one line, not a traceback."""
    try:
        app(prog_name="./martlet bench")
    except MartletError as error:
        typer.echo(f"martlet: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
