"""Offline commands: features, models, embeddings and evaluation."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInput, Broken, Unavailable
from infra.cli.home_option import DEFAULT_HOME, HomeOption, home_of
from infra.home.paths import Home
from infra.home.running import engines_of, running_status
from infra.home.schema_file import schema_of
from infra.system.times import wall_ms

app = typer.Typer()


@app.command()
def features(
    home: HomeOption = DEFAULT_HOME,
    from_log: Annotated[
        bool,
        typer.Option(
            "--from-log", help="A base of what the running home has folded, instead of the data set's history."
        ),
    ] = False,
    master: Annotated[str | None, typer.Option(help="Spark master.  [default: local]")] = None,
) -> None:
    """Spark: make a new base for the next `up`: of the home's data set, with training samples, or of its log."""
    from infra.flink.job_control import job_settings
    from infra.home.record import HomeRecord
    from infra.offline_jobs import base_from_log as log
    from infra.offline_jobs import runner
    from infra.offline_jobs.renewal import take_for_next_start
    from infra.settings.reading import value_of

    target = home_of(home)
    if from_log:
        job_settings(target)
    target.make()
    record = HomeRecord(target)
    if record.is_new:
        record.describe(None, None)
    record.divide(value_of(target, "kafka.partitions", None))
    record.save()
    number = record.free_base_number()
    if not from_log:
        runner.prepare(target, record, number, typer.echo, master)
        after = "folds the whole log again"
    elif log.make(target, record, number, typer.echo, master):
        after = "folds what came into the log since"
    else:
        typer.echo(f"nothing to do: the job has folded nothing since base {record.base_number} was made")
        return
    if from_log:
        runner.prepare_learned(target, record, number, typer.echo, master)
    take_for_next_start(target, number)
    typer.echo(
        f"base {number} made: a running API recalls by its weights between items; the next ./martlet up starts from it "
        f"and {after}"
    )


@app.command()
def train(
    home: HomeOption = DEFAULT_HOME,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model of models/nets; may be given again.")
    ] = None,
    go_on: Annotated[
        bool,
        typer.Option(
            "--go-on", help="Don't begin anew: go on from the newest version, on what the running home has shown."
        ),
    ] = False,
    version: Annotated[int | None, typer.Option("--from", min=1, help="With --go-on: from this version.")] = None,
) -> None:
    """Keras: train models on the home's samples, check them, and publish them as new versions."""
    from infra.home.record import HomeRecord
    from infra.offline_jobs import runner
    from infra.services import model_server_config

    target = home_of(home)
    record = HomeRecord(target)
    # what the running home has shown was ranked by the base in use; a base to come is learned from anew
    number = record.base_number if go_on else record.newest_base
    if number is None:
        raise Broken(f"{target.path} has no base yet: ./martlet up or ./martlet features makes it")
    names = model or list(model_server_config.FIRST_MODELS)
    runner.make_training_data_current(target, record, number, typer.echo)
    if go_on:
        engines_of(target)
        runner.train_on(target, number, names, version, typer.echo)
        mirror_models(target)
    elif version is not None:
        raise BadInput("--from", "--go-on with it", str(version))
    else:
        runner.train(target, number, names, typer.echo)
        mirror_models(target)


def mirror_models(home: Home) -> None:
    """Write versions that were published to the home's model store, where `models.store` names one; else no other setting is
    examined. Where that can't be done now it is told: a running home does it, or the next command."""
    from infra.attached.store_entry import MODELS, mirrored_to
    from infra.home.record import HomeRecord
    from infra.settings.reading import settings_of, value_of
    from infra.storage.mirror_service import mirror_once

    try:
        if value_of(home, MODELS, None) is None:
            return
        home_id = HomeRecord(home).home_id
        if home_id and (mirrored := mirrored_to(settings_of(home), home_id)) is not None:
            mirror_once(home, mirrored.opened(), typer.echo)
    except (BadInput, Unavailable) as error:
        typer.echo(f"not in the model store yet: {error}", err=True)


@app.command()
def models(home: HomeOption = DEFAULT_HOME) -> None:
    """Versions of every model, the newest first, with their metrics."""
    from models.registry.__main__ import show

    show(home_of(home).models)


