"""`./martlet bench` (`python -m benchmarks`): one subcommand per benchmark."""

import signal
import sys
from types import FrameType
from typing import Final

import httpx
import typer

from benchmarks.commands import fault_benchmarks as faults
from benchmarks.commands import job_benchmarks as job
from benchmarks.commands import list_benchmarks as lists
from benchmarks.commands import quality_benchmarks as quality
from benchmarks.commands.options import BackgroundRate, Clicks, RunningHome
from features.errors import BadInput, MartletError
from infra.cli.home_option import DEFAULT_HOME
from infra.system.stop_signal import outlives_terminal

COMMANDS: Final = (
    job.backlog,
    job.fold,
    lists.requests,
    job.steady,
    job.endurance,
    job.rest,
    faults.recovery,
    faults.losses,
    faults.cut,
    lists.attached,
    job.million,
    job.growth,
    lists.ann,
    lists.recall,
    lists.vectors,
    lists.facets,
    lists.ladder,
    lists.swap,
    lists.pages,
    quality.sessions,
    quality.simulator,
)
"""In the order of the help."""

app = typer.Typer(
    help="Performance figures. Alone: from a click to the list that knows of it, in the running home.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line; an error that is meant for the user is one line, not a traceback."""
    end_in_order()
    try:
        app(prog_name="./martlet bench")
    except httpx.HTTPStatusError as error:
        answer = error.response
        typer.echo(f"martlet: {answer.url}: {answer.status_code} {answer.text[:500]}", err=True)
        sys.exit(1)
    except (MartletError, httpx.HTTPError) as error:
        typer.echo(f"martlet: {error}", err=True)
        sys.exit(1)


def end_in_order() -> None:
    """Have SIGTERM and SIGHUP end a benchmark as Ctrl-C does: what it has started ends, what it has suspended goes on. With nohup
    SIGHUP ends nothing."""
    for number in (signal.SIGTERM,) if outlives_terminal() else (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
