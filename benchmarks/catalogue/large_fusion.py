"""A Fusion of a large catalogue as the API's process ranks by it: untrained, since its work does not depend on its weights."""

import time
from pathlib import Path

import numpy as np

from features.arrays import AnyArray
from features.contracts.served import MAX_CANDIDATES
from features.inputs.history import GAPS, LENGTH, MARKS
from features.inputs.signals import SIGNAL_COLUMNS
from models import nets
from models.nets.parts.net import NetContext
from models.training.onnx_export import write_onnx
from online.model_client.in_process import LocalSession

WIDTHS = {
    "movieId": 0,
    "history": LENGTH,
    "history_marks": LENGTH,
    "history_gaps": LENGTH + 1,
    "signals": len(SIGNAL_COLUMNS),
}
OUTPUT = "score"


class LargeFusion:
    """Ranks candidates drawn from items 1 to `size`."""

    def __init__(self, session: LocalSession, size: int) -> None:
        self._session = session
        self._size = size

    def rank_ms(self, rng: np.random.Generator) -> float:
        """Returns the ms in which one list of candidates is ranked, for a user of a full history."""
        inputs: dict[str, AnyArray] = {
            "movieId": rng.integers(1, self._size, MAX_CANDIDATES),
            "history": rng.integers(1, self._size, (1, LENGTH)),
            "history_marks": rng.integers(0, MARKS, (1, LENGTH)),
            "history_gaps": rng.integers(0, GAPS, (1, LENGTH + 1)),
            "signals": rng.random((MAX_CANDIDATES, len(SIGNAL_COLUMNS)), dtype=np.float32),
        }
        began = time.perf_counter()
        self._session.scores(inputs, MAX_CANDIDATES)
        return 1000 * (time.perf_counter() - began)


def fusion_session(folder: Path, size: int) -> LargeFusion:
    """Returns a Fusion of so many items, written into the folder and loaded as the API does."""
    net = nets.find("fusion")
    model = net.build(NetContext(np.unique([0]), np.arange(1, size + 1), WIDTHS, 7))
    return LargeFusion(LocalSession(folder / write_onnx(net, model, WIDTHS, OUTPUT, folder), OUTPUT), size)
