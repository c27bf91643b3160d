"""Lists while the version of their model changes in a running home: `./martlet bench swap`.

Two kinds of runs alternate: one without changes; in the other a copy of the newest version is published after a quarter of the
time, and withdrawn after three quarters. The home ends with the versions that it had; each such run uses up a number.
"""

import os
import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import percentile
from benchmarks.latency.requests import WARM, Responses, Workload, load
from features.errors import BadInput, Unavailable
from infra.home.paths import Home
from models.registry import list_versions, publish, rollback, staging_folder, version_folder


def _stage(models: Path, name: str) -> Path:
    staged = staging_folder(models, name)
    newest = version_folder(models, name, list_versions(models, name)[-1])
    return Path(shutil.copytree(newest, staged, dirs_exist_ok=True))


def _swap(models: Path, name: str, staged: Path, seconds: float) -> None:
    """Publish and withdraw a version through the registry."""
    time.sleep(WARM + seconds / 4)
    publish(staged, models, name)
    time.sleep(seconds / 2)
    rollback(models, name)


def run(home: Path, model: str, callers: int, seconds: float, runs: int) -> None:
    """Print a line per run, and how the medians compare. Raises BadInput for a model without a version, Unavailable if no list is
    served."""
    running, models = Running(Home(home)), Home(home).models
    if not list_versions(models, model):
        raise BadInput("--model", "one that is trained", model)
    base = running.films()
    workload = Workload(model, 20, 0, [int(each) for each in base.user_ids], sorted(base.catalogue))
    print(f"lists of 20 by {model}, {callers} callers, load average before {os.getloadavg()[0]:.1f}")
    p99: dict[bool, list[float]] = {False: [], True: []}
    with ThreadPoolExecutor(1) as background:
        for swapped in (False, True) * runs:
            swap = background.submit(_swap, models, model, _stage(models, model), seconds) if swapped else None
            responses, rate = load(running.api, workload, callers, seconds)
            if swap is not None:
                swap.result(seconds)
            if not responses.ms:
                raise Unavailable(f"no list was answered in {seconds:.0f} s")
            p99[swapped].append(_print_run("published, withdrawn" if swapped else "nothing beside", responses, rate))
    with_swaps, without = statistics.median(p99[True]), statistics.median(p99[False])
    print(f"  p99 with swaps {with_swaps:.1f} ms, without {without:.1f}: {with_swaps / without:.2f} times")


def _print_run(what: str, responses: Responses, rate: float) -> float:
    p99 = percentile(responses.ms, 0.99)
    print(
        f"  {what:<21} {rate:5.0f} a second, p50 {statistics.median(responses.ms):.1f} ms, p99 {p99:.1f}, worst "
        f"{max(responses.ms):.1f}; {responses.degraded} of {len(responses.ms)} degraded, {responses.failed} more failed"
    )
    return p99
