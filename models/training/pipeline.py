"""From samples to published versions: train, export, check, publish; one model after the other."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from features.base.reader import Base
from features.errors import BadInput, Broken
from features.inputs.input_maps import COLUMN_INPUTS, InputMaps
from features.version import VERSION
from models import nets
from models.nets.parts.net import UNKNOWN_ID, Net
from models.registry import DataSeen, Manifest, list_versions, publish, require_schema, staging_folder, version_folder
from models.training import promotion_gate
from models.training.effort import FULL, Effort
from models.training.export import stage
from models.training.fitting.checkpoint import FOLDER, Resume
from models.training.fitting.fit_lists import fit_on_lists, scores_of
from models.training.fitting.fit_rows import Fitted, fit, predictor
from models.training.fitting.warm_start import Earlier, read_earlier
from models.training.lessons.digest import digest_of
from models.training.lessons.lesson_reader import LessonReader, Lessons
from models.training.lessons.list_data import RankingLists
from models.training.lessons.row_data import MAX_ROWS, Samples
from models.training.list_metrics import measured
from models.training.row_metrics import measure, popularity_scores
from models.training.runtime import code_revision, peak_megabytes


@dataclass(frozen=True)
class Options:
    """What to train on and how.

    ranking_lists  the folder for nets that learn from lists or sequences
    base           the base whose features the samples carry, None where it is not known
    go_on          from this version of each model (its newest one where 0), on what is newer than all that it learned from;
                   None is anew, on everything
    epochs         at most so many over rows
    effort         those over lists and sequences
    """

    samples: Path
    models: Path
    names: tuple[str, ...]
    base: Path | None = None
    ranking_lists: Path | None = None
    epochs: int = 5
    seed: int = 7
    force: bool = False
    max_rows: int = MAX_ROWS
    go_on: int | None = None
    effort: Effort = FULL


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


def gate_and_publish(staged: Path, models_dir: Path, name: str, force: bool = False, schema: str | None = None) -> int:
    """Hold a staged version to its manifest, to the schema of the home's base (its digest, where it is known) and to the version
    that it is compared with, then publish it; returns its number.

    `force` skips the comparison, nothing else. Raises Broken with the reason; the staged folder
    stays where it is.
    """
    manifest = promotion_gate.check_version(staged)
    if schema is not None:
        require_schema(manifest, schema)
    if not force:
        promotion_gate.check_not_worse(manifest, promotion_gate.compared_version(models_dir, manifest))
    return publish(staged, models_dir, name)


def _train(
    net: Net, lessons: Lessons, options: Options, earlier: Earlier | None, resume: Resume, progress: Any
) -> tuple[Fitted, dict[str, float]]:
    """The model and its metrics on validation."""
    if isinstance(lessons, RankingLists):
        task = progress.add_task(net.name, total=None, loss=float("nan"))
        fitted = fit_on_lists(
            net,
            lessons,
            options.seed,
            lambda _, done, loss: progress.update(task, loss=loss),
            earlier,
            resume,
            options.effort,
        )
        progress.update(task, total=1, completed=1)
        return fitted, fitted.metrics
    rows = len(lessons.train)
    task = progress.add_task(net.name, total=rows * options.epochs, loss=float("nan"))

    def report(epoch: int, done: int, loss: float) -> None:
        progress.update(task, completed=(epoch - 1) * rows + done, loss=loss)

    fitted = fit(net, lessons, options.epochs, options.seed, report, earlier, resume)
    progress.update(task, completed=rows * options.epochs)
    return fitted, evaluate(net, fitted, lessons)


def _line(metrics: dict[str, float], prefix: str = "") -> str:
    known = [name for name in ("hr10", "ndcg10", "auc", "gauc", "log_loss") if prefix + name in metrics]
    return ", ".join(f"{name} {metrics[prefix + name]:.4f}" for name in known)


def data_seen(lessons: Lessons, fitted: Fitted, base: str, seed: int) -> DataSeen:
    """What a model has learned from. base: the name of the base's folder, "" where it is not known."""
    if isinstance(lessons, RankingLists):
        rows, validation_rows = lessons.rows, len(lessons.validation_lists)
    else:
        rows, validation_rows = len(lessons.train), len(lessons.validation)
    return DataSeen(
        dataset=lessons.dataset,
        base=base,
        rows=rows,
        validation_rows=validation_rows,
        users=len(fitted.context.user_ids),
        items=len(fitted.context.item_ids),
        from_ms=lessons.from_ms,
        to_ms=lessons.to_ms,
        seed=seed,
    )


def _going_on(net: Net, options: Options, reader: LessonReader) -> tuple[Earlier, Lessons]:
    """The version that a training goes on from, and what is newer than it. Raises BadInput for a version that is not there,
    Broken where nothing is newer, or the lessons are normalised otherwise or of another schema."""
    version = options.go_on or max(list_versions(options.models, net.name), default=0)
    earlier = read_earlier(options.models, net.name, version)
    lessons = reader.read(net, earlier.manifest.data.to_ms)
    require_schema(earlier.manifest, lessons.schema)
    if lessons.maps != earlier.manifest.maps:
        raise Broken(f"version {version} normalises by maps of another base than the lessons have: train it anew")
    return earlier, lessons


