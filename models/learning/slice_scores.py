"""How well rankers order shown lists that none of them has learned from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import AnyArray
from features.errors import Broken
from features.inputs.input_maps import InputMaps
from features.inputs.signals import SIGNAL_COLUMNS
from models import nets
from models.registry import Manifest, read_manifest, require_current_inputs, require_schema
from models.training.fitting.fit_lists import scores_of
from models.training.lessons.list_data import NO_CANDIDATE, Lists, read_lists
from models.training.list_metrics import ranks_of
from models.training.pipeline import scorer_of
from models.training.row_metrics import rank_gains

WEIGHTS: Final = "weights"
"""The ranker that learns: its weights before they learn the lists."""
SIGNALS: Final = "signals"
"""The ranker without a model: the ranks that the signals give, weighed alike."""
_RANKS: Final = [at for at, name in enumerate(SIGNAL_COLUMNS) if name.endswith("_place")]


def ndcg_of_lists(lists: Lists, scores: AnyArray) -> float:
    """Mean NDCG@10 of lists by scores [A, C], each user counting once: a user of many lists is no better witness."""
    gains = rank_gains(ranks_of(lists, scores))["ndcg"]
    _, user = np.unique(lists.users, return_inverse=True)
    return float((np.bincount(user, gains) / np.bincount(user)).mean())


def by_signals(lists: Lists) -> AnyArray:
    """[A, C] the sum of what the signals' ranks are worth, −inf where there is no candidate."""
    return np.where(lists.items != NO_CANDIDATE, lists.signals[:, :, _RANKS].sum(axis=2), -np.inf)


def version_scores(folder: Path, manifest: Manifest, lists: Lists) -> AnyArray:
    """[A, C] as the version in a folder scores lists. Raises Broken for scores that are not finite."""
    scores = scores_of(scorer_of(folder, manifest), nets.find(manifest.name), lists)
    if not np.isfinite(scores[lists.items != NO_CANDIDATE]).all():
        raise Broken(f"{folder}: scores of shown lists are not finite")
    return scores


def score_lists(
    folder: Path, since: int, maps: InputMaps, schema: str, versions: Mapping[str, Path], report: Callable[[str], None]
) -> tuple[Lists, dict[str, float]]:
    """The lists of a folder after the time `since`, ms, as `maps` normalise them, and their NDCG@10 by ranker: SIGNALS, and each
    version by its title, fed as its own maps say. schema: the digest of what the lists' events meant. A version that can't score
    them is reported by name, and left out."""
    lists = read_lists(folder, maps, since)
    if not len(lists):
        return lists, {}
    found = {SIGNALS: ndcg_of_lists(lists, by_signals(lists))}
    for title, version in versions.items():
        try:
            manifest = read_manifest(version)
            require_current_inputs(manifest)
            require_schema(manifest, schema)
            own = read_lists(folder, manifest.maps, since)
            found[title] = ndcg_of_lists(own, version_scores(version, manifest, own))
        except (Broken, OSError, ValueError, LookupError) as error:
            report(f"{title} does not score the slice: {error}")
    return lists, {title: round(value, 6) for title, value in found.items()}
