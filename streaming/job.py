"""Builds the job and submits it on request: `echo '{}' | python -m streaming.job --settings FILE`; prints the job's id.

Kafka `events` ─┐ SQL: the records of a partition
Kafka `served` ─┴ number within 4 ms in one string ─▶ by lane ▶ UserFold ─▶ by lane of items ▶ ItemFold
                                                       ├─ rejected ─SQL─▶ Kafka `events.rejected`
                                                       ├─ rerouted ─SQL─▶ Kafka `events`
                                                       └─ samples ──SQL─▶ Kafka `samples`
"""

import argparse
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec
from pyflink.common import Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from features.base.reader import Base
from features.keys import EVENTS, REJECTED, SAMPLES, SERVED
from streaming.batch_codec import EVENTS_TOPIC, FIELD, NO_KEY, RECORD, SERVED_TOPIC
from streaming.keyed import keyed
from streaming.lanes import LABELS, MAX_PARALLELISM
from streaming.operators.item_operator import ItemFold
from streaming.operators.user_cache import BYTES
from streaming.operators.user_operator import REJECTED_TAG, REROUTED_TAG, SAMPLES_TAG, UserFold
from streaming.remote_environment import remote_environment
from streaming.settings import JobSettings, read_settings
from streaming.warm_up import warm

USERS_SLOT = "users"
"""Slot sharing group of the user fold, half of the work; source, items and sinks share the default group. With one slot per
TaskManager these are two processes, each with its own GIL."""

# Records of a partition number that come within 4 ms make one string: one crossing into Python for all of them.
# Under load a batch grows with what waits; the window of the older syntax costs half of the newer one's (docs/decisions/0007).
_BATCHED = """
SELECT {label} AS label, LISTAGG(packed, '{RECORD}') AS batch
FROM packed GROUP BY part, TUMBLE(pt, INTERVAL '0.004' SECOND(1, 3))
"""

# CONCAT_WS drops nulls: a missing value is encoded as an empty one, a missing key as NO_KEY.
_PACKED = """
SELECT part, pt, CONCAT_WS('{FIELD}', '{number}',
    CAST(part AS STRING), CAST(off AS STRING),
    CAST(1000 * EXTRACT(EPOCH FROM CAST(ts AS TIMESTAMP(3))) + EXTRACT(MILLISECOND FROM CAST(ts AS TIMESTAMP(3))) AS STRING),
    COALESCE(DECODE(k, 'ISO-8859-1'), '{NO_KEY}'), COALESCE(DECODE(v, 'ISO-8859-1'), '')) AS packed
FROM {topic}
"""


def _options(settings: JobSettings, topic: str, **more: str) -> str:
    options = {"connector": "kafka", "topic": topic, "properties.bootstrap.servers": settings.bootstrap, **more}
    return ", ".join(f"'{key}' = '{value}'" for key, value in options.items())


_RAW = {"key.format": "raw", "key.fields": "k", "value.format": "raw", "value.fields-include": "EXCEPT_KEY"}
# Events that come one by one go on together: each by itself would wake a dozen threads on its way, which costs ten times as
# much as to fold it (docs/decisions/0010).
_TOGETHER = {"properties.fetch.min.bytes": "2048", "properties.fetch.max.wait.ms": "4"}
_PATIENT = {
    # The producer waits for an unavailable broker, up to these timeouts, instead of failing the job.
    "properties.delivery.timeout.ms": "600000",
    "properties.request.timeout.ms": "10000",
    "properties.max.block.ms": "600000",
    "sink.delivery-guarantee": "at-least-once",
    "properties.linger.ms": "5",
    # A reject carries the refused value and its headers: it must fit whatever the topic `events` let in.
    "properties.max.request.size": str(6 << 20),
    "properties.buffer.memory": str(32 << 20),
}


def _start(offsets: dict[int, int]) -> dict[str, str]:
    """Returns the options that set where the first start reads a topic: behind the base. A checkpoint has its own offsets."""
    if not any(offsets.values()):
        return {"scan.startup.mode": "earliest-offset"}
    starts = ";".join(f"partition:{number},offset:{offset}" for number, offset in offsets.items())
    return {"scan.startup.mode": "specific-offsets", "scan.startup.specific-offsets": starts}


