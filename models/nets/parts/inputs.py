"""Inputs of a graph that several nets take."""

from typing import Any

import keras

from features.history import LENGTH


def history_inputs() -> dict[str, Any]:
    """history, history_marks int64 [n, L], history_gaps int64 [n, L + 1]: see `features.history`."""
    widths = {"history": LENGTH, "history_marks": LENGTH, "history_gaps": LENGTH + 1}
    return {name: keras.Input(shape=(width,), dtype="int64", name=name) for name, width in widths.items()}
