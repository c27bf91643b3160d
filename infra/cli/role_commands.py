"""Roles that run alone in the foreground, for containers: the API, the keeper of the job, the watch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from features.errors import MartletError, Unavailable
from features.store.job_status import MAX_SUBTASKS
from features.units import DAY_S
from infra.cli.home_option import DEFAULT_HOME, HomeOption, home_of
from infra.home.paths import Home
from infra.settings.reading import value_of
from infra.up_options import UpOptions

app = typer.Typer()
API_PORT: Final = 8000
WATCH_PORT: Final = 9464
WRONG, AWAY = 1, 3
"""Exit codes: something is wrong until somebody changes it; something does not answer, and may later."""


@contextmanager
def exit_codes(home: Home) -> Iterator[None]:
    """End the command with the code of an error, which is one line, in the form that `log.format` says."""
    try:
        yield
    except MartletError as error:
        _report(home, f"martlet: {error}")
        raise typer.Exit(AWAY if isinstance(error, Unavailable) else WRONG) from error


def _report(home: Home, text: str) -> None:
    try:
        form = value_of(home, "log.format", None)
    except MartletError:  # that it can't be read is the error
        form = "text"
    if form != "json":
        typer.echo(text, err=True)
        return
    import logging

    from online.support.log_lines import configure_logging

    configure_logging("json")
    logging.getLogger(__name__).error(text)


@app.command("api")
def api_role(
    home: HomeOption = DEFAULT_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API and the pages.")] = API_PORT,
) -> None:
    """The API alone, in the foreground, for containers: all engines are those that the settings name.

    SIGTERM answers what is in progress, then exits with 0; 1: something wrong in settings or home; 3: it could not start."""
    os.environ |= {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name not in os.environ}
    with exit_codes(home_of(home)):
        from infra.roles.api_role import run_api

        run_api(home_of(home), port)


@app.command("job")
def job_role(
    home: HomeOption = DEFAULT_HOME,
    parallelism: Annotated[int | None, typer.Option(min=1, max=MAX_SUBTASKS, help="As of `up`; it stays.")] = None,
    state: Annotated[str | None, typer.Option(help="As of `up`: memory or rocksdb; it stays.")] = None,
    attribution: Annotated[int | None, typer.Option(min=1, max=DAY_S, help="As of `up`; it stays.")] = None,
) -> None:
    """The job's keeper alone, in the foreground, for containers: it runs the job in the Flink that the settings name.

    SIGTERM stops the job with a savepoint, then exits with 0; 1: something wrong in settings or home; 3: an engine does not
    answer, or the job does not run."""
    from infra.flink.cluster import require_state

    with exit_codes(home_of(home)):
        require_state(state)
        from infra.roles.job_role import run_job

        run_job(home_of(home), UpOptions(parallelism=parallelism, state=state, attribution=attribution))


@app.command("watch")
def watch_role(
    home: HomeOption = DEFAULT_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of its metrics.")] = WATCH_PORT,
) -> None:
    """The watch alone, in the foreground, for containers: alarms, metrics, the model server's configuration, judge.

    SIGTERM ends what it has started, then exits with 0; 1: something wrong in settings or home; 3: an engine does not answer."""
    with exit_codes(home_of(home)):
        from infra.roles.watch_role import run_watch

        run_watch(home_of(home), port)