def build(env: StreamExecutionEnvironment, settings: JobSettings) -> None:
    """Define the whole job in `env`."""
    tables = StreamTableEnvironment.create(env)
    tables.get_config().set_local_timezone("UTC")
    # Each operator of SQL gets a uid too, so that a savepoint fits again.
    tables.get_config().set("table.exec.uid.generation", "ALWAYS")
    base = Base(Path(settings.base))
    read = {
        **_RAW,
        "properties.group.id": "martlet-job",
        "properties.metadata.max.age.ms": "30000",
        "properties.isolation.level": "read_uncommitted",
    }
    for topic, more in ((EVENTS, _TOGETHER), (SERVED, {})):
        tables.execute_sql(
            f"CREATE TABLE {topic} (k BYTES, v BYTES, part INT METADATA FROM 'partition' VIRTUAL,"
            " off BIGINT METADATA FROM 'offset' VIRTUAL, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,"
            f" pt AS PROCTIME()) WITH ({_options(settings, topic, **read, **more, **_start(base.offsets[topic]))})"
        )
    topics = ((EVENTS_TOPIC, EVENTS), (SERVED_TOPIC, SERVED))
    both = " UNION ALL ".join(
        _PACKED.format(number=number, topic=topic, FIELD=FIELD, NO_KEY=NO_KEY) for number, topic in topics
    )
    tables.create_temporary_view("packed", tables.sql_query(both))
    label = f"CASE part {' '.join(f'WHEN {part} THEN {label}' for part, label in enumerate(LABELS))} END"
    batches = tables.to_append_stream(
        tables.sql_query(_BATCHED.format(label=label, RECORD=RECORD)), Types.ROW([Types.INT(), Types.STRING()])
    )
    # The windows' output is batches already: each is flushed at once.
    java_batches: Any = batches._j_data_stream
    java_batches.getTransformation().setBufferTimeout(0)
    users = (
        keyed(batches, Types.STRING())
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
    headers = ", headers MAP<STRING, BYTES> METADATA"
    for name, topic, more in (("rejected", REJECTED, headers), ("rerouted", EVENTS, ""), ("samples", SAMPLES, "")):
        tables.execute_sql(
            f"CREATE TABLE {name}_sink (k BYTES, v BYTES{more}) WITH ({_options(settings, topic, **_RAW, **_PATIENT)})"
        )
    text = DataTypes.STRING()
    rejected = tables.from_data_stream(
        users.get_side_output(REJECTED_TAG),
        Schema.new_builder()
        .column("k", text).column("v", text).column("topic", text)
        .column("part", text).column("off", text).column("reason", text)
        .build(),
    )  # fmt: skip
    tables.create_temporary_view("rejected_rows", rejected)
    for name, tag in (("rerouted", REROUTED_TAG), ("samples", SAMPLES_TAG)):
        schema = Schema.new_builder().column("k", text).column("v", text).build()
        tables.create_temporary_view(f"{name}_rows", tables.from_data_stream(users.get_side_output(tag), schema))
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
    """Prepare what a start needs and does not depend on the base, which may be made meanwhile."""
    try:
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
        "--warm", type=int, default=0, metavar="SLOTS", help="first warm so many TaskManagers, and this client"
    )
    arguments = parser.parse_args()
    if arguments.warm:
        _warm(arguments.warm)
    order = sys.stdin.readline()
    if not order:  # the process that would have sent it has ended
        return
    restore = msgspec.json.decode(order, type=Order).restore
    settings = read_settings(arguments.settings)
    env = remote_environment(restore)
    env.set_parallelism(settings.parallelism)
    env.set_max_parallelism(MAX_PARALLELISM)
    build(env, settings)
    client = env.execute_async("martlet")
    print(client.get_job_id(), flush=True)


if __name__ == "__main__":
    main()
