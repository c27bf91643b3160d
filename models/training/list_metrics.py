"""Metrics of ranked lists: the ranks of liked items, and scores as shares."""

import numpy as np

from features.arrays import AnyArray, IntArray
from features.errors import Broken
from models.training.lessons.list_data import NO_CANDIDATE, Lists
from models.training.row_metrics import TOP, measure, rank_gains


def rank_metrics(ranks: IntArray) -> dict[str, float]:
    """hr, ndcg and mrr at 10 (`rank_gains`) of the ranks (from 0) of the liked items."""
    return {f"{name}{TOP}": round(float(values.mean()), 6) for name, values in rank_gains(ranks).items()}


def ranks_of(lists: Lists, scores: AnyArray) -> IntArray:
    """[A] the rank of each answer by scores [A, C]: how many candidates score above it, ties by the smaller item id."""
    rows = np.arange(len(lists))
    mine, item = scores[rows, lists.answers][:, None], lists.items[rows, lists.answers][:, None]
    ahead = (scores > mine) | ((scores == mine) & (lists.items < item))
    return np.asarray((ahead & (lists.items != NO_CANDIDATE)).sum(axis=1), np.int64)


def measured(lists: Lists, scores: AnyArray, calibrate: bool) -> tuple[dict[str, float], list[AnyArray]]:
    """Metrics, and the (scale, shift) with which sigmoid(scale · score + shift) is the share liked among such candidates."""
    list_index, candidate_index = np.nonzero(lists.items != NO_CANDIDATE)
    labels = (candidate_index == lists.answers[list_index]).astype(np.float64)
    flat = scores[list_index, candidate_index].astype(np.float64)
    if not np.isfinite(flat).all():
        raise Broken("scores are not finite; nothing was published")
    scale, shift = fit_logistic(flat, labels) if calibrate else (1.0, 0.0)
    likely = 1 / (1 + np.exp(-(scale * flat + shift))) if calibrate else flat
    metrics = rank_metrics(ranks_of(lists, scores)) | measure(list_index.astype(np.int64), labels, likely)
    return metrics, [np.asarray(scale, np.float32), np.asarray(shift, np.float32)]


def fit_logistic(scores: AnyArray, labels: AnyArray) -> tuple[float, float]:
    """(scale, shift) of a logistic regression of labels on scores, by Newton's method (Platt's scaling); the scale is above 0.

    On standardised scores, from the constant that fits best, and no step that makes it worse: scores of any size will do.
    """
    mean, spread = float(scores.mean()), max(float(scores.std()), 1e-9)
    inputs = np.stack([(scores - mean) / spread, np.ones_like(scores)], axis=1)
    share = min(max(float(labels.mean()), 1e-6), 1 - 1e-6)
    weights = np.array([0.0, np.log(share / (1 - share))])
    loss = _loss(inputs @ weights, labels)
    for _ in range(50):
        likely = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        curve = (inputs * (likely * (1 - likely))[:, None]).T @ inputs + 1e-9 * np.eye(2)
        change = np.linalg.solve(curve, inputs.T @ (labels - likely))
        while (new := _loss(inputs @ (weights + change), labels)) > loss and np.abs(change).max() > 1e-6:
            change = change / 2
        if new >= loss or np.abs(change).max() < 1e-6:
            break
        weights, loss = weights + change, new
    scale = max(weights[0], 1e-3) / spread
    return float(scale), float(weights[1] - scale * mean)


def _loss(logits: AnyArray, labels: AnyArray) -> float:
    """Mean cross entropy."""
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))