@app.command()
def experiments(home: HomeOption = DEFAULT_HOME) -> None:
    """What came of the experiments that serving.json declares: of each arm's lists, how many found something liked."""
    from rich.console import Console

    from infra.home.record import HomeRecord
    from offline.evaluation.experiments import all_samples, report

    target = home_of(home)
    report(Console(highlight=False), all_samples(engines_of(target).kafka), HomeRecord(target).base().schema)


@app.command()
def embeddings(
    home: HomeOption = DEFAULT_HOME,
    master: Annotated[str | None, typer.Option(help="Spark master.  [default: local]")] = None,
) -> None:
    """Spark: embeddings of items and users by ALS, Item2vec and DeepWalk, as the next version. A running home recalls by them
    within seconds; `evaluate` compares them too."""
    from infra.home.record import HomeRecord
    from infra.offline_jobs import runner

    target = home_of(home)
    number = HomeRecord(target).newest_base
    if number is None:
        raise Broken(f"{target.path} has no base yet: ./martlet up or ./martlet features makes it")
    typer.echo(f"embeddings in {runner.embed(target, number, typer.echo, master)}")


@app.command()
def learn(
    home: HomeOption = DEFAULT_HOME,
    once: Annotated[
        bool, typer.Option("--once", help="Learn now what was shown since the last slice, in the foreground.")
    ] = False,
    run: Annotated[
        bool,
        typer.Option("--run", help="Learn from now on, in the foreground, for containers; SIGTERM ends it with 0."),
    ] = False,
) -> None:
    """What the learner has learned, slice by slice; --once: one cycle now (exit code 3: there was nothing to learn; 130: it was
    stopped by a signal); --run: as a role by itself (exit code 1: something is wrong; 3: nobody runs the home's job)."""
    from infra.learning.learner_view import state_lines

    target = home_of(home)
    if once and run:
        raise BadInput("learn", "--once or --run", "both")
    if run:
        from infra.cli.role_commands import exit_codes
        from infra.roles.learn_role import run_learn

        with exit_codes(target):
            run_learn(target)
        return
    if once:
        _learn_now(target)
        return
    for line in state_lines(target):
        typer.echo(line)


def _learn_now(home: Home) -> None:
    """Learn once; a signal to stop is no end without a word, which would count as an attempt."""
    from infra.learning.learner_loop import learn_once
    from infra.system.stop_signal import StopSignal

    StopSignal().install()
    try:
        is_learned = learn_once(home, typer.echo)
    except KeyboardInterrupt:
        typer.echo("stopped: the next run learns what was shown")
        raise typer.Exit(130) from None
    if not is_learned:
        typer.echo("nothing to learn: too little was liked of what was shown since the last slice")
        raise typer.Exit(3)
    mirror_models(home)


