"""Console output of the offline commands: one line a step, one clear line for an error."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

from features.errors import MartletError, Unavailable, refusal_of


class Step:
    """A step under way; `note` is what its line adds, such as a count."""

    note: str = ""


@contextlib.contextmanager
def step(name: str) -> Iterator[Step]:
    """Print `name: note (seconds)` on standard output when the block ends without an error."""
    began = time.monotonic()
    this = Step()
    yield this
    seconds = time.monotonic() - began
    print(f"{name}: {this.note} ({seconds:.1f} s)" if this.note else f"{name} ({seconds:.1f} s)", flush=True)


def run(command: Callable[[], None]) -> int:
    """Run a command; the exit code: 0, 1 with the error's line on standard error, EX_TEMPFAIL instead of 1 for what was
    unavailable, 130 where it was interrupted.

    SIGTERM interrupts like Ctrl-C does, so that staging folders are removed.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command()
    except MartletError as error:
        print(f"error: {error}", file=sys.stderr)
        return os.EX_TEMPFAIL if isinstance(error, Unavailable) else 1
    except KeyboardInterrupt:
        print("error: interrupted; nothing half-made was put in place", file=sys.stderr)
        return 130
    except Exception as error:
        line = _line_of(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _line_of(error: Exception) -> str | None:
    """The line for an error that a user can do something about; None for a fault of ours."""
    if isinstance(error, OSError):
        return refusal_of(error)
    line = spark_message(error)
    return None if line is None else f"Spark failed: {line}"


def spark_message(error: Exception) -> str | None:
    """The one line that names what went wrong inside Spark; None if the error is not one of Spark's."""
    if not type(error).__module__.startswith(("pyspark", "py4j")):
        return None
    lines = [line for line in str(error).splitlines() if line.strip()]
    traced = False
    for line in lines:
        # What a worker raised stands below its traceback, the first line that is not indented.
        if traced and not line.startswith(" "):
            return line.strip()[:500]
        traced = traced or "Traceback (most recent call last)" in line
    return (lines or [type(error).__name__])[0].strip()[:500]
