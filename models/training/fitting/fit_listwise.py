"""Fitting a whole net on lists: softmax over the liked candidate and some others of its list, drawn anew in each epoch."""

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray
from features.errors import Broken
from models.nets.parts.net import Net
from models.training.effort import FULL
from models.training.fitting.checkpoint import NO_RESUME, Resume
from models.training.fitting.early_stopping import Epoch, Stopper
from models.training.fitting.fit_rows import input_specs
from models.training.lessons.list_data import NO_CANDIDATE, Lists, RankingLists
from models.training.list_metrics import measured, rank_metrics, ranks_of

OTHERS: Final = 15
"""Candidates that stand against the liked one in a step."""
PATIENCE: Final = 2
MEASURED: Final = 400
"""So many lists, spread evenly over the newest ones, measure each epoch; all of them measure the best."""
_ROWS: Final = 16_384


def drawn(lists: Lists, rng: np.random.Generator) -> AnyArray:
    """[A, 1 + OTHERS] indices of candidates: the answer, then others drawn evenly without repetition; where a list is shorter,
    indices that have no candidate, or the answer again."""
    size = lists.items.shape[1]
    keys = np.where(lists.items != NO_CANDIDATE, rng.random(lists.items.shape), 2.0)
    keys[np.arange(len(lists)), lists.answers] = 3.0
    others = np.argsort(keys, axis=1)[:, : min(OTHERS, size - 1)]
    return np.concatenate([lists.answers[:, None], others], axis=1)


def logits_of(net: Net, model: Any, widths: dict[str, int]) -> Callable[[Lists], AnyArray]:
    """A function from lists to the logits of all candidates, [A, C]; −inf where there is none."""
    ranking = keras.Model(model.input, model.get_layer("logit").output)
    call = tf.function(lambda inputs: ranking(inputs, training=False), input_signature=[input_specs(net, widths)])

    def score(lists: Lists) -> AnyArray:
        out = np.full(lists.items.shape, -np.inf, np.float32)
        list_index, candidate_index = np.nonzero(lists.items != NO_CANDIDATE)
        for low in range(0, len(list_index), _ROWS):
            some = slice(low, low + _ROWS)
            rows = lists.rows(list_index[some], candidate_index[some])
            out[list_index[some], candidate_index[some]] = call({name: rows[name] for name in net.inputs}).numpy()[:, 0]
        return out

    return score


def fit_whole(
    net: Net,
    model: Any,
    ranking_lists: RankingLists,
    seed: int,
    progress: Callable[[int, int, float], None],
    resume: Resume = NO_RESUME,
    epochs: int = FULL.whole,
) -> tuple[tuple[Epoch, ...], dict[str, float]]:
    """Train all of the model in place, at most `epochs` times over the lists, stopped by NDCG on the newest ones. Returns
    the epochs, and all metrics of the best one.

    Raises Broken where a loss or score stops being a finite number.
    """
    ranking = keras.Model(model.input, model.get_layer("logit").output)
    score = logits_of(net, model, ranking_lists.widths)
    optimizer = keras.optimizers.Adam(net.learning_rate)
    optimizer.build(ranking.trainable_variables)

    def step(inputs: dict[str, Any], present: Any, importances: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.reshape(ranking(inputs, training=True), tf.shape(present))
            first = tf.zeros_like(present[:, 0], tf.int64)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(first, tf.where(present, logits, -1e9))
            loss = tf.reduce_mean(losses * importances)
            total = tf.add_n([loss, *ranking.losses]) if ranking.losses else loss
        optimizer.apply(tape.gradient(total, ranking.trainable_variables), ranking.trainable_variables)
        return loss

    specs = [tf.TensorSpec([None, None], tf.bool), tf.TensorSpec([None], tf.float32)]
    compiled = tf.function(step, input_signature=[input_specs(net, ranking_lists.widths), *specs])
    lists, newest = ranking_lists.train_lists, ranking_lists.validation_lists
    some = newest.part(np.unique(np.linspace(0, len(newest) - 1, MEASURED).astype(np.int64)))
    rng = np.random.default_rng(seed)
    stopper = Stopper(model, "ndcg10", PATIENCE)
    state = [*model.variables, *optimizer.variables]
    for number in range(resume.restore("whole", state, rng, stopper) + 1, epochs + 1):
        if stopper.over:
            break
        order, total, chosen = rng.permutation(len(lists)), 0.0, drawn(lists, rng)
        for start in range(0, len(order), net.batch_size):
            batch = order[start : start + net.batch_size]
            candidate_index = chosen[batch]
            present = lists.items[batch[:, None], candidate_index] != NO_CANDIDATE
            present[:, 1:] &= candidate_index[:, 1:] != candidate_index[:, :1]
            rows = lists.rows(np.repeat(batch, candidate_index.shape[1]), candidate_index.ravel())
            loss = float(compiled({name: rows[name] for name in net.inputs}, present, lists.importances[batch]))
            if not np.isfinite(loss):
                raise Broken(f"training of {net.name} diverged: loss {loss} in epoch {number}; nothing was published")
            total += loss * len(batch)
            progress(number, start + len(batch), loss)
        stopper.take(Epoch(number, total / len(order), rank_metrics(ranks_of(some, score(some)))))
        resume.keep("whole", number, state, rng, stopper)
    stopper.restore()
    metrics, calibration = measured(newest, score(newest), calibrate=True)
    model.get_layer("score").set_weights(calibration)
    return tuple(stopper.epochs), metrics
