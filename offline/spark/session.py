"""One Spark session, bounded and quiet, on this machine's cores unless a master is named."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.engines.loopback import LOOPBACK, is_loopback
from features.errors import Unavailable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from offline.datasets.dataset import Dataset

REPO: Final = Path(__file__).resolve().parents[2]
DRIVER_MEMORY: Final = "2g"
STACK: Final = "-Xss4m"
"""Stack of a thread: tasks of ALS are read by recursion over all its iterations, which Java's default does not always hold."""
ONE_COMPILER: Final = "-XX:TieredStopAtLevel=1"
"""Java without its second compiler: for FEW rows no plan runs long enough to be compiled twice (decision 0017)."""
FEW: Final = 500_000
ROWS_A_PARTITION: Final = 250_000


@contextlib.contextmanager
def spark_session(
    scratch: Path, rows: int, master: str | None = None, memory: str = DRIVER_MEMORY
) -> Iterator["SparkSession"]:
    """A session whose own files are in a folder next to its output, and are removed when it ends.

    `scratch` is a folder that has room for shuffles; `rows` how many events or lists it is for, about; `master` defaults to all
    cores of this machine. JAVA_HOME is honoured. Raises Unavailable if Spark does not start.
    """
    _clear_left_overs(scratch)
    own = scratch / f".spark-{os.getpid()}"
    own.mkdir(parents=True, exist_ok=True)
    session = None
    try:
        session = _start(own, master or "local[*]", memory, java_options(rows))
        yield session
    finally:
        if session is not None:
            session.stop()
        shutil.rmtree(own, ignore_errors=True)


def _start(own: Path, master: str, memory: str, java: str) -> "SparkSession":
    # Workers must find this repository and run in this environment.
    path = os.pathsep.join(
        dict.fromkeys([str(REPO), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
    )
    os.environ.update(PYTHONPATH=path, PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
    here = is_here(master)
    if here:
        os.environ["SPARK_LOCAL_IP"] = LOOPBACK
    logging = own / "log4j2.properties"
    logging.write_text(_LOGGING)
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": f'{java} -Dlog4j2.configurationFile={logging.as_uri()} -Djava.io.tmpdir="{own}"',
        "spark.executor.extraJavaOptions": STACK,
        "spark.local.dir": str(own),
        "spark.sql.warehouse.dir": str(own / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "true",
        "spark.executorEnv.PYTHONPATH": path,
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "32m",
    }
    if here:
        settings |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    builder = SparkSession.builder.master(master).appName("martlet")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise Unavailable(
            f"Spark could not start ({str(error).splitlines()[0][:200]}): is JAVA_HOME a Java that Spark can use, and "
            f"the master {master} there? JAVA_HOME is {os.environ.get('JAVA_HOME') or 'not set'}"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def java_options(rows: int) -> str:
    """Returns the options of Java in a session for so many rows.

    >>> java_options(100_000), java_options(25_000_000)
    ('-Xss4m -XX:TieredStopAtLevel=1', '-Xss4m')
    """
    return f"{STACK} {ONE_COMPILER}" if rows <= FEW else STACK


def is_here(master: str) -> bool:
    """Whether a master runs its tasks on this machine alone: executors elsewhere must reach the driver.

    >>> is_here("local[2]"), is_here("spark://127.0.0.1:7077"), is_here("spark://spark.example:7077"), is_here("yarn")
    (True, True, False, False)
    """
    host = master.removeprefix("spark://").rpartition(":")[0]
    return master.startswith("local") or (master.startswith("spark://") and is_loopback(host))


def _clear_left_overs(scratch: Path) -> None:
    """Remove the folders of sessions whose process was killed."""
    for folder in scratch.glob(".spark-*"):
        pid = folder.name.removeprefix(".spark-")
        if not pid.isdigit():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue


def partitions(spark: "SparkSession", rows: int) -> int:
    """Into how many parts `rows` rows of events are cut: small enough for a worker's memory, and one a core at least."""
    return max(int(spark.sparkContext.defaultParallelism), -(-rows // ROWS_A_PARTITION))


def history_events(spark: "SparkSession", dataset: "Dataset", rows: int) -> "DataFrame":
    """The first `rows` rows of a data set: seq (the row's number, from 0), user_id, item_id, kind, centi, ts, user, item."""
    frame = spark.read.parquet(str(dataset.ratings)).selectExpr(
        "_metadata.row_index AS seq",
        "user_id",
        "item_id",
        "kind",
        "centi",
        "ts",
        "user",
        "item",
    )
    return frame.where(frame.seq < rows)


_LOGGING: Final = """\
status = error
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
# A failed task is told once, by its executor.
logger.utils.name = org.apache.spark.util.Utils
logger.utils.level = off
logger.writer.name = org.apache.spark.sql.execution.datasources.FileFormatWriter
logger.writer.level = off
logger.tasks.name = org.apache.spark.scheduler.TaskSetManager
logger.tasks.level = off
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex{3}
"""
