"""An interrupted training goes on after its last whole epoch: all that the next one depends on, in a file for each part of a
model's training.

<models>/.training/<name>.<part>.npz: variables of model and optimizer, best weights so far, epochs, the state of what draws. They
are there while a training runs, and after one that was interrupted; parts that were done before are then found as they ended.
Another training (of other lessons, with another seed or other code) does not go on from them. Only negatives that TensorFlow
draws for a very large catalogue come out otherwise than they would have without the interruption.
"""

import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from features.durable import write_whole
from features.errors import Broken
from models.training.fitting.early_stopping import Epoch, Stopper

FOLDER: Final = ".training"
MIN_SECONDS: Final = 5.0
"""A training that is this quick is not worth a write each epoch."""


class Resume:
    """See the module. path: <models>/.training/<name>, None keeps nothing; key: identifies the training."""

    def __init__(self, path: Path | None = None, key: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._key, self._clock = path, key, clock
        self._written = clock()

    def _file(self, part: str) -> Path | None:
        return None if self._path is None else self._path.with_name(f"{self._path.name}.{part}.npz")

    def _read(self, part: str) -> dict[str, Any]:
        path = self._file(part)
        if path is None:
            return {}
        try:
            with path.open("rb") as opened, np.load(opened) as file:  # numpy leaves a cut file open
                saved = {name: file[name] for name in file.files}
            progress = json.loads(str(saved.pop("progress")))
        except (OSError, EOFError, ValueError, KeyError, BadZipFile):
            return {}
        return {"values": saved, **progress} if progress["key"] == self._key else {}

    def restore(self, part: str, variables: Sequence[Any], rng: np.random.Generator, stopper: Stopper | None) -> int:
        """Put back what was kept of a part of the training; how many epochs of it are done, 0 where nothing was kept. Raises
        Broken if it does not fit."""
        saved = self._read(part)
        if not saved:
            return 0
        shapes = [value.shape for name, value in saved["values"].items() if name.startswith("v")]
        if sorted(shapes) != sorted(tuple(variable.shape) for variable in variables):
            self.done()
            raise Broken(
                f"{self._file(part)} was kept of a net that was built otherwise, and is removed now: train again"
            )
        for at, variable in enumerate(variables):
            variable.assign(saved["values"][f"v{at}"])
        rng.bit_generator.state = saved["drawing"]
        if stopper is not None:
            best = [saved["values"][f"b{at}"] for at in range(saved["best"])]
            stopper.go_on([Epoch(**each) for each in saved["epochs"]], best)
        return int(saved["number"])

    def keep(
        self,
        part: str,
        number: int,
        variables: Sequence[Any],
        rng: np.random.Generator,
        stopper: Stopper | None,
    ) -> None:
        """Keep all after an epoch of a part, if the last time was some seconds ago."""
        path = self._file(part)
        if path is None or self._clock() - self._written < MIN_SECONDS:
            return
        best = [] if stopper is None else stopper.best
        values = {f"v{at}": variable.numpy() for at, variable in enumerate(variables)}
        values |= {f"b{at}": value for at, value in enumerate(best)}
        progress = {
            "key": self._key,
            "number": number,
            "drawing": rng.bit_generator.state,
            "best": len(best),
            "epochs": [] if stopper is None else [asdict(each) for each in stopper.epochs],
        }
        out = io.BytesIO()
        np.savez(out, progress=np.array(json.dumps(progress)), **values)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, out.getvalue())
        self._written = self._clock()

    def done(self) -> None:
        """Remove what was kept of all parts."""
        if self._path is not None:
            for file in self._path.parent.glob(f"{self._path.name}.*npz"):
                file.unlink(missing_ok=True)


NO_RESUME: Final = Resume()
"""Of a training that is not kept."""
