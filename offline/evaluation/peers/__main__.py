"""`python -m offline.evaluation.peers --rows FILE --out FILE`: the lists of other libraries, in their own environment."""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.arrays import IntArray
from offline.evaluation.peers.exchange import Peer, ProtocolRows, write_peers
from offline.evaluation.peers.interactions import TOP, Library, answer_queries, learnable


def run(rows: ProtocolRows, library: Library, positive: bool, top: int) -> Peer:
    log = learnable(rows, positive)
    began = time.monotonic()
    library.learn(log)
    learned = time.monotonic()
    lists = answer_queries(rows, log, positive, library, top)
    return Peer(lists, learned - began, time.monotonic() - learned)


def _ndcg(lists: IntArray, wanted: IntArray) -> tuple[float, float]:
    hits, ranks = np.nonzero(lists == wanted[:, None])
    return len(hits) / len(lists), float((1 / np.log2(ranks + 2)).sum() / len(lists))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m offline.evaluation.peers", description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="as exchange.ProtocolRows writes them")
    parser.add_argument("--out", type=Path, required=True, help="file of the lists")
    parser.add_argument("--tune", action="store_true", help="try all settings on the history's newest tenth instead")
    parser.add_argument("--top", type=int, default=TOP, help="items of a list")
    parser.add_argument("--only", default="", help="those methods whose name has this in it")
    given = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # of the libraries, which are not ours to mend
    from offline.evaluation.peers.libraries import CHOICES, settings

    rows = ProtocolRows.read(given.rows)
    if given.tune:
        rows = rows.between(rows.first * 9 // 10, rows.first)
    peers: dict[str, Peer] = {}
    for name, choice in CHOICES.items():
        if given.only not in name:
            continue
        for positive, values in settings(choice):
            peer = run(rows, choice.make(**values), positive, given.top)
            peers.setdefault(name, peer)
            hr, ndcg = _ndcg(peer.lists, rows.items[rows.queries])
            setting = " ".join(f"{key}={value}" for key, value in values.items()) + ("" if positive else " all rows")
            print(
                f"{name} {setting}: hr {hr:.4f} ndcg {ndcg:.4f}, learned {peer.learned:.1f} s, asked {peer.query_seconds:.1f} s",
                flush=True,
            )
            if not given.tune:
                break
    write_peers(given.out, peers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
