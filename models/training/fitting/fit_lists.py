"""Fitting what learns from sequences and from lists of candidates, and how good their lists are."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray
from features.errors import Broken
from models.nets.parts.net import SEQUENCES, Net, NetContext
from models.training.effort import FULL, Effort
from models.training.fitting.checkpoint import NO_RESUME, Resume
from models.training.fitting.early_stopping import Epoch, Stopper
from models.training.fitting.fit_bounds import fit_bounds
from models.training.fitting.fit_listwise import fit_whole
from models.training.fitting.fit_rows import Fitted
from models.training.fitting.fit_sequences import ANEW, GOING_ON, fit_encoder
from models.training.fitting.warm_start import Earlier, has_bounds, take_over, with_new
from models.training.lessons.list_data import NO_CANDIDATE, Lists, RankingLists, windows_of
from models.training.lessons.sequence_windows import WindowedHistories, Windows
from models.training.list_metrics import measured, rank_metrics, ranks_of

Progress = Callable[[int, int, float], None]

MAX_EVENTS: Final = 2_000_000
"""The newest of a longer history teach."""
PATIENCE: Final = 4
LIST_L2: Final = 1e-5
_ENCODE: Final = 256
AT_LAST: Final = "last"
"""The part of a training in which the encoder goes on over all rows."""


def fit_on_lists(
    net: Net,
    ranking_lists: RankingLists,
    seed: int,
    progress: Progress = lambda *_: None,
    earlier: Earlier | None = None,
    resume: Resume = NO_RESUME,
    effort: Effort = FULL,
) -> Fitted:
    """Train a net of SEQUENCES or LISTS, on from an earlier version if one is given: on lists that are all newer than what that
    one learned from. The same seed, lists, version and effort give the same model.

    A net without a sequence model learns whole (`models.training.fitting.fit_listwise`). For one with it, the encoder learns
    from the rows before the first list. The layer that weighs candidates then learns from the lists, stopped by NDCG on the
    newest ones. At last the encoder goes on over all rows, as thoroughly as it began, as a served model should know the newest:
    metrics and calibration are of the model before that, since after it no row is left that it has not seen. An earlier
    version's encoder has not seen the lists: it goes on only at last, but for a net of SEQUENCES to which lists came alone.
    Whenever the encoder has changed, what all items' logits come to is learned anew (`models.training.fitting.fit_bounds`).

    Raises Broken where a loss or score stops being a finite number.
    """
    keras.utils.set_random_seed(seed)
    known = np.zeros(0, np.int64) if earlier is None else earlier.item_ids
    context = NetContext(np.unique([0]), with_new(known, ranking_lists.item_ids()), ranking_lists.widths, seed)
    model = net.build(context)
    if earlier is not None:
        take_over(model, context, earlier)
    if not any(layer.name == "next_item" for layer in model.layers):
        return Fitted(model, context, *fit_whole(net, model, ranking_lists, seed, progress, resume, effort.whole))
    next_item = model.get_layer("next_item")
    encoder = next_item.encoder
    number, loss = 0, float("nan")
    windows: Windows | WindowedHistories
    if earlier is None:
        number, windows = effort.sequence, ranking_lists.past(MAX_EVENTS)
        loss = fit_encoder(net, encoder, windows, context.item_ids, number, seed, progress, resume=resume)
    else:
        windows = windows_of(ranking_lists.train_lists)
        if net.learns == SEQUENCES and ranking_lists.histories is None:
            number = effort.going_on
            loss = fit_encoder(net, encoder, windows, context.item_ids, number, seed, progress, GOING_ON)
    if earlier is None or net.learns == SEQUENCES or not has_bounds(earlier):
        fit_bounds(next_item, windows, context.item_ids, seed, effort.bounds)
    if net.learns == SEQUENCES:
        metrics, _ = measured(
            ranking_lists.validation_lists, scores_of(model, net, ranking_lists.validation_lists), calibrate=False
        )
        epochs: tuple[Epoch, ...] = (Epoch(number, loss, metrics),)
    else:
        epochs, metrics = _fit_weighing(net, model, ranking_lists, seed, partial(progress, number), resume, effort)
    newest = ranking_lists.everything(MAX_EVENTS)
    epochs_at_last, training = (effort.last, ANEW) if earlier is None else (effort.going_on, GOING_ON)
    fit_encoder(net, encoder, newest, context.item_ids, epochs_at_last, seed + 1, progress, training, resume, AT_LAST)
    fit_bounds(next_item, newest, context.item_ids, seed + 1, effort.bounds)
    return Fitted(model, context, epochs, metrics)


def _fit_weighing(
    net: Net,
    model: Any,
    ranking_lists: RankingLists,
    seed: int,
    progress: Callable[[int, float], None],
    resume: Resume,
    effort: Effort,
) -> tuple[tuple[Epoch, ...], dict[str, float]]:
    """Train the layer that weighs, in place, with the encoder as it is. Returns the epochs, and all metrics of the best one."""
    weighing, index = model.get_layer("weighing"), model.get_layer("item_index")
    variables = weighing.trainable_variables
    optimizer = keras.optimizers.Adam(effort.rate * net.learning_rate)
    optimizer.build(variables)
    rng = np.random.default_rng(seed)
    stopper = Stopper(weighing, "ndcg10", PATIENCE)
    state = [*model.variables, *optimizer.variables]
    done = resume.restore("weighing", state, rng, stopper)
    parts = [_prepared(model, index, lists) for lists in (ranking_lists.train_lists, ranking_lists.validation_lists)]

    def logits(next_scores: Any, signals: Any, items: Any, gaps: Any, present: Any) -> Any:
        """[n, C] of lists."""
        n, c = tf.shape(next_scores)[0], tf.shape(next_scores)[1]
        whose = tf.repeat(tf.range(n, dtype=tf.int64), c)
        flat = weighing(
            tf.reshape(next_scores, [-1, 2]), tf.reshape(signals, [-1, signals.shape[-1]]), items, gaps, whose
        )
        return tf.where(present, tf.reshape(flat, [n, c]), -1e9)

    compiled = tf.function(logits, reduce_retracing=True)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            answers, importances, *rest = batch
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answers, logits(*rest))
            loss = tf.reduce_mean(losses * importances)
            total = loss + LIST_L2 * tf.add_n([tf.reduce_sum(tf.square(each)) for each in variables])
        optimizer.apply(tape.gradient(total, variables), variables)
        return loss

    train, validation = parts
    lists, taught = ranking_lists.validation_lists, ranking_lists.train_lists
    for number in range(done + 1, effort.lists + 1):
        if stopper.over:
            break
        order, total = rng.permutation(len(taught)), 0.0
        for start in range(0, len(order), net.batch_size):
            rows = order[start : start + net.batch_size]
            loss = float(step(taught.answers[rows], taught.importances[rows], *(values[rows] for values in train)))
            if not np.isfinite(loss):
                raise Broken(f"training of {net.name} diverged: loss {loss} in epoch {number}; nothing was published")
            total += loss * len(rows)
            progress(start + len(rows), loss)
        scores = _batched(compiled, validation)
        stopper.take(Epoch(number, total / len(order), rank_metrics(ranks_of(lists, scores))))
        resume.keep("weighing", number, state, rng, stopper)
    stopper.restore()
    scores = _batched(compiled, validation)
    metrics, calibration = measured(lists, scores, calibrate=True)
    model.get_layer("score").set_weights(calibration)
    return tuple(stopper.epochs), metrics


def _batched(compiled: Any, prepared: tuple[AnyArray, ...]) -> AnyArray:
    size = len(prepared[0])
    chunks = [slice(start, start + _ENCODE) for start in range(0, size, _ENCODE)]
    return np.concatenate([compiled(*(values[chunk] for values in prepared)).numpy() for chunk in chunks])


def _prepared(model: Any, index: Any, lists: Lists) -> tuple[AnyArray, ...]:
    """(next_scores [A, C, 2], signals [A, C, S], items [A, L] as indices into the vocabulary, gaps [A, L + 1],
    present [A, C])."""
    next_item = model.get_layer("next_item")

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def score_next(items: Any, marks: Any, gaps: Any, candidates: Any) -> Any:
        n, c = tf.shape(candidates)[0], tf.shape(candidates)[1]
        whose = tf.repeat(tf.range(n, dtype=tf.int64), c)
        return tf.reshape(next_item(items, marks, gaps, whose, tf.reshape(candidates, [-1])), [n, c, 2])

    items, candidates = index(lists.history).numpy(), index(lists.items).numpy()
    next_scores = [
        score_next(items[low:high], lists.marks[low:high], lists.gaps[low:high], candidates[low:high]).numpy()
        for low, high in ((low, low + _ENCODE) for low in range(0, len(lists), _ENCODE))
    ]
    return np.concatenate(next_scores), lists.signals, items, lists.gaps, lists.items != NO_CANDIDATE


def scores_of(model: Any, net: Net, lists: Lists) -> AnyArray:
    """[A, C] as the model itself scores the lists, −inf where there is no candidate. model: inputs → scores [n, 1]."""
    out = np.full(lists.items.shape, -np.inf, np.float32)
    for low in range(0, len(lists), _ENCODE):
        part = lists.part(slice(low, low + _ENCODE))
        list_index, candidate_index = np.nonzero(part.items != NO_CANDIDATE)
        flat = part.rows(list_index, candidate_index)
        out[low + list_index, candidate_index] = model(
            {name: flat[name] for name in net.inputs}, training=False
        ).numpy()[:, 0]
    return out
