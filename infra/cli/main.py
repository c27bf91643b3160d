"""The command line. A command that fails prints one clear line and exits with a code that is not 0."""

import gc
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInput, MartletError, refusal_of
from features.keys import DEFAULT_PARTITIONS, MAX_PARTITIONS
from features.schema.document import DEFAULT as DEFAULT_SCHEMA
from features.schema.document import preset_names
from features.store.job_status import MAX_SUBTASKS
from features.units import ATTRIBUTION_S, DAY_S
from features.version import VERSION
from infra.cli import key_commands, offline_commands, own_data_commands, replay_options, role_commands
from infra.cli.home_option import DEFAULT_HOME, HomeOption, home_of
from infra.home.home_lock import home_lock
from infra.home.running import engines_of
from infra.replay.perturbation import Perturbation
from infra.system.progress import Steps
from infra.up_options import UpOptions

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(offline_commands.app)
app.add_typer(own_data_commands.app)
app.add_typer(key_commands.app)
app.add_typer(role_commands.app)
HANDED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Context settings of a command whose arguments, --help included, are passed on to another program."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"martlet {VERSION}")
        raise typer.Exit


@app.callback()
def martlet(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Martlet: a streaming recommender. A click made now changes the next list within tens of milliseconds."""


@app.command()
def up(
    home: HomeOption = DEFAULT_HOME,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it serves; it goes on in the background.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="With --detach: return only once its models are trained and rank, too.")
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API and the pages, on loopback.")] = 8000,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="ml-100k, ml-latest-small, ml-1m, ml-25m, ml-32m, a folder, or none.  "
            "[default: what init described, else ml-100k; none with another schema than films']"
        ),
    ] = None,
    history: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share loaded as history.  [default: 0.8 of films, 1 of your own data]"),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            help=f"What events mean, for a new home: {', '.join(preset_names())}, or a file.  [default: {DEFAULT_SCHEMA}]"
        ),
    ] = None,
    master: Annotated[str | None, typer.Option(help="Spark master for the offline steps.  [default: local]")] = None,
    parallelism: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_SUBTASKS, help="Of the job: two TaskManagers for each.  [default: 1]"),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Where Flink keeps state: memory, or rocksdb for millions of users.  [default: memory]"),
    ] = None,
    attribution: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=DAY_S,
            help=f"Seconds that a shown list waits for what is done about it.  [default: {ATTRIBUTION_S}]",
        ),
    ] = None,
    api: Annotated[
        int | None,
        typer.Option(
            min=1, max=16, help="Processes of the API, on one port, this time.  [default: as api.processes says]"
        ),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_PARTITIONS,
            help=f"Of the topics of users, for a new home.  [default: as kafka.partitions says, else {DEFAULT_PARTITIONS}]",
        ),
    ] = None,
    scale: Annotated[
        bool,
        typer.Option(
            "--scale",
            help="Make a home that any one process may be lost of: 3 brokers, a Redis Cluster of 3 and their replicas, 2 "
            "JobManagers and 3 servers of ZooKeeper, parallelism 2, 2 processes of the API (needs about 10 GB of memory).",
        ),
    ] = False,
    model_server: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Rank by a TensorFlow Serving that runs elsewhere, this time: HOST:PORT for gRPC, http://HOST:PORT for REST. "
            "run/models.config in the home tells it what to serve.  [default: the embedded one]",
        ),
    ] = None,
) -> None:
    """From nothing to serving: starts Redis, Kafka, Flink, the model server and the API, and watches over them."""
    from infra.flink.cluster import require_state

    require_state(state)
    if dataset is not None and os.path.exists(dataset):  # False, and no error, where it can't be looked for
        dataset = str(Path(dataset).resolve())
    target = home_of(home)
    given = UpOptions(
        port=port,
        dataset=dataset,
        history=history,
        schema=schema,
        master=master,
        parallelism=parallelism,
        state=state,
        attribution=attribution,
        model_server=model_server,
        api=api,
        partitions=partitions,
        scale=scale,
    )
    if detach:
        from infra.detached import detach as run_detached

        argv = [sys.executable, "-m", "infra", "up", "--home", str(target.path), *given.arguments()]
        raise typer.Exit(run_detached(target, argv, Steps(), wait))
    if wait:
        raise BadInput("--wait", "--detach with it", "--wait alone")
    try:
        with home_lock(target.make()):  # first: `down` finds by it what has only begun
            from infra.up import Up  # 2 s of imports, which the process in the background has alone

            Up(target, given).run()
    except KeyboardInterrupt:
        typer.echo("stopped before it was up")
        raise typer.Exit(130) from None


@app.command()
def down(home: HomeOption = DEFAULT_HOME) -> None:
    """Stop everything that runs in a home, in order."""
    from infra.detached import down as stop

    began = time.monotonic()
    if not stop(home_of(home), Steps()):
        typer.echo(f"nothing runs in {home}")
        return
    typer.echo(f"down after {time.monotonic() - began:.1f} s")


@app.command()
def status(
    home: HomeOption = DEFAULT_HOME,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
) -> None:
    """What runs, where, since when; the ledger, lags, pending records, freshness, checkpoints and alarms."""
    from infra.monitoring.status import print_status

    print_status(home_of(home), as_json)


@app.command()
def config(
    home: HomeOption = DEFAULT_HOME,
    master: Annotated[str | None, typer.Option(help="As of `up`.")] = None,
    model_server: Annotated[str | None, typer.Option(metavar="ADDRESS", help="As of `up`.")] = None,
) -> None:
    """The settings by martlet.toml, variables and these options: each value, and where it comes from."""
    from infra.settings.settings_report import report_settings

    report_settings(home_of(home), UpOptions(master=master, model_server=model_server).settings(), typer.echo)


@app.command()
def doctor(home: HomeOption = DEFAULT_HOME, port: Annotated[int, typer.Option(min=1, max=65535)] = 8000) -> None:
    """What is missing on this machine; exit code 1 if anything is."""
    from infra.cli.doctor import examine

    raise typer.Exit(0 if examine(home_of(home), port, typer.echo) else 1)


@app.command()
def jars(
    folder: Annotated[Path, typer.Argument(help="Its lib folder.")],
    plugins: Annotated[
        Path | None, typer.Option(help="Its plugins folder, for one with checkpoints in a bucket: the plugin of S3.")
    ] = None,
) -> None:
    """Copy what a Flink cluster of your own needs into its lib folder: flink-python, the Kafka connector, the job's own jar."""
    from infra.flink.flink_lib import copy_jars, copy_plugins

    names = copy_jars(folder)
    for name in names if plugins is None else [*names, *copy_plugins(plugins)]:
        typer.echo(name)


@app.command(cls=replay_options.command_with(replay_options.OPTIONAL_VALUES))
def replay(
    home: HomeOption = DEFAULT_HOME,
    dataset: Annotated[str | None, typer.Option(help="Another data set than the home's.")] = None,
    speed: Annotated[str, typer.Option(help='Event time against wall time, like "100x", or "max".')] = "100x",
    start: Annotated[str | None, typer.Option("--from", help="First event time: 1998-03-01, or ms since 1970.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Event time to stop before.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="From the start, even if an earlier replay was interrupted.")
    ] = False,
    shuffle: replay_options.Shuffle = None,
    duplicate: replay_options.Duplicate = None,
    late: replay_options.Late = None,
    seed: replay_options.Seed = None,
) -> None:
    """A data set as an event stream, by default what comes after the history that `up` loaded.

    --shuffle, --duplicate and --late provoke the job, and combine: afterwards ./martlet verify must still say equal."""
    from infra.replay.replayer import replay_home

    target = home_of(home)
    perturbation = Perturbation.chosen(shuffle, duplicate, late, seed)
    replay_home(target, engines_of(target), dataset, speed, start, end, restart, perturbation, typer.echo)


@app.command()
def verify(
    home: HomeOption = DEFAULT_HOME,
    wait: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to wait for features that are still on their way.")
    ] = 10.0,
    kernel: Annotated[
        bool, typer.Option("--kernel", help="Fold users by the compiled kernel: for large logs.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="For programs: one line of JSON.")] = False,
) -> None:
    """Recompute all features from base and log with the pure fold, and compare with Redis byte for byte.

    Exit code 1: a difference, the first is named. 3: the log kept growing while it compared."""
    from infra.flink.job_control import job_settings
    from infra.home.record import HomeRecord
    from infra.verify.compare import verify as run

    target = home_of(home)
    settings = job_settings(target)
    gc.disable()  # what is folded has no circles, and to look for some among very many users took two fifths of the time
    began = time.monotonic()
    finding = run(HomeRecord(target).base(), settings, wait, kernel=kernel)
    seconds = time.monotonic() - began
    typer.echo(finding.json_line(seconds) if json_ else finding.text(seconds))
    raise typer.Exit(finding.exit_code)


@app.command()
def upgrade(
    home: HomeOption = DEFAULT_HOME,
    parallelism: Annotated[int | None, typer.Option(min=1, max=MAX_SUBTASKS, help="Of the job from now on.")] = None,
) -> None:
    """Take changed code, or another parallelism, into the running job: savepoint, new TaskManagers, on from there.

    Kafka, Redis, the model server and the API go on meanwhile.
    """
    from infra.home.command_channel import UPGRADE, request_up
    from infra.home.record import HomeRecord

    record = HomeRecord(home_of(home))
    record.configure(parallelism=parallelism)  # refused here, not once the job has been stopped
    if record.has_other_state:
        raise BadInput(
            "upgrade", "a home whose job has the state of this version", "another: `down` and `up` fold the log anew"
        )
    typer.echo(request_up(home_of(home), UPGRADE, timeout=600, parallelism=parallelism))


@app.command()
def rebuild(
    home: HomeOption = DEFAULT_HOME,
    schema: Annotated[
        str | None, typer.Option(help="Give the events of a home that is down another meaning: a preset or a file.")
    ] = None,
) -> None:
    """All features in Redis anew, from the base and the whole log; what a FLUSHALL has emptied comes back, what is newer
    there stays."""
    from infra.home.command_channel import REBUILD, request_up

    target = home_of(home)
    if schema is None:
        typer.echo(request_up(target, REBUILD, timeout=600))
        return
    from infra.stack import replace_schema

    number = replace_schema(target, schema)
    typer.echo(f"the next up makes base {number} of the data set by this schema, and folds the whole log once more")


@app.command("bench", context_settings=HANDED_ON)
def bench(context: typer.Context) -> None:
    """Performance figures: `bench --help` lists them. Alone: from a click to the list that knows of it."""
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *context.args])


@app.command("model-server", context_settings=HANDED_ON)
def model_server(context: typer.Context) -> None:
    """The embedded model server alone, with TensorFlow Serving's own flags (--help lists them)."""
    os.execv(sys.executable, [sys.executable, "-m", "models.server", *context.args])


@app.command()
def check() -> None:
    """The gate alone (lint, format, types): what every change passes first."""
    from infra.cli.checks import run_checks

    raise typer.Exit(run_checks())


@app.command()
def audit() -> None:
    """Known vulnerabilities of the locked packages. Exit code 1 if there are any, or if the database does not answer."""
    from infra.system.audit import audit as run

    raise typer.Exit(0 if run(typer.echo) else 1)


@app.command(context_settings={"ignore_unknown_options": True})
def test(
    quick: Annotated[bool, typer.Option("--quick", help="The gate and the tests that need no service.")] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Faults and soaks at full length, too, from fresh seeds and random examples.")
    ] = False,
    mutations: Annotated[
        bool, typer.Option("--mutations", help="Plant faults in a copy: do the tests catch them?")
    ] = False,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed on to one pytest, which then runs without the gate.")
    ] = None,
) -> None:
    """The gate (lint, format, types, examples, pages) and the test suite, on the real services."""
    from infra.cli.run_tests import plant_faults, run_tests

    if mutations:
        raise typer.Exit(plant_faults(arguments or []))
    raise typer.Exit(run_tests(quick, all_, arguments or []))


def main() -> None:
    """Run the command line; an error that is meant for the user is one line, not a traceback."""
    try:
        app(prog_name="./martlet")
    except MartletError as error:
        typer.echo(f"martlet: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        line = refusal_of(error)
        if line is None:
            raise
        typer.echo(f"martlet: {line}", err=True)
        sys.exit(1)
