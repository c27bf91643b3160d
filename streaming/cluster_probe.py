"""Proves that a Flink cluster can run the job: `python -m streaming.cluster_probe --name NAME --file FILE --jar JAR` runs a job
of one element on a free TaskManager, which imports the operators' modules, finds the jars, and writes the file in a home."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from pyflink.common import Types
from pyflink.datastream import MapFunction, RuntimeContext
from pyflink.java_gateway import get_gateway

from features.errors import Broken
from features.version import VERSION
from streaming.remote_environment import remote_environment
from streaming.warm_up import import_operators

OWN, CONNECTOR = "martlet.LaneBatcher", "org.apache.flink.connector.kafka.source.KafkaSource"
"""Classes of the job's own jar, and of the connector's."""


def check_here(version: str, jar: str, file: Path) -> None:
    """Check this process, which is a TaskManager's: Martlet's `version`, its `jar` by name, the connector, and that `file`
    can be written. Raises Broken with what is wrong."""
    if version != VERSION:
        raise Broken(f"the repository on PYTHONPATH is of version {VERSION}, expected {version}")
    if (found := _jar_of(OWN)) != jar:
        raise Broken(f"Flink's lib must hold {jar}, found {found or 'none'}")
    if _jar_of(CONNECTOR) is None:
        raise Broken("Flink's lib lacks the Kafka connector")
    try:
        file.touch()
    except OSError as error:
        raise Broken(f"the home's folder must be there under the same path, to read and to write: {error}") from error


def _jar_of(name: str) -> str | None:
    """Returns the name of the jar that a class of Flink's class path is from; None if there is none."""
    from pemja import findClass  # there only where Flink runs Python in its own process

    path = name.replace(".", "/") + ".class"
    found = findClass("java.lang.ClassLoader").getSystemResource(path)
    return None if found is None else str(found.toString()).partition("!")[0].rpartition("/")[2]


class _Check(MapFunction):  # type: ignore[misc]  # PyFlink has no types
    def __init__(self, jar: str, file: Path) -> None:
        self._expected = VERSION, jar, file

    def open(self, runtime_context: RuntimeContext) -> None:
        import_operators()
        check_here(*self._expected)

    def map(self, value: int) -> int:
        return value


def probe(name: str, jar: str, file: Path) -> None:
    """Run the job, under a name; returns when it has ended."""
    env = remote_environment(lasts=False)
    env.set_parallelism(1)
    checked: Any = env.from_collection([0], type_info=Types.INT()).map(_Check(jar, file), output_type=Types.INT())
    jvm: Any = get_gateway().jvm
    checked._j_data_stream.sinkTo(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())
    env.execute(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--jar", required=True)
    arguments = parser.parse_args()
    probe(arguments.name, arguments.jar, arguments.file)


if __name__ == "__main__":
    # By its name: what is of `__main__` would be sent along, and it is the TaskManager's own that is to be tried.
    import_module("streaming.cluster_probe").main()
