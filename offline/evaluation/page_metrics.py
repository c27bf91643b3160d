"""Metrics of pages: what a user did in one second, against the one list that was due before its first row.

People act on pages at once, so a row's own list already knows the rows before it of the same second. A page's list knows none of
them.
"""

from collections.abc import Mapping

import numpy as np

from features.arrays import DoubleArray, IntArray
from models.training.row_metrics import TOP, rank_gains
from offline.evaluation.ranking_metrics import Bootstrap, Measure, Queries, ranks_of


def page_gains(queries: Queries, page_lists: IntArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """(hr, recall, ndcg), [P] each, of lists [P, TOP]: whether the list holds any item that the page's queries wanted, the share
    of them that it holds, each item once, and the discounted gain of these over that of the best list there could be."""
    pages, wanted = np.unique(np.array([queries.pages, queries.wanted], np.int64), axis=1)
    gains = rank_gains(ranks_of(page_lists[pages], wanted))
    size = len(page_lists)
    hits, targets = np.bincount(pages, gains["hr"], size), np.bincount(pages, minlength=size)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(2.0 + np.arange(TOP)))])[np.minimum(targets, TOP)]
    recall: DoubleArray = hits / np.maximum(targets, 1)
    ndcg: DoubleArray = np.bincount(pages, gains["ndcg"], size) / np.maximum(best, 1e-9)
    return (hits > 0).astype(np.float64), recall, ndcg


def page_results(queries: Queries, page_lists: Mapping[str, IntArray]) -> dict[str, dict[str, Measure]]:
    """Of each method, over pages "page hr", "page recall" and "page ndcg", and over queries "hr" and "ndcg" of each against the
    first list of its page. Intervals as in `offline.evaluation.ranking_metrics.measure`."""
    pages, users = np.asarray(queries.pages, np.int64), np.asarray(queries.users, np.int64)
    owners = np.zeros(int(pages.max(initial=-1)) + 1, np.int64)
    owners[pages] = users
    of_pages, of_queries = Bootstrap(owners), Bootstrap(users)
    found = {}
    for method, lists in page_lists.items():
        named = zip(("page hr", "page recall", "page ndcg"), page_gains(queries, lists), strict=True)
        first = rank_gains(ranks_of(lists[pages], queries.wanted))
        found[method] = {name: of_pages.measure(values) for name, values in named}
        found[method] |= {name: of_queries.measure(first[name]) for name in ("hr", "ndcg")}
    return found
