"""Metrics of scores: log loss, AUC, AUC within users, and baselines that need no model."""

from typing import Final

import numpy as np

from features.arrays import DoubleArray, IntArray, RealArray

EPSILON: Final = 1e-7
TOP: Final = 10
"""Ranks that count: what stands further down is not seen."""
POPULARITY_PRIOR: Final = 20.0
"""The popularity baseline draws an item's share of positives to the overall one by this many imagined rows."""


def rank_gains(ranks: IntArray) -> dict[str, DoubleArray]:
    """The gains of each list by the rank (from 0) of its one right item, within the TOP ranks; one below them counts nothing.

    hr    1 for a hit
    ndcg  1 / log₂(2 + rank), normalised already, since one item is right
    mrr   1 / (1 + rank)
    """
    hit = ranks < TOP
    near = np.minimum(ranks, TOP)
    return {
        "hr": hit.astype(np.float64),
        "ndcg": np.where(hit, 1 / np.log2(2.0 + near), 0.0),
        "mrr": np.where(hit, 1 / (1.0 + near), 0.0),
    }


def log_loss(labels: RealArray, scores: RealArray) -> float:
    """Mean negative log-likelihood, nats a row, of probabilities clipped to 1e-7 from 0 and 1; NaN for no rows."""
    if len(labels) == 0:
        return float("nan")
    p = np.clip(np.asarray(scores, np.float64), EPSILON, 1 - EPSILON)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


def grouped_auc(groups: IntArray, labels: RealArray, scores: RealArray) -> tuple[DoubleArray, IntArray]:
    """AUC within each group, NaN where it lacks positives or negatives, and rows a group; in ascending order of groups.

    The probability that a positive of the group scores above a negative of it; ties count half (Mann and Whitney).
    """
    if len(groups) == 0:
        return np.zeros(0), np.zeros(0, np.int64)
    order = np.lexsort((scores, groups))
    group, score, positive = groups[order], np.asarray(scores)[order], np.asarray(labels)[order] > 0.5
    first_of_group = np.r_[True, group[1:] != group[:-1]]
    first_of_tie = first_of_group | np.r_[True, score[1:] != score[:-1]]
    starts = np.flatnonzero(first_of_group)
    ties = np.flatnonzero(first_of_tie)
    tie_sizes = np.diff(np.r_[ties, len(group)])
    sizes = np.diff(np.r_[starts, len(group)])
    mean_rank: DoubleArray = np.repeat(ties + (tie_sizes - 1) / 2, tie_sizes) - np.repeat(starts, sizes)
    positives = np.add.reduceat(positive.astype(np.float64), starts)
    ranks = np.add.reduceat(np.where(positive, mean_rank, 0.0), starts)
    pairs = positives * (sizes - positives)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = np.where(pairs > 0, (ranks - positives * (positives - 1) / 2) / pairs, np.nan)
    return auc, sizes.astype(np.int64)


def auc(labels: RealArray, scores: RealArray) -> float:
    """Area under the ROC curve, ties counted half; NaN where one class is missing.

    >>> auc(np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.1]))
    0.75
    """
    values, _ = grouped_auc(np.zeros(len(labels), np.int64), labels, scores)
    return float(values[0]) if len(values) else float("nan")


def gauc(users: IntArray, labels: RealArray, scores: RealArray) -> float:
    """Mean AUC within users, weighted by their rows (G. Zhou et al., Deep Interest Network, KDD 2018, section 6.3).

    Users without both classes are left out; NaN where no user has both.
    """
    values, sizes = grouped_auc(users, labels, scores)
    good = ~np.isnan(values)
    return float(np.average(values[good], weights=sizes[good])) if good.any() else float("nan")


def calibration_error(labels: RealArray, scores: RealArray, bins: int = 10) -> float:
    """Calibration error: the mean over bins of as many rows each, in order of score, of |mean score − share of
    positives| (expected calibration error: M. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015); NaN for no rows.

    >>> calibration_error(np.array([0.0, 1.0]), np.array([0.5, 0.5]), bins=1)
    0.0
    """
    if len(labels) == 0:
        return float("nan")
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(np.mean(scores[part])) - float(np.mean(labels[part]))) for part in parts]
    return sum(gaps) / len(labels)


def measure(users: IntArray, labels: RealArray, scores: RealArray, prefix: str = "") -> dict[str, float]:
    """log_loss, auc, gauc and calibration_error by name, those that are defined, each with `prefix` before its name."""
    values = {
        "log_loss": log_loss(labels, scores),
        "auc": auc(labels, scores),
        "gauc": gauc(users, labels, scores),
        "calibration_error": calibration_error(labels, scores),
    }
    return {prefix + name: round(value, 6) for name, value in values.items() if not np.isnan(value)}


def popularity_scores(train_items: IntArray, train_labels: RealArray, items: IntArray) -> DoubleArray:
    """For each of `items` its share of positives in training, smoothed; the overall share for an unknown item."""
    overall = float(np.mean(train_labels))
    known, index = np.unique(train_items, return_inverse=True)
    rows = np.bincount(index, minlength=len(known))
    positives = np.bincount(index, weights=train_labels, minlength=len(known))
    share = (positives + POPULARITY_PRIOR * overall) / (rows + POPULARITY_PRIOR)
    at = np.minimum(np.searchsorted(known, items), len(known) - 1)
    return np.where(known[at] == items, share[at], overall)
