"""Figures over the time of a run: in windows, and as a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray

SHARES: Final = {"p50": 0.5, "p99": 0.99}


class Panel(NamedTuple):
    """One of the plots below each other: what its y-axis says, and its lines (name → one value a window, NaN for none). Values
    that differ by orders of magnitude are drawn on a logarithmic axis."""

    label: str
    lines: Mapping[str, npt.ArrayLike]
    logarithmic: bool = False


def in_windows(at: DoubleArray, values: DoubleArray, edges: DoubleArray) -> dict[str, DoubleArray]:
    """Returns for each of SHARES the quantile of the values in each window; NaN in one that has none. `at`: when each value was
    taken; a window goes from one edge to the next, which is not in it.

    >>> found = in_windows(np.array([0.0, 1, 5]), np.array([3.0, 4, 8]), np.array([0.0, 2, 4, 6]))
    >>> found["p50"].tolist()
    [3.5, nan, 8.0]
    """
    window = np.searchsorted(edges, at, side="right") - 1
    groups = [values[window == number] for number in range(len(edges) - 1)]
    return {
        name: np.array([np.quantile(group, share) if len(group) else np.nan for group in groups])
        for name, share in SHARES.items()
    }


def plot(
    path: Path, title: str, seconds: DoubleArray, panels: Sequence[Panel], marks: Sequence[tuple[float, float]]
) -> None:
    """Draw the panels over the windows' beginnings (s since the start), with spans of time marked, such as checkpoints."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shape: dict[str, Any] = {"figsize": (10, 1.0 + 2.4 * len(panels)), "layout": "constrained"}
    figure, axes = pyplot.subplots(len(panels), sharex=True, squeeze=False, **shape)
    for panel, drawn in zip(panels, axes[:, 0], strict=True):
        for start, end in marks:
            drawn.axvspan(start, end, color="0.88", linewidth=0)
        for name, values in panel.lines.items():
            drawn.plot(seconds, values, label=name, linewidth=1)
        drawn.set_ylabel(panel.label)
        if panel.logarithmic:
            drawn.set_yscale("log")
        else:
            drawn.set_ylim(bottom=0)
        drawn.legend(fontsize=7, loc="upper right", ncols=4)
    axes[0, 0].set_title(title, fontsize=9)
    axes[-1, 0].set_xlabel("s")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
