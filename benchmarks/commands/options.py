"""The options that several benchmarks have in common."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import BadInput
from infra.flink.cluster import MEMORY, ROCKSDB

if TYPE_CHECKING:
    from benchmarks.harness.homes import Shape

Clicks = Annotated[int, typer.Option(min=1, max=100_000, help="Clicks, one after another.")]
RunningHome = Annotated[Path, typer.Option("--home", help="A running home. What is written into its log stays there.")]
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


def shape_of(parallelism: int | None, state: str | None) -> "Shape":
    from benchmarks.harness.homes import Shape

    if state not in (None, MEMORY, ROCKSDB):
        raise BadInput("--state", f"{MEMORY} or {ROCKSDB}", str(state))
    return Shape(parallelism, state)
