"""The process: TensorFlow's environment before it is imported, and what a run has cost."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]


def prepare() -> None:
    """Set what TensorFlow reads when it is imported: CPU only, quiet, no oneDNN (its sums differ between machines).

    What is already in the environment stands.
    """
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


@contextmanager
def silent() -> Iterator[None]:
    """Nothing reaches standard error, not even from C++."""
    sys.stderr.flush()
    stderr_copy, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)
        os.close(nothing)


def import_tensorflow() -> None:
    """Prepare, import TensorFlow, run one Session: the messages that TensorFlow prints once a process are then discarded."""
    prepare()
    with silent():
        import tensorflow as tf

        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            session.run(tf.constant(0) + 1)


def peak_megabytes() -> int:
    """The most memory that this process has held, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10


def code_revision() -> str:
    """Git's revision of this code, "" where there is none."""
    try:
        result = subprocess.run(
            ["git", "-C", str(_REPOSITORY), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
