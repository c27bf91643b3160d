"""What provokes a replay, as options of the command line; and options whose value may be left out."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from infra.replay.perturbation import COPIES, FAR, HELD, SHUFFLE

Shuffle = Annotated[
    int | None,
    typer.Option(
        metavar="[WINDOW]",
        min=2,
        max=1_000_000,
        help=f"Out of event time: every WINDOW rows are mixed ({SHUFFLE:,} if left out).",
    ),
]
Duplicate = Annotated[
    int | None,
    typer.Option(
        metavar="[MAX]",
        min=2,
        max=10,
        help=f"Each event 1 to MAX times ({COPIES} if left out), with the same event_id: half of the copies right behind "
        f"it, half up to {FAR:,} events later.",
    ),
]
Late = Annotated[
    float | None,
    typer.Option(
        metavar="FRACTION",
        min=0,
        max=1,
        help="Hold this share of the events back to the end; they keep their own, old times. At most "
        f"{HELD:,} are held, then the one held longest is sent.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0, help="Of --shuffle, --duplicate and --late: the same gives the same stream (chosen and printed)."
    ),
]
PROVOKED = {"--shuffle": SHUFFLE, "--duplicate": COPIES}
"""What these stand for without a value."""


def filled(arguments: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """The arguments, with an option's value where the option is the last one or another option follows it.

    >>> filled(["--shuffle", "--late", "0.1"], {"--shuffle": 10})
    ['--shuffle', '10', '--late', '0.1']
    """
    full: list[str] = []
    for at, argument in enumerate(arguments):
        full.append(argument)
        bare = at + 1 == len(arguments) or arguments[at + 1].startswith("-")
        if argument in values and bare:
            full.append(str(values[argument]))
    return full


def command_with(values: Mapping[str, object]) -> type[TyperCommand]:
    """A command class for Typer, which knows no options with a value that may be left out."""

    class WithOptionalValues(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, filled(args, values))

    return WithOptionalValues
