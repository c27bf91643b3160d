"""The commands about one's own data: `init` proposes what files mean, `export` gives back what a home has."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInput
from features.schema.document import preset_names, read_document
from infra.cli.home_option import DEFAULT_HOME, HomeOption, home_of

app = typer.Typer()


@app.command()
def init(
    source: Annotated[
        list[Path],
        typer.Option("--from", help="A folder with files of events and items, or such a file; may be repeated."),
    ],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More files.")] = None,
    home: HomeOption = DEFAULT_HOME,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"What to start from: {', '.join(preset_names())}.  [default: the one that knows most of the kinds]"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a schema.toml and dataset.toml that are there.")
    ] = False,
) -> None:
    """Look at your own data, CSV, NDJSON or Parquet, and propose what it means: schema.toml and dataset.toml in a new home."""
    from infra.home.own_data import init_home
    from infra.home.record import HomeRecord

    if preset is not None:
        read_document(f'preset = "{preset}"', "--preset")
    target = home_of(home)
    if HomeRecord(target).has_base:
        raise BadInput("--home", "a home that has no base yet (another folder is another home)", str(target.path))
    for line in init_home(target, [*source, *(more or ())], preset, force):
        typer.echo(line)


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", help="A new or empty folder.")],
    form: Annotated[str, typer.Option("--format", help="parquet or ndjson.")] = "parquet",
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Write a running home's items and events, history and log, as files that init and up --dataset take.

    What was undone is left out, and of a user who was forgotten all before."""
    from infra.offline_jobs.export_files import export_files

    for line in export_files(home_of(home), to.resolve(), form):
        typer.echo(line)
