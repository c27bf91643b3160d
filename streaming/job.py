"""Builds the job and submits it on request: `echo '{}' | python -m streaming.job --settings FILE`; prints the job's id.

Kafka `events`, `served` ─▶ batches of a lane's records ─▶ by lane ▶ UserFold ─▶ by lane of items ▶ ItemFold
                                                                 ├─ rejected ─SQL─▶ Kafka `events.rejected`
                                                                 ├─ rerouted ─SQL─▶ Kafka `events`
                                                                 └─ samples ──SQL─▶ Kafka `samples`
"""

import argparse
import sys
import traceback
from pathlib import Path

import msgspec
from pyflink.common import Types
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from features.base.reader import Base
from features.kernel.compile_kernel import compile_kernel
from features.keys import EVENTS, REJECTED, SAMPLES
from streaming.batch_codec import TOPICS
from streaming.kafka_properties import kafka_properties, table_options
from streaming.keyed import BYTES, keyed
from streaming.lanes import MAX_PARALLELISM
from streaming.log_source import log_batches
from streaming.operators.item_operator import ItemFold
from streaming.operators.side_outputs import REJECTED_TAG, REROUTED_TAG, SAMPLES_TAG
from streaming.operators.user_operator import UserFold
from streaming.remote_environment import remote_environment
from streaming.settings import JobSettings, read_settings
from streaming.warm_up import warm

USERS_SLOT = "users"
"""Slot sharing group of the user fold, half of the work; source, items and sinks share the default group. With one slot per
TaskManager these are two processes, each with its own GIL."""


def _options(settings: JobSettings, topic: str, **more: str) -> str:
    properties = {f"properties.{name}": value for name, value in kafka_properties(settings.kafka).items()}
    return table_options({"connector": "kafka", "topic": settings.kafka.topic(topic), **properties, **more})


_RAW = {"key.format": "raw", "key.fields": "k", "value.format": "raw", "value.fields-include": "EXCEPT_KEY"}
_PATIENT = {
    # The producer waits for an unavailable broker, up to these timeouts, instead of failing the job.
    "properties.delivery.timeout.ms": "600000",
    "properties.request.timeout.ms": "10000",
    "properties.max.block.ms": "600000",
    "sink.delivery-guarantee": "at-least-once",
    "properties.linger.ms": "5",
    # A reject carries the refused value, up to VALUE_LIMIT of it, and its headers.
    "properties.max.request.size": str(6 << 20),
    "properties.buffer.memory": str(32 << 20),
}


def build(env: StreamExecutionEnvironment, settings: JobSettings) -> None:
    """Define the whole job in `env`."""
    tables = StreamTableEnvironment.create(env)
    tables.get_config().set_local_timezone("UTC")
    # Each operator of SQL gets a uid too, so that a savepoint fits again.
    tables.get_config().set("table.exec.uid.generation", "ALWAYS")
    offsets = Base(Path(settings.base)).offsets
    batches = log_batches(env, settings.kafka, {topic: offsets[topic] for topic in TOPICS})
    users = (
        keyed(batches, BYTES)
        .process(UserFold(settings), output_type=Types.ROW([Types.INT(), BYTES]))
        .name("users")
        .uid("users")
        .slot_sharing_group(USERS_SLOT)
        .set_parallelism(settings.parallelism)
        .set_buffer_timeout(0)
    )
    (
        keyed(users, BYTES)
        .process(ItemFold(settings), output_type=Types.STRING())
        .name("items")
        .uid("items")
        .slot_sharing_group("default")
        .set_parallelism(settings.parallelism)
    )
    _side_outputs(tables, settings, users)