@app.command()
def evaluate(
    home: HomeOption = DEFAULT_HOME,
    model: Annotated[list[str] | None, typer.Option("--model", help="May be given again.  [default: all]")] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Also with features that are late: what freshness is worth.")
    ] = False,
    peers: Annotated[
        bool,
        typer.Option(
            "--peers", help="Also other libraries, from an environment of their own that is made for it (6 GB)."
        ),
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="Ask the running home over HTTP and post each row: a home with nothing replayed yet."
        ),
    ] = False,
    recall: Annotated[
        bool, typer.Option("--recall", help="Instead: how much of what comes next each recall channel finds.")
    ] = False,
    constants: Annotated[
        bool,
        typer.Option("--constants", help="Instead: the signals' constants, each by the end of the history alone."),
    ] = False,
    training_constant: Annotated[
        list[str] | None,
        typer.Option(
            "--training-constant",
            help="Instead: a training constant of sequence models, or `all`, by the history alone. May be given again.",
            metavar="NAME",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="With --training-constant: so many trainings of each value.")] = 3,
    anew: Annotated[
        int | None,
        typer.Option(
            min=1, help="Instead: from the data set on, so many times: ties in another order, base and models of each."
        ),
    ] = None,
    ties: Annotated[
        str, typer.Option(help="With --anew: the order of rows of one second, by a hash or by id.", metavar="hash|id")
    ] = "hash",
    renew: Annotated[
        int,
        typer.Option(
            min=0,
            help="With --anew: make all anew so often on the way, too, and let weights go on between, as one that learns.",
        ),
    ] = 0,
    rows: Annotated[int | None, typer.Option(min=1, help="With --live: only so many rows.  [default: all]")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report.  [default: HOME/evaluation]")] = None,
) -> None:
    """How good the lists are: walk what comes after the home's history in time order, ask before each row is learned."""
    from infra.home.record import HomeRecord
    from infra.offline_jobs import evaluate as evaluation
    from infra.services.api import plain_address

    instead = {
        "--live": live,
        "--recall": recall,
        "--constants": constants,
        "--training-constant": bool(training_constant),
        "--anew": anew is not None,
    }
    given = [name for name, is_given in instead.items() if is_given]
    if len(given) > 1:
        raise BadInput("evaluate", f"at most one of {', '.join(instead)}", " and ".join(given))
    if renew and not anew:
        raise BadInput("--renew", "--anew with it", str(renew))
    target = home_of(home)
    number = HomeRecord(target).newest_base if anew else HomeRecord(target).base_number
    if number is None:
        raise Broken(f"{target.path} has no base yet: ./martlet up or ./martlet features makes it")
    folder = (out or target.path / "evaluation").resolve()
    if live:
        if model and len(model) > 1:
            raise BadInput("--model", "one model with --live, as events can be posted once", ", ".join(model))
        address = plain_address(running_status(target))
        chosen = model[0] if model else None
        evaluation.over_http(target, address, engines_of(target).kafka, HomeRecord(target).base(), chosen, rows, folder)
    elif recall:
        evaluation.recall(target, number, typer.echo)
    elif constants:
        evaluation.constants(target, number, typer.echo)
    elif training_constant:
        evaluation.training_constants(target, number, training_constant, seeds, typer.echo)
    elif anew:
        from infra.offline_jobs.seeded_runs import TIES, evaluate_anew
        from infra.services.model_server_config import FIRST_MODELS
        from models.learning.fit_to_learn import require_fit

        if ties not in TIES:
            raise BadInput("--ties", " or ".join(TIES), ties)
        for name in model or [] if renew else []:
            require_fit(name, "--model with --renew")
        evaluate_anew(target, number, model or [FIRST_MODELS[0]], anew, ties, folder / "anew", typer.echo, renew)
    else:
        evaluation.in_memory(target, number, model or [], late, peers, folder, typer.echo)


@app.command()
def publish(
    folder: Annotated[
        Path, typer.Argument(help="A version's folder: SavedModel and manifest.json, as training exports it.")
    ],
    model: Annotated[str, typer.Option("--model", help="The name to publish it under.")],
    home: HomeOption = DEFAULT_HOME,
    force: Annotated[
        bool, typer.Option("--force", help="Even if its metric is worse than the live version's.")
    ] = False,
) -> None:
    """Hold an exported model to the gate, and publish it as the next version."""
    from infra.offline_jobs import runner

    target = home_of(home).make()
    runner.publish(target, folder.resolve(), model, force, typer.echo)
    mirror_models(target)


@app.command()
def rollback(
    model: Annotated[str, typer.Option("--model", help="The model whose newest version is withdrawn.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Have the version before rank again, within the server's poll time: the newest one is taken away; where versions are judged,
    the one that ranks gives way to the last good one."""
    from models.registry import withdraw

    target = home_of(home)
    now = withdraw(target.models, model, wall_ms(), schema_of(target).digest)
    typer.echo(f"{model} is back at version {now}")
    mirror_models(target)


@app.command()
def promote(
    model: Annotated[str, typer.Option("--model", help="The model.")],
    version: Annotated[int, typer.Option("--version", help="The version that is to rank.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Have a version rank from now on, by hand, in a home that judges its versions. It is held to the one before, and goes if
    that is better."""
    from infra.judging.judge_service import is_judged
    from models.registry import promote as label

    target = home_of(home)
    if not is_judged(target):
        why = (
            f'"judge" in serving.json of {target.path}: without it the newest version ranks, and rollback withdraws it'
        )
        raise BadInput("promote", why, "none")
    label(target.models, model, version, wall_ms(), schema_of(target).digest)
    typer.echo(f"{model} version {version} ranks from now on")
    mirror_models(target)
