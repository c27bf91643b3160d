"""Lists of models that are made anew on the way, as a home that learns makes them each night."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.arrays import IntArray
from features.base.reader import RELATIONS, Base
from features.errors import BadInput
from features.schema.tables import is_act
from features.types import Item, ItemId
from models.registry import version_folder
from models.training.lessons.list_data import MIN_LISTS
from offline.datasets.dataset import Dataset, whole_rows
from offline.datasets.event_rows import mean_weight, query_weights
from offline.evaluation.methods.learning_method import LearningMethod
from offline.evaluation.methods.model_methods import ModelMethod, manifest_of
from offline.evaluation.prequential import Method, prequential
from offline.training_data.newest_acts import ACTS, act_of_row


class Stage(NamedTuple):
    """What ranks from the end of its base's history on. models: a folder that holds one folder a model."""

    base: Base
    models: Path

    @property
    def first(self) -> int:
        """The first row after its history."""
        return int(self.base.manifest["history_rows"])

    def version(self, name: str) -> Path:
        """Returns the folder of a model's version. Raises BadInput where it has none that knows nothing later."""
        return version_folder(self.models, name, manifest_of(self.models, name, self.base).version)


class RenewedLists(NamedTuple):
    """By method, as `offline.evaluation.prequential.QueryLists` has them."""

    lists: dict[str, IntArray]
    page_lists: dict[str, IntArray]


def renewed_lists(
    dataset: Dataset,
    catalogue: dict[ItemId, Item],
    stages: Sequence[Stage],
    names: Sequence[str],
    work: Path,
    positives: int,
    progress: Callable[[int], None] = lambda _: None,
) -> RenewedLists:
    """The lists of these models before each query after the first stage's history: going on by slices of so many likes; made anew
    at each stage; and both. Raises BadInput for stages that are not in the order of their histories,
    or a model without a version."""
    rows = [stage.first for stage in stages]
    if any(end <= first for first, end in pairwise([*rows, dataset.rows])):
        raise BadInput("--renewed", f"bases of longer and longer histories, up to {dataset.rows} rows", f"{rows} rows")
    if positives < MIN_LISTS:
        raise BadInput("--positives", f"{MIN_LISTS} at least with --renewed", str(positives))
    schema, first = stages[0].base.schema, rows[0]
    weights = query_weights(dataset, dataset.rows, schema)
    mean = mean_weight(weights[:first])
    importances = (weights / mean).astype(np.float32)

    def learner(stage: Stage, name: str, folder: str) -> LearningMethod:
        known = enumerate(whole_rows(dataset, max(stage.first - ACTS, 0), stage.first), max(stage.first - ACTS, 0))
        before = (act_of_row(number, row) for number, row in known if is_act(row[2]))
        return LearningMethod(stage.version(name), work / folder, positives, importances, mean, before)

    going = {title(name, 0, True): learner(stages[0], name, f"{name}-0-on") for name in names}
    parts: list[RenewedLists] = []
    for number, (stage, end) in enumerate(zip(stages, [*rows[1:], dataset.rows], strict=True)):
        methods: dict[str, Method] = {title(name, len(stages) - 1): ModelMethod(stage.version(name)) for name in names}
        anew = {title(name, len(stages) - 1, True): learner(stage, name, f"{name}-{number}") for name in names}
        found = prequential(
            dataset, catalogue, stage.base.folder / RELATIONS, schema, first, methods | anew,
            lessons=[each.learn for each in anew.values()], progress=progress, since=stage.first, end=end,
        )  # fmt: skip
        parts.append(RenewedLists(found.lists, found.page_lists))
    found = prequential(
        dataset, catalogue, stages[0].base.folder / RELATIONS, schema, first, going,
        lessons=[each.learn for each in going.values()], progress=progress,
    )  # fmt: skip
    once = RenewedLists(found.lists, found.page_lists)
    return RenewedLists(
        *(_joined([getattr(part, field) for part in parts]) | getattr(once, field) for field in once._fields)
    )


def title(name: str, renewals: int, is_learning: bool = False) -> str:
    """Names a method."""
    anew = f", made anew {renewals} times" if renewals else ""
    return f"model {name}{anew}{', learning' if is_learning else ''}"


def _joined(parts: Sequence[Mapping[str, IntArray]]) -> dict[str, IntArray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
