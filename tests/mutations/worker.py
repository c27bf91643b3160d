"""Runs tests again and again in a copy of the tree, each time in a forked process: what the tests need of others is imported
once, what is ours anew.

One line of JSON comes in, [seconds within which pytest must end, its arguments]; one goes out, [exit code, output].
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from typing import IO, Final

HUNG: Final = 124
"""The exit code of a run that has not ended within its bound, and was killed."""
_OF_OTHERS: Final = (
    *(
        "pytest",
        "_pytest.main",
        "hypothesis",
        "hypothesis.strategies",
        "numpy",
        "msgspec",
        "orjson",
        "redis",
        "redis.asyncio",
    ),
    *("hiredis", "pyarrow", "pyarrow.parquet", "fastapi", "fastapi.testclient", "typer", "rich.progress", "psutil"),
    *("prometheus_client", "kafka", "kafka.admin", "aiokafka", "grpc", "httpx", "yaml", "faiss"),
    *("pyflink.common", "pyflink.datastream", "pyflink.datastream.state"),
)


def run_once(arguments: list[str], output: IO[bytes], bound: float) -> int:
    """pytest's exit code, in a process of its own; HUNG where it took more than `bound` seconds."""
    child = os.fork()
    if child == 0:
        os.setsid()
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
        import pytest

        code = int(pytest.main(arguments))
        sys.stdout.flush()
        os._exit(code)
    deadline = time.monotonic() + bound
    while (done := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return HUNG
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(done[1])


def main() -> None:
    for name in _OF_OTHERS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output:
            bound, arguments = json.loads(line)
            code = run_once(arguments, output, bound)
            output.seek(0)
            print(json.dumps([code, output.read().decode(errors="replace")]), flush=True)


if __name__ == "__main__":
    main()
