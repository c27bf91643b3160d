"""``python -m models.server``: the embedded model server alone."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from models.server import flags


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM; the exit code: 0, or 2 for a bad command line, 1 if the server can't start."""
    try:
        given = flags.parse(argv)
    except flags.UsageError as error:
        return _complain(str(error), 2)
    except SystemExit as done:  # --help
        return int(done.code or 0)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {flags.PROGRAM}: %(message)s")
    if given.without_effect:
        logging.warning("without effect here: %s", ", ".join(f"--{name}" for name in given.without_effect))
    # It runs graphs as they were saved. Without Keras, TensorFlow is loaded with 4 s of a processor instead of 7.
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]  # Python's way to say that there is no such module
    with _quiet():
        from models.server import serve  # TensorFlow takes seconds to load: not for --help or a mistyped flag
    try:
        serve.run(given)
    except serve.StartError as error:
        return _complain(str(error), 1)
    return 0


def _complain(text: str, code: int) -> int:
    print(f"{flags.PROGRAM}: error: {' '.join(text.split())}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what TensorFlow's C++ prints about missing GPUs off stderr; if the import fails, show it after all."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        stderr_copy = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(stderr_copy, captured.read())
            raise
        finally:
            os.dup2(stderr_copy, 2)
            os.close(stderr_copy)


if __name__ == "__main__":
    sys.exit(main())