def _side_outputs(tables: StreamTableEnvironment, settings: JobSettings, users: DataStream) -> None:
    """Define the sinks of rejected and rerouted records and samples: keyed, partitioned by Kafka's own partitioner."""

    def side_output(tag: OutputTag) -> DataStream:
        # As it comes: PyFlink's own method adds a map in Python. Where several Python operators share a thread, compiled code in
        # one of them waits for ever for the interpreter's lock that its own thread holds: Numba frees what a call was given under
        # the first state of the thread. Handed over to a task of its own: chained, each sink opens a producer before the first
        # fold.
        return DataStream(users._j_data_stream.getSideOutput(tag.get_java_output_tag())).rescale()

    headers = ", headers MAP<STRING, BYTES> METADATA"
    for name, topic, more in (("rejected", REJECTED, headers), ("rerouted", EVENTS, ""), ("samples", SAMPLES, "")):
        tables.execute_sql(
            f"CREATE TABLE {name}_sink (k BYTES, v BYTES{more}) WITH ({_options(settings, topic, **_RAW, **_PATIENT)})"
        )
    text = DataTypes.STRING()
    rejected = tables.from_data_stream(
        side_output(REJECTED_TAG),
        Schema.new_builder()
        .column("k", text).column("v", text).column("topic", text)
        .column("part", text).column("off", text).column("reason", text)
        .build(),
    )  # fmt: skip
    tables.create_temporary_view("rejected_rows", rejected)
    for name, tag in (("rerouted", REROUTED_TAG), ("samples", SAMPLES_TAG)):
        schema = Schema.new_builder().column("k", text).column("v", text).build()
        tables.create_temporary_view(f"{name}_rows", tables.from_data_stream(side_output(tag), schema))
    statements = tables.create_statement_set()
    statements.add_insert_sql(
        "INSERT INTO rejected_sink SELECT ENCODE(k, 'ISO-8859-1'), ENCODE(v, 'ISO-8859-1'),"
        " MAP['topic', ENCODE(topic, 'UTF-8'), 'partition', ENCODE(part, 'UTF-8'),"
        " 'offset', ENCODE(off, 'UTF-8'), 'reason', ENCODE(reason, 'UTF-8')] FROM rejected_rows"
    )
    for name in ("rerouted", "samples"):
        statements.add_insert_sql(
            f"INSERT INTO {name}_sink SELECT ENCODE(k, 'ISO-8859-1'), ENCODE(v, 'ISO-8859-1') FROM {name}_rows"
        )
    statements.attach_as_datastream()


class Order(msgspec.Struct):
    """A line of JSON on standard input: submit the job now, from a checkpoint or savepoint (URI; None: from the base)."""

    restore: str | None = None


def _warm(slots: int) -> None:
    """Prepare what a start needs and does not depend on the base, which may be made meanwhile: the TaskManagers warm themselves
    beside all that this process does from now on."""
    try:
        if slots:
            warm(slots)
        warm_planner()
    except Exception:  # the job starts all the same, only slower
        traceback.print_exc()


def warm_planner() -> None:
    """Load the classes of Flink's planner, as far as a query is validated: planning one would count up the numbers in the uids of
    SQL's operators, and no checkpoint of a client that was not warmed would fit."""
    StreamTableEnvironment.create(remote_environment()).sql_query("SELECT 1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument(
        "--warm", type=int, metavar="SLOTS", help="first warm this client, and before it so many TaskManagers"
    )
    arguments = parser.parse_args()
    # A client describes functions. Beam is for those who run them, and takes 2 s of a processor to import.
    sys.modules.setdefault("apache_beam", None)  # type: ignore[arg-type]  # Python's way to say that there is no such module
    compile_kernel()  # here, once, and not in every task
    if arguments.warm is not None:
        _warm(arguments.warm)
    order = sys.stdin.readline()
    if not order:  # the process that would have sent it has ended
        return
    restore = msgspec.json.decode(order, type=Order).restore
    settings = read_settings(arguments.settings).to_submit()
    env = remote_environment(restore)
    env.set_parallelism(settings.parallelism)
    env.set_max_parallelism(MAX_PARALLELISM)
    build(env, settings)
    client = env.execute_async(settings.name)
    print(client.get_job_id(), flush=True)


if __name__ == "__main__":
    main()
