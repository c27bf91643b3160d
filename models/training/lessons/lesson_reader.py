"""Lessons are read for a net: rows or ranking lists, those after a time; what several nets share is read once."""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from features.errors import BadInput
from features.inputs.input_maps import InputMaps
from models.nets.parts.net import ROWS, Net
from models.training.lessons.list_data import RankingLists, read_ranking_lists
from models.training.lessons.row_data import Samples, read_samples

Lessons = Samples | RankingLists


class LessonReader:
    """Reads what nets learn from, and reports what it has found.

    samples, ranking_lists  the folders; BadInput is raised where nets learn from lists and there is no folder of them
    nets                    all that are to be trained: rows are read with the inputs of each
    max_rows                so many of the newest rows
    """

    def __init__(
        self,
        samples: Path,
        ranking_lists: Path | None,
        nets: Iterable[Net],
        max_rows: int,
        report: Callable[[str], None],
    ) -> None:
        self._samples, self._ranking_lists, self._max_rows, self._report = samples, ranking_lists, max_rows, report
        self._wanted = sorted({name for net in nets if net.learns == ROWS for name in net.inputs})
        self._rows = lru_cache(maxsize=2)(self._read_rows)
        self._lists = lru_cache(maxsize=2)(self._read_lists)

    def read(self, net: Net, since: int) -> Lessons:
        """What a net learns from after the time `since`, ms, normalised by the maps of the training data. Raises Broken for what
        can't be read, is malformed or too little."""
        return self._rows(since) if net.learns == ROWS else self._lists(since)

    def under(self, net: Net, since: int, maps: InputMaps) -> Lessons:
        """The same lessons, normalised by other maps of the same vocabulary."""
        if net.learns == ROWS:
            return read_samples(self._samples, self._wanted, self._max_rows, since, maps)
        return read_ranking_lists(self._lists_folder(), since, maps)

    def _lists_folder(self) -> Path:
        if self._ranking_lists is None:
            raise BadInput("--asks", "a folder of asks, which these models learn from", "none")
        return self._ranking_lists

    def _read_rows(self, since: int) -> Samples:
        started = time.monotonic()
        samples = read_samples(self._samples, self._wanted, self._max_rows, since)
        self._report(
            f"{len(samples.train)} rows to train, {len(samples.validation)} newer ones to validate"
            + (f", {samples.dropped} older ones left out (--max-rows)" if samples.dropped else "")
            + f"; read in {time.monotonic() - started:.1f} s"
        )
        return samples

    def _read_lists(self, since: int) -> RankingLists:
        read = read_ranking_lists(self._lists_folder(), since)
        rows = "" if read.histories is None else f"{read.rows} rows of histories, "
        self._report(
            f"{rows}{len(read.train_lists)} lists to train, {len(read.validation_lists)} newer ones to validate"
        )
        return read
