"""Weights go on by one slice: versions are scored on its lists first, then the weights learn them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from rich.console import Console

from features.durable import write_whole
from features.inputs.input_maps import InputMaps
from models import nets
from models.learning.fit_to_learn import require_fit
from models.learning.slice_result import RESULT, SliceResult
from models.learning.slice_scores import WEIGHTS, score_lists
from models.nets.parts.net import Net
from models.registry import require_current_inputs, require_schema
from models.training.effort import SLICE, Effort
from models.training.export import stage
from models.training.fitting.fit_lists import fit_on_lists
from models.training.fitting.warm_start import Earlier, earlier_in, has_encoder
from models.training.lessons.list_data import MIN_LISTS, Lists, RankingLists, read_lists, read_ranking_lists
from models.training.lessons.row_data import read_json, schema_of
from models.training.pipeline import data_seen, live_metrics
from models.training.promotion_gate import check_version
from models.training.runtime import peak_megabytes

MEASURED: Final = 300
"""Lists that measure what weighs, where there are so many: fewer say little of how good it is."""
MIN_TAUGHT: Final = 64
"""Fewer lists teach nothing to what weighs; the sequence model goes on."""


@dataclass(frozen=True)
class SliceOptions:
    """What to learn from, and what goes on.

    start     the folder of a version, published or not, whose weights go on
    new       a folder of ranking lists that nothing has learned from
    whole     these with lists of slices before, which come again, and what users did lately
    since     the time, ms, up to which the weights have learned from elsewhere: lists up to it are left out
    compared  title → folder of the versions that are scored, too
    models    the model base, whose live version the weights are measured with for the gate
    out       the folder to write: RESULT and, where there is enough to learn from, `version`, as training exports it
    """

    name: str
    start: Path
    new: Path
    whole: Path
    since: int
    compared: Mapping[str, Path]
    models: Path
    out: Path
    seed: int = 7
    effort: Effort = SLICE


def learn_slice(options: SliceOptions, console: Console) -> SliceResult:
    """Score, learn, check what was learned as the gate does, and write it; RESULT is written last. Raises BadInput for a model
    that does not learn from lists, Broken where weights or lists don't fit or the training diverges."""
    require_fit(options.name)
    net = nets.find(options.name)
    earlier = earlier_in(options.start, f"the weights of {net.name}")
    schema = schema_of(read_json(options.new / "meta.json", dict[str, Any]), options.new)
    require_schema(earlier.manifest, schema)
    require_current_inputs(earlier.manifest)
    maps, versions = earlier.manifest.maps, {WEIGHTS: options.start, **options.compared}
    lists, scores = score_lists(options.new / "asks", options.since, maps, schema, versions, console.print)
    users = len(set(lists.users.tolist()))
    console.print(f"{len(lists)} new lists of {users} users: {_text(scores)}")
    whole = len(read_lists(options.whole / "asks", maps, options.since))
    learned = 0
    if whole < MIN_LISTS:
        console.print(f"{whole} lists are too few to learn from: {MIN_LISTS} at least")
    elif len(lists):
        learned = _learn(net, earlier, lists, options)
    result = SliceResult(lists=len(lists), users=users, ndcg10=scores, learned=learned, megabytes=peak_megabytes())
    write_whole(options.out / RESULT, msgspec.json.encode(result))
    return result


def _learn(net: Net, earlier: Earlier, new: Lists, options: SliceOptions) -> int:
    def under(maps: InputMaps) -> RankingLists:
        lists = read_ranking_lists(options.whole, options.since, maps)
        if not has_encoder(earlier):
            return replace(lists, histories=None)  # it would only get to know ids of which it learns nothing
        taught, measured = split(new, read_lists(options.whole / "asks", maps, options.since))
        return replace(lists, train_lists=taught, validation_lists=measured)

    lists, effort = under(earlier.manifest.maps), options.effort
    if has_encoder(earlier) and len(lists.train_lists) < MIN_TAUGHT:
        effort = replace(effort, lists=0)
    fitted = fit_on_lists(net, lists, options.seed, earlier=earlier, effort=effort)
    metrics = fitted.metrics | live_metrics(net, lists, options.models, under)
    folder = options.out / "version"
    folder.mkdir()
    seen = data_seen(lists, fitted, earlier.manifest.data.base, options.seed)
    stage(net, fitted, lists, metrics, seen, folder)
    check_version(folder)
    return len(lists.train_lists) + len(lists.validation_lists)


def split(new: Lists, whole: Lists) -> tuple[Lists, Lists]:
    """(lists that teach what weighs the scores of a sequence model, lists that measure it), of those of a slice and `whole`,
    which has them and those that come again.

    The sequence model has learned what was liked of the latter: who weighed its scores by them would trust it too much. So the
    older half of the new lists teaches, and the newer half measures, together with the newest before where these are few."""
    keys = set(_keys(new))
    is_new = np.array([key in keys for key in _keys(whole)], bool)
    fresh, before = np.flatnonzero(is_new), np.flatnonzero(~is_new)
    taught = max(len(fresh) // 2, 1)
    lacking = max(MEASURED - len(fresh[taught:]), 0)
    older = before[max(len(before) - lacking, 0) :]
    return whole.part(fresh[:taught]), whole.part(np.concatenate([older, fresh[taught:]]))


def _keys(lists: Lists) -> list[tuple[int, ...]]:
    liked = lists.items[np.arange(len(lists)), lists.answers]
    return list(zip(*(values.tolist() for values in (lists.seqs, lists.users, lists.at, liked)), strict=True))


def _text(scores: Mapping[str, float]) -> str:
    return "NDCG@10 " + ", ".join(f"{title} {value:.4f}" for title, value in scores.items()) if scores else "none"
