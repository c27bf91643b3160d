"""From samples to published versions: train, export, check, publish; one model after the other."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from features.base import Base
from features.errors import Broken
from models import nets
from models.nets.parts.net import UNKNOWN_ID, Net
from models.registry import DataSeen, publish, staging_folder
from models.training import gate
from models.training.export import stage
from models.training.fit import Fitted, fit, predictor
from models.training.metrics import measure, popularity_scores
from models.training.runtime import peak_megabytes
from models.training.samples import MAX_ROWS, Samples, read_samples


@dataclass(frozen=True)
class Options:
    """What to train on and how. base: the base whose features the samples carry, None where it is not known."""

    samples: Path
    models: Path
    names: tuple[str, ...]
    base: Path | None = None
    epochs: int = 5
    seed: int = 7
    force: bool = False
    max_rows: int = MAX_ROWS


def evaluate(net: Net, fitted: Fitted, samples: Samples) -> dict[str, float]:
    """Metrics on validation: the model's, the same with every user unknown, and those of the baselines.

    Validation also chose the epoch (early stopping), so the model's own figures are a little kind.

    auc, gauc, log_loss; new_users_…: every user id replaced by an unknown one; popularity_…: an item's share of
    positives in training; constant_log_loss: the overall share; known_users: share of rows whose user the model knows.
    """
    part, train = samples.validation, samples.train
    users, labels = part.inputs["userId"], part.labels
    predict = predictor(net, fitted.model, samples.widths)
    scores = predict(part.inputs)
    strangers = predict({**part.inputs, "userId": np.full_like(users, UNKNOWN_ID)})
    popular = popularity_scores(train.inputs["movieId"], train.labels, part.inputs["movieId"])
    constant = measure(users, labels, np.full(len(labels), train.labels.mean()), "constant_")
    return {
        **measure(users, labels, scores),
        **measure(users, labels, strangers, "new_users_"),
        **measure(users, labels, popular, "popularity_"),
        "constant_log_loss": constant["constant_log_loss"],
        "known_users": round(float(np.isin(users, fitted.context.user_ids).mean()), 6),
    }


def gate_and_publish(staged: Path, models_dir: Path, name: str, force: bool = False) -> int:
    """Hold a staged version to its manifest and to the live version, then publish it; returns its number.

    `force` skips the comparison with the live version, nothing else. Raises Broken with the reason; the staged folder
    stays where it is.
    """
    manifest = gate.check_version(staged)
    if not force:
        gate.check_not_worse(manifest, gate.live_version(models_dir, name))
    return publish(staged, models_dir, name)


def _train(net: Net, samples: Samples, options: Options, progress: Any) -> Fitted:
    rows = len(samples.train)
    task = progress.add_task(net.name, total=rows * options.epochs, loss=float("nan"))

    def tell(epoch: int, done: int, loss: float) -> None:
        progress.update(task, completed=(epoch - 1) * rows + done, loss=loss)

    fitted = fit(net, samples, options.epochs, options.seed, tell)
    progress.update(task, completed=rows * options.epochs)
    return fitted


def _line(metrics: dict[str, float], prefix: str = "") -> str:
    known = [name for name in ("auc", "gauc", "log_loss") if prefix + name in metrics]
    return ", ".join(f"{name} {metrics[prefix + name]:.4f}" for name in known)


def _one(net: Net, samples: Samples, options: Options, base: str, progress: Any, console: Console) -> int:
    started = time.monotonic()
    fitted = _train(net, samples, options, progress)
    for epoch in fitted.epochs:
        console.print(
            f"{net.name} epoch {epoch.number}: loss {epoch.loss:.4f}, validation auc {epoch.auc:.4f}, "
            f"log loss {epoch.log_loss:.4f}"
        )
    metrics = evaluate(net, fitted, samples)
    data = DataSeen(
        dataset=samples.dataset,
        base=base,
        rows=len(samples.train),
        validation_rows=len(samples.validation),
        users=len(fitted.context.user_ids),
        items=len(fitted.context.item_ids),
        from_ms=samples.from_ms,
        to_ms=samples.to_ms,
        seed=options.seed,
    )
    staged = staging_folder(options.models, net.name)
    try:
        stage(net, fitted.model, samples, metrics, data, staged)
        version = gate_and_publish(staged, options.models, net.name, options.force)
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # gone already once published
    console.print(
        f"{net.name} version {version}: {_line(metrics)} | all users unknown: {_line(metrics, 'new_users_')} | "
        f"popularity: {_line(metrics, 'popularity_')} | constant: {_line(metrics, 'constant_')} | "
        f"{time.monotonic() - started:.1f} s"
    )
    return version


def train_all(options: Options, console: Console, find: Callable[[str], Net] = nets.find) -> dict[str, int]:
    """Train, check and publish every model of `options`; returns the version of each.

    A model that fails does not stop the others. Raises Broken at the end that names each that failed, and why;
    BadInput where `find` knows no net of a name.
    """
    started = time.monotonic()
    chosen = [find(name) for name in options.names]
    base = "" if options.base is None else Base(options.base).folder.resolve().name
    samples = read_samples(options.samples, sorted({name for net in chosen for name in net.inputs}), options.max_rows)
    console.print(
        f"{len(samples.train)} rows to train, {len(samples.validation)} newer ones to validate"
        + (f", {samples.dropped} older ones left out (--max-rows)" if samples.dropped else "")
        + f"; read in {time.monotonic() - started:.1f} s"
    )
    done: dict[str, int] = {}
    failed: list[str] = []
    loss = TextColumn("loss {task.fields[loss]:.4f}")
    columns = (TextColumn("{task.description}"), BarColumn(), loss, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for net in chosen:
            try:
                done[net.name] = _one(net, samples, options, base, progress, console)
            except Broken as error:
                failed.append(f"{net.name} refused: {error}")
    console.print(f"{time.monotonic() - started:.1f} s, peak memory {peak_megabytes()} MB")
    if failed:
        raise Broken("; ".join(failed))
    return done
