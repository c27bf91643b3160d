"""Has the spare TaskManager import what the job's tasks need: `python -m streaming.warm` runs a job of one element there.

A TaskManager keeps Python's modules from one job to the next. To import them takes 4 s of a processor, 8 while others are busy;
that would be most of the time that the job stands still after a TaskManager has died.
"""

from importlib import import_module
from typing import Any

from pyflink.common import Types
from pyflink.java_gateway import get_gateway

from streaming.remote import remote_environment

NAME = "martlet-warm"


def _import(value: int) -> int:
    for module in ("streaming.users", "streaming.items"):
        import_module(module)
    return value


def main() -> None:
    env = remote_environment()
    env.set_parallelism(1)
    stream: Any = env.from_collection([0], type_info=Types.INT()).map(_import, output_type=Types.INT())._j_data_stream
    jvm: Any = get_gateway().jvm
    stream.sinkTo(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())
    env.execute(NAME)


if __name__ == "__main__":
    main()
