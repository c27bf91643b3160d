"""Has TaskManagers import the modules of the job's tasks: `python -m streaming.warm_up` runs a job of one element on a free one.

A TaskManager keeps Python's modules from one job to the next. Importing them takes 4 s of a processor, 8 s on a busy machine:
most of the downtime after a TaskManager has died. Flink also triggers a checkpoint soon after the job's first task runs, which
fails while another task imports.
"""

from importlib import import_module
from typing import Any

from pyflink.common import JobClient, Types
from pyflink.datastream import MapFunction, RuntimeContext
from pyflink.java_gateway import get_gateway

from features.kernel.compile_kernel import compile_kernel
from streaming.remote_environment import remote_environment

NAME = "martlet-warm"


def import_operators() -> None:
    """Import the modules of the job's operators."""
    for module in ("streaming.operators.user_operator", "streaming.operators.item_operator"):
        import_module(module)


class _Import(MapFunction):  # type: ignore[misc]  # PyFlink has no types
    """Imports the modules in each task, and loads the kernel's compiled functions, whether it gets an element or not."""

    def open(self, runtime_context: RuntimeContext) -> None:
        import_operators()
        compile_kernel()

    def map(self, value: int) -> int:
        return value


def warm(slots: int) -> JobClient:
    """Submit the warming job to `slots` TaskManagers, each with one slot. A job that is submitted meanwhile gets the slots when
    it ends."""
    env = remote_environment(lasts=False)
    env.set_parallelism(slots)
    stream: Any = env.from_collection([0], type_info=Types.INT()).map(_Import(), output_type=Types.INT())._j_data_stream
    jvm: Any = get_gateway().jvm
    stream.sinkTo(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())
    return env.execute_async(NAME)


if __name__ == "__main__":
    warm(1).get_job_execution_result().result()
