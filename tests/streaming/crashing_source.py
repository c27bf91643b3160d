"""The job's source and its kind of state over a log, in a Flink of its own that crashes:
`python -m tests.streaming.crashing_source BOOTSTRAP FOLDER CRASHES BACKEND`.

Each batch that comes is appended to FOLDER/batches after its length. By FOLDER/restored a reader sees that states came back, and
FOLDER/wrong holds what did not come in order, exactly once, as far as state tells. The process ends when FOLDER/end is there.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyflink.common import Configuration, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment

from features.engines.kafka_address import KafkaAddress
from features.keys import DEFAULT_PARTITIONS
from streaming.batch_codec import TOPICS, unpack_batch
from streaming.keyed import BYTES, keyed
from streaming.log_source import log_batches
from streaming.operators.byte_states import FlinkStates

LIMIT = 400.0
"""Seconds until the process gives up."""


class Reader(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Writes batches and checks their offsets against its state. Fails once a checkpoint has been completed since it began, until
    it has failed often enough."""

    def __init__(self, folder: Path, crashes: int) -> None:
        self._folder, self._crashes = folder, crashes

    def open(self, context: RuntimeContext) -> None:
        states = FlinkStates(context)
        self._next = states.map_by_id("next")
        self._by_topic = states.map_by_text("by-topic")
        self._read = states.value("read")
        self._lengths = states.list("lengths")
        self._before: int | None = None
        self._failed = len(list(self._folder.glob("crash-*")))

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        with (self._folder / "batches").open("ab") as file:
            file.write(len(value).to_bytes(4, "little") + value)
        if self._before is None:  # the one that may be under way began before anything was read
            self._before = self._newest_checkpoint() + 1
            self._check_states()
        records = list(unpack_batch(value))
        for topic, name in enumerate(TOPICS):
            offsets = [record.offset for record in records if record.topic == topic]
            first, count = _number(self._next.get(topic)), _number(self._by_topic.get(name))
            if offsets != list(range(first, first + len(offsets))):
                self._note("wrong", f"{name}, partition {records[0].partition}: expected {first} on, got {offsets}")
            self._next.put(topic, _bytes(first + len(offsets)))
            self._by_topic.put_all({name: _bytes(count + len(offsets))})
        self._read.update(_bytes(_number(self._read.value()) + len(records)))
        self._lengths.add(_bytes(len(records)))
        if self._failed < self._crashes and self._newest_checkpoint() > self._before:
            (self._folder / f"crash-{self._failed}").touch()
            raise RuntimeError("a crash that was asked for")
        yield from ()

    def _check_states(self) -> None:
        counts = {
            _number(self._read.value()),
            sum(map(_number, self._lengths.get())),
            sum(_number(count) for _, count in self._by_topic.items()),
            sum(_number(offset) for _, offset in self._next.items()),
        }
        if len(counts) != 1:
            self._note("wrong", f"the states differ: {counts}")
        if counts != {0}:
            self._note("restored", str(counts))

    def _newest_checkpoint(self) -> int:
        found = (self._folder / "checkpoints").glob("*/chk-*/_metadata")
        return max((int(path.parent.name.removeprefix("chk-")) for path in found), default=0)

    def _note(self, name: str, text: str) -> None:
        with (self._folder / name).open("a") as file:
            file.write(f"{text}\n")


def _bytes(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _number(data: bytes | None) -> int:
    return 0 if data is None else int.from_bytes(data, "little")


def main() -> None:
    bootstrap, folder, crashes, backend = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    configuration = Configuration()
    for key, value in (
        ("python.execution-mode", "thread"),
        ("python.executable", sys.executable),
        ("state.backend.type", backend),
        ("execution.checkpointing.interval", "10 ms"),
        ("execution.checkpointing.min-pause", "0 ms"),
        ("execution.checkpointing.dir", (folder / "checkpoints").as_uri()),
        ("restart-strategy.type", "fixed-delay"),
        ("restart-strategy.fixed-delay.attempts", str(crashes)),
        ("restart-strategy.fixed-delay.delay", "100 ms"),
    ):
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1)
    start = {topic: dict.fromkeys(range(DEFAULT_PARTITIONS), 0) for topic in TOPICS}
    batches = log_batches(env, KafkaAddress(bootstrap), start)
    keyed(batches, BYTES).process(Reader(folder, crashes), output_type=Types.STRING()).print()
    env.execute_async()
    deadline = time.monotonic() + LIMIT
    while not (folder / "end").exists() and time.monotonic() < deadline:
        time.sleep(0.1)


if __name__ == "__main__":
    main()
