"""An interrupted training goes on after its last whole epoch: all that the next one depends on, in one file a model.

<models>/.training/<name>.npz: variables of model and optimizer, best weights so far, epochs, the state of what draws. It is
there while a training runs, and after one that was interrupted. Another training (of other lessons, with another seed or other
code) does not go on from it. Only negatives that TensorFlow draws for a very large catalogue come out otherwise than they
would have without the interruption.
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
    """See the module. path: None keeps nothing; key: identifies the training."""

    def __init__(self, path: Path | None = None, key: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._key, self._clock = path, key, clock
        self._written = clock()
        self._saved = self._read()

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as opened, np.load(opened) as file:  # numpy leaves a cut file open
                saved = {name: file[name] for name in file.files}
            progress = json.loads(str(saved.pop("progress")))
        except (OSError, EOFError, ValueError, KeyError, BadZipFile):
            return {}
        return {"values": saved, **progress} if progress["key"] == self._key else {}

    def restore(self, part: str, variables: Sequence[Any], rng: np.random.Generator, stopper: Stopper | None) -> int:
        """Put back what was kept of a part of the training; how many epochs of it are done, 0 where nothing was kept. Raises
        Broken if it does not fit."""
        saved = self._saved
        if saved.get("part") != part:
            return 0
        shapes = [value.shape for name, value in saved["values"].items() if name.startswith("v")]
        if sorted(shapes) != sorted(tuple(variable.shape) for variable in variables):
            self.done()
            raise Broken(f"{self._path} was kept of a net that was built otherwise, and is removed now: train again")
        for at, variable in enumerate(variables):
            variable.assign(saved["values"][f"v{at}"])
        rng.bit_generator.state = saved["drawing"]
        if stopper is not None:
            best = [saved["values"][f"b{at}"] for at in range(saved["best"])]
            stopper.go_on([Epoch(**each) for each in saved["epochs"]], best)
        return int(saved["number"])

    def passed(self, part: str) -> bool:
        """Whether a part is done, since what was kept is of one after it."""
        return bool(self._saved) and part in self._saved["passed"]

    def keep(
        self,
        part: str,
        number: int,
        variables: Sequence[Any],
        rng: np.random.Generator,
        stopper: Stopper | None,
        passed: Sequence[str] = (),
    ) -> None:
        """Keep all after an epoch, if the last time was some seconds ago."""
        if self._path is None or self._clock() - self._written < MIN_SECONDS:
            return
        best = [] if stopper is None else stopper.best
        values = {f"v{at}": variable.numpy() for at, variable in enumerate(variables)}
        values |= {f"b{at}": value for at, value in enumerate(best)}
        progress = {
            "key": self._key,
            "part": part,
            "passed": list(passed),
            "number": number,
            "drawing": rng.bit_generator.state,
            "best": len(best),
            "epochs": [] if stopper is None else [asdict(each) for each in stopper.epochs],
        }
        out = io.BytesIO()
        np.savez(out, progress=np.array(json.dumps(progress)), **values)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, out.getvalue())
        self._written = self._clock()

    def done(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


NO_RESUME: Final = Resume()
"""Of a training that is not kept."""
