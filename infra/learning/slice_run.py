"""The steps of a slice, each a process of its own with one thread at the lowest priority: its memory is freed at its end."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from features.base.reader import Base
from features.errors import Broken
from infra.flink.job_control import settings_file
from infra.home.paths import Home, read_json
from infra.home.process_notes import note_processes, noted_processes
from infra.home.record import HomeRecord
from infra.offline_jobs import renewal, runner
from infra.offline_jobs.base_folders import samples_folder
from infra.system.processes import ProcessId, stop
from models.learning.slice_result import RESULT, SliceResult
from models.registry import Labels, list_versions, read_labels, version_folder
from offline.training_data.file_names import META
from offline.training_data.slice_lists import SliceSpans
from streaming.settings import read_settings

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
LOG: Final = "learning.log"
STEP: Final = "learner-step.json"
"""In `run`: the process of the step that runs."""
LEFTOVER_S: Final = 10.0


class MadeLists(msgspec.Struct, frozen=True):
    """What a slice has to learn from. left_out: lists of users who had more than their share; counts: samples by what came of
    them."""

    lists: int
    users: int
    left_out: int
    counts: dict[str, int]


class LearningSteps:
    """The steps of a home's learner, for one model. Each raises MartletError if it fails; where it is killed, what it made is not
    whole, or as if it had never been."""

    def __init__(self, home: Home, model: str, print_line: Callable[[str], None]) -> None:
        self._home, self._model, self._print_line = home, model, print_line
        self._file = home.run / STEP

    @contextmanager
    def _attended(self, name: str, process: "subprocess.Popen[str]") -> Iterator[None]:
        """While a step runs, a file says which process it is."""
        del name
        if (target := ProcessId.of(process.pid)) is not None:
            note_processes(self._file, target.to_json())
        try:
            yield
        finally:
            self._file.unlink(missing_ok=True)

    def stop_leftover(self) -> None:
        """Stop the step that a learner which was killed has left: its memory is needed, and what it makes is of no use."""
        entry = noted_processes(self._file)
        if entry is not None:
            stop(ProcessId.from_json(entry), LEFTOVER_S)
        self._file.unlink(missing_ok=True)

    def make_lists(self, start: Path, spans: SliceSpans, since: int, out: Path) -> MadeLists:
        """Make the lists of a slice, for the weights in `start`."""
        home, number = self._home, HomeRecord(self._home).base_number
        base = home.bases / str(number)
        argv = ["offline.training_data.slice_lists", "--base", str(base), "--engines", str(home.engines_file)]
        argv += ["--data-dir", str(home.data), "--version", str(start)]
        argv += ["--samples", str(samples_folder(home, Base(base).data_base))]
        argv += ["--spans", json.dumps(spans), "--since", str(since), "--out", str(out)]
        settings = read_settings(settings_file(home))
        argv += ["--attribution", str(settings.attribution), *runner.clock_arguments(settings)]
        runner.run_module(argv, home.logs / LOG, self._print_line, attend=self._attended)
        try:
            return msgspec.convert(read_json(out / META), MadeLists)
        except msgspec.ValidationError as error:
            raise Broken(f"{out / META}: {error}") from error

    def learn(self, start: Path, work: Path, since: int) -> SliceResult:
        """Score a slice (`work`/new) and learn it with what comes again (`work`/whole), into `work`/out."""
        home, out = self._home, work / "out"
        out.mkdir()
        argv = ["models.learning", "--model", self._model, "--start", str(start), "--models", str(home.models)]
        argv += ["--new", str(work / "new"), "--whole", str(work / "whole"), "--since", str(since), "--out", str(out)]
        for title, folder in compared_versions(home.models, self._model).items():
            argv += ["--compare", f"{title}={folder}"]
        runner.run_module(argv, home.logs / LOG, self._print_line, more=ONE_THREAD, attend=self._attended)
        try:
            return msgspec.json.decode((out / RESULT).read_bytes(), type=SliceResult)
        except (OSError, msgspec.DecodeError) as error:
            raise Broken(f"{out / RESULT} can't be read: {error}") from error

    def publish(self, folder: Path) -> None:
        """Hold weights to the gate and publish them as the next version."""
        runner.publish(self._home, folder, self._model, False, self._print_line, self._attended)

    def renew(self, number: int) -> str:
        """Make all anew from the log, the base `number` first; returns what was done, in one line."""
        return renewal.renew(self._home, number, [self._model], self._print_line, self._attended)

    def discard_renewal(self, number: int) -> None:
        """Remove what a making anew that is given up has left."""
        renewal.discard(self._home, number)


def compared_versions(models: Path, model: str) -> dict[str, Path]:
    """Title → folder of the versions that a slice is scored with beside the weights: the one that ranks, and the candidate."""
    labels, versions = read_labels(models, model) or Labels(), list_versions(models, model)
    candidate = labels.on_disk(versions).candidate
    chosen = dict.fromkeys([*labels.order(versions)[:1], *([] if candidate is None else [candidate])])
    return {f"{model}:{each}": version_folder(models, model, each) for each in chosen}
