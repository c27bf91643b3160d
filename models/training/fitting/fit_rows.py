"""Fitting one net: a plain loop over fixed seeds, stopped when validation gets no better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray
from features.errors import Broken
from features.inputs.model_inputs import is_integer
from models.nets.parts.net import UNKNOWN_ID, Net, NetContext
from models.training.fitting.checkpoint import NO_RESUME, Resume
from models.training.fitting.early_stopping import Epoch, Stopper
from models.training.fitting.warm_start import Earlier, take_over, with_new
from models.training.lessons.row_data import Part, Samples
from models.training.row_metrics import auc, log_loss

PATIENCE: Final = 1
"""Epochs without a better validation AUC after which training stops; the best epoch's weights are kept."""
_PREDICT_ROWS: Final = 8192

Step = Callable[[dict[str, AnyArray], AnyArray, AnyArray], float]
"""One step of training: inputs, labels and importances of a batch → its mean loss."""
Progress = Callable[[int, int, float], None]
"""Called after each step with (epoch from 1, rows done in it, loss)."""


@dataclass(frozen=True)
class Fitted:
    """A trained model (weights of its best epoch), its epochs, and what else was measured of these weights on validation."""

    model: Any
    context: NetContext
    epochs: tuple[Epoch, ...]
    metrics: dict[str, float] = field(default_factory=dict)


def context_of(samples: Samples, seed: int, earlier: Earlier | None = None) -> NetContext:
    """Vocabularies from the training part alone (and of the version that it goes on from): who first appears in validation is
    unknown, as in life."""
    ids = samples.train.inputs
    none = np.zeros(0, np.int64)
    users, items = (none, none) if earlier is None else (earlier.user_ids, earlier.item_ids)
    return NetContext(with_new(users, ids["userId"]), with_new(items, ids["movieId"]), samples.widths, seed)


def input_specs(net: Net, widths: Mapping[str, int]) -> dict[str, tf.TensorSpec]:
    """The specs of a net's inputs: [n] for ids, [n, width] for the others."""
    return {
        name: tf.TensorSpec(
            [None, widths[name]] if widths[name] else [None], tf.int64 if is_integer(name) else tf.float32, name=name
        )
        for name in net.inputs
    }


def drop_ids(net: Net, batch: dict[str, AnyArray], rng: np.random.Generator) -> dict[str, AnyArray]:
    """The batch with the net's share of ids replaced by an unknown one."""
    out = dict(batch)
    for name, share in net.id_dropout.items():
        out[name] = np.where(rng.random(len(batch[name])) < share, UNKNOWN_ID, batch[name])
    return out


def predictor(net: Net, model: Any, widths: Mapping[str, int]) -> Callable[[dict[str, AnyArray]], AnyArray]:
    """A function from inputs (any number of rows) to scores, float32 [n], computed in batches."""
    call = tf.function(lambda inputs: model(inputs, training=False), input_signature=[input_specs(net, widths)])

    def predict(inputs: dict[str, AnyArray]) -> AnyArray:
        size = len(inputs[net.inputs[0]])
        chunks = (
            {name: inputs[name][start : start + _PREDICT_ROWS] for name in net.inputs}
            for start in range(0, size, _PREDICT_ROWS)
        )
        return np.concatenate([call(chunk).numpy()[:, 0] for chunk in chunks] or [np.zeros(0, np.float32)])

    return predict


def _stepper(net: Net, model: Any, optimizer: Any, widths: Mapping[str, int]) -> Step:
    """One step of training as a compiled function: (inputs, labels [n], importances [n]) → mean loss."""
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.BinaryCrossentropy()

    def step(inputs: dict[str, Any], labels: Any, importances: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(labels[:, None], model(inputs, training=True), importances)
            total = tf.add_n([loss, *model.losses]) if model.losses else loss
        optimizer.apply(tape.gradient(total, model.trainable_variables), model.trainable_variables)
        return loss

    column = tf.TensorSpec([None], tf.float32)
    compiled = tf.function(step, input_signature=[input_specs(net, widths), column, column], jit_compile=False)
    return lambda inputs, labels, importances: float(compiled(inputs, labels, importances))


def _epoch(
    net: Net,
    part: Part,
    step: Step,
    rng: np.random.Generator,
    progress: Callable[[int, float], None],
) -> float:
    """One pass over the rows in a random order; the mean loss. Raises Broken as soon as a loss is not finite."""
    order = part.order[rng.permutation(len(part))]
    total, done = 0.0, 0
    for start in range(0, len(order), net.batch_size):
        rows = order[start : start + net.batch_size]
        batch = drop_ids(net, {name: part.inputs[name][rows] for name in net.inputs}, rng)
        loss = step(batch, part.labels[rows], part.importances[rows])
        done += len(rows)
        if not np.isfinite(loss):
            raise Broken(f"training of {net.name} diverged: loss {loss} after {done} rows; nothing was published")
        total += loss * len(rows)
        progress(done, loss)
    return total / done


def fit(
    net: Net,
    samples: Samples,
    epochs: int,
    seed: int,
    progress: Progress = lambda *_: None,
    earlier: Earlier | None = None,
    resume: Resume = NO_RESUME,
) -> Fitted:
    """Train `net` on the training part, on from an earlier version if one is given; stops early by validation AUC. The same
    seed, samples and version give the same model.

    Raises Broken where loss or scores stop being finite numbers.
    """
    keras.utils.set_random_seed(seed)
    context = context_of(samples, seed, earlier)
    model = net.build(context)
    if earlier is not None:
        take_over(model, context, earlier)
    optimizer = keras.optimizers.Adam(net.learning_rate)
    step, predict = _stepper(net, model, optimizer, samples.widths), predictor(net, model, samples.widths)
    rng = np.random.default_rng(seed)
    stopper = Stopper(model, "auc", PATIENCE)
    state = [*model.variables, *optimizer.variables]
    done = resume.restore("rows", state, rng, stopper)
    for number in range(done + 1, epochs + 1):
        if stopper.over:
            break
        loss = _epoch(net, samples.train, step, rng, partial(progress, number))
        scores = predict(samples.validation.inputs)
        if not np.isfinite(scores).all():
            raise Broken(f"training of {net.name} diverged: scores of epoch {number} are not finite; nothing published")
        labels = samples.validation.labels
        metrics = {"auc": auc(labels, scores), "log_loss": log_loss(labels, scores)}
        stopper.take(Epoch(number, loss, metrics))
        resume.keep("rows", number, state, rng, stopper)
    stopper.restore()
    return Fitted(model, context, tuple(stopper.epochs))