def scorer_of(folder: Path, manifest: Manifest) -> Callable[..., Any]:
    """The version in a folder as a function from model inputs, which may have more signals than it takes, to scores [n, 1]."""
    loaded = tf.saved_model.load(str(folder))
    call, output, signals = loaded.signatures["serving_default"], manifest.outputs[0], manifest.width_of("signals")

    def score(inputs: dict[str, Any], **_: Any) -> Any:
        if signals:
            inputs = {**inputs, "signals": inputs["signals"][:, :signals]}
        return call(**{each.name: tf.constant(inputs[each.name]) for each in manifest.inputs})[output]

    return score


def live_metrics(net: Net, lessons: Lessons, models: Path, under: Callable[[InputMaps], Lessons]) -> dict[str, float]:
    """The live version's auc on the validation of these lessons, by the name under which the gate looks for it; nothing where
    there is no such version, or it takes other inputs or columns. under: the lessons as other maps normalise them."""
    live = promotion_gate.live_version(models, net.name)
    if live is None or [each.name for each in live.inputs] != list(net.inputs):
        return {}
    if live.maps != lessons.maps and not set(COLUMN_INPUTS).isdisjoint(net.inputs):
        if live.maps.vocabulary != lessons.maps.vocabulary:
            return {}
        lessons = under(live.maps)
    score = scorer_of(version_folder(models, net.name, live.version), live)
    if isinstance(lessons, RankingLists):
        lists = lessons.validation_lists
        figures, _ = measured(lists, scores_of(score, net, lists), calibrate=False)
    else:
        part = lessons.validation
        figures = measure(part.inputs["userId"], part.labels, score(part.inputs).numpy()[:, 0])
    return {promotion_gate.LIVE_AUC: figures["auc"]} if "auc" in figures else {}


def training_key(net: Net, lessons: Lessons, options: Options) -> str:
    """The key that two trainings share if one can resume the other: the same code, options and lessons."""
    return repr(
        (
            net.name,
            net.inputs,
            net.learning_rate,
            net.batch_size,
            digest_of(lessons),
            options.base,
            options.seed,
            options.epochs,
            options.effort,
            options.go_on,
            options.max_rows,
            VERSION,
            code_revision(),
        )
    )


def _one(net: Net, reader: LessonReader, options: Options, base: Base | None, progress: Any, console: Console) -> int:
    started = time.monotonic()
    earlier, lessons = (None, reader.read(net, -1)) if options.go_on is None else _going_on(net, options, reader)
    if base is not None and lessons.schema != base.schema.digest:
        expected = f"training data made under the schema of base {base.folder} (./martlet features makes it)"
        raise BadInput("--samples and --asks", expected, f"schema {lessons.schema}, not {base.schema.digest}")
    resume = Resume(options.models / FOLDER / net.name, training_key(net, lessons, options))
    fitted, metrics = _train(net, lessons, options, earlier, resume, progress)
    if earlier is not None:
        since = earlier.manifest.data.to_ms
        metrics |= live_metrics(net, lessons, options.models, lambda maps: reader.under(net, since, maps))
    for epoch in fitted.epochs:
        console.print(f"{net.name} epoch {epoch.number}: loss {epoch.loss:.4f}, validation {_line(epoch.metrics)}")
    staged = staging_folder(options.models, net.name)
    try:
        name = "" if base is None else base.folder.resolve().name
        stage(net, fitted, lessons, metrics, data_seen(lessons, fitted, name, options.seed), staged)
        version = gate_and_publish(staged, options.models, net.name, options.force)
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # gone already once published
    resume.done()
    baselines = (("all users unknown", "new_users_"), ("popularity", "popularity_"), ("constant", "constant_"))
    figures = [
        _line(metrics),
        *(
            [f"live version there: auc {metrics[promotion_gate.LIVE_AUC]:.4f}"]
            if promotion_gate.LIVE_AUC in metrics
            else []
        ),
    ]
    figures += [*(f"{label}: {line}" for label, prefix in baselines if (line := _line(metrics, prefix)))]
    console.print(f"{net.name} version {version}: {' | '.join(figures)} | {time.monotonic() - started:.1f} s")
    return version


def train_all(options: Options, console: Console, find: Callable[[str], Net] = nets.find) -> dict[str, int]:
    """Train, check and publish every model of `options`; returns the version of each.

    A model that fails does not stop the others. Raises Broken at the end that names each that failed, and why;
    BadInput where `find` knows no net of a name, or an option can't be satisfied.
    """
    started = time.monotonic()
    chosen = [find(name) for name in options.names]
    base = None if options.base is None else Base(options.base)
    reader = LessonReader(options.samples, options.ranking_lists, chosen, options.max_rows, console.print)
    failed: list[str] = []
    done: dict[str, int] = {}
    loss = TextColumn("loss {task.fields[loss]:.4f}")
    columns = (TextColumn("{task.description}"), BarColumn(), loss, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for net in chosen:
            try:
                done[net.name] = _one(net, reader, options, base, progress, console)
            except Broken as error:
                failed.append(f"{net.name} refused: {error}")
    console.print(f"{time.monotonic() - started:.1f} s, peak memory {peak_megabytes()} MB")
    if failed:
        raise Broken("; ".join(failed))
    return done
