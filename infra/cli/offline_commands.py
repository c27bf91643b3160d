"""Offline commands: features, models, embeddings and evaluation."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInput, Broken
from infra.cli.home_option import DEFAULT_HOME, HomeOption, home_of
from infra.home.running import ports_of, running_status

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
    from infra.home.record import HomeRecord
    from infra.offline_jobs import base_from_log as log
    from infra.offline_jobs import runner

    target = home_of(home).make()
    if from_log:
        running_status(target)
    record = HomeRecord(target)
    if record.is_new:
        record.describe(None, None)
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
    record = HomeRecord(target)  # read again: it took minutes, and others may have changed it
    record.set_next_base(number)
    record.save()
    typer.echo(f"base {number} made; the next ./martlet up starts from it and {after}")


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
    if not runner.has_training_data(target, number):
        raise runner.no_training_data(target, number)
    if go_on:
        bootstrap = ports_of(target).bootstrap
        runner.train_on(target, number, bootstrap, names, version, typer.echo)
    elif version is not None:
        raise BadInput("--from", "--go-on with it", str(version))
    else:
        runner.train(target, number, names, typer.echo)


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
    report(Console(highlight=False), all_samples(ports_of(target).bootstrap), HomeRecord(target).base().schema)


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
    typer.echo(f"embeddings in {runner.embed(target, HomeRecord(target), typer.echo, master)}")


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
    rows: Annotated[int | None, typer.Option(min=1, help="With --live: only so many rows.  [default: all]")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report.  [default: HOME/evaluation]")] = None,
) -> None:
    """How good the lists are: walk what comes after the home's history in time order, ask before each row is learned."""
    from infra.home.record import HomeRecord
    from infra.offline_jobs import evaluate as evaluation

    target = home_of(home)
    number = HomeRecord(target).base_number
    if number is None:
        raise Broken(f"{target.path} has no base yet: ./martlet up or ./martlet features makes it")
    folder = (out or target.path / "evaluation").resolve()
    if live:
        if model and len(model) > 1:
            raise BadInput("--model", "one model with --live, as events can be posted once", ", ".join(model))
        address = str(running_status(target)["address"])
        bootstrap = ports_of(target).bootstrap
        chosen = model[0] if model else None
        evaluation.over_http(target, address, bootstrap, HomeRecord(target).base(), chosen, rows, folder)
    elif recall:
        evaluation.recall(target, number, typer.echo)
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

    runner.publish(home_of(home).make(), folder.resolve(), model, force, typer.echo)


@app.command()
def rollback(
    model: Annotated[str, typer.Option("--model", help="The model whose newest version is withdrawn.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Withdraw a model's newest version: the one before it answers within the server's poll time."""
    from models.registry import rollback as withdraw

    now = withdraw(home_of(home).models, model)
    typer.echo(f"{model} is back at version {now}")
