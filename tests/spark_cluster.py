"""A standalone Spark for tests: a master and a worker of one core, on loopback, each a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from features.engines.loopback import LOOPBACK
from features.errors import Unavailable
from infra.system.packages import spark_java_home
from infra.system.probes import http_json
from infra.system.processes import claim_ports
from tests.home import until
from tests.java import SPARK

READY_S: Final = 180
STOP_S: Final = 20


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """Starts both; yields the master's address once the worker is there; stops them at the end."""
    port, pages = claim_ports(2)
    address = f"spark://{LOOPBACK}:{port}"
    master = ["master.Master", "--host", LOOPBACK, "--port", str(port), "--webui-port", str(pages)]
    worker = ["worker.Worker", "--host", LOOPBACK, "--cores", "1", "--memory", "1g", "--webui-port", "0"]
    with _running(folder / "master", *master), _running(folder / "worker", *worker, address):

        def is_whole() -> bool:
            return bool(http_json(f"http://{LOOPBACK}:{pages}/json/")["aliveworkers"] == 1)

        until(is_whole, READY_S, "the worker has registered with the master", despite=Unavailable)
        yield address


@contextmanager
def _running(folder: Path, name: str, *arguments: str) -> Iterator[None]:
    """Runs one of Spark's processes in a folder of its own, with a log there."""
    folder.mkdir(parents=True)
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home, java = Path(spec.origin).parent, spark_java_home()
    own = {"JAVA_HOME": str(java), "SPARK_HOME": str(home), "SPARK_LOCAL_IP": LOOPBACK, "SPARK_WORKER_DIR": str(folder)}
    # Spark's own scripts look for the version of Scala; without them a worker starts no executor.
    env = os.environ | SPARK | own | {"SPARK_SCALA_VERSION": "2.13", "PYSPARK_PYTHON": sys.executable}
    argv = [str(java / "bin" / "java"), "-Xmx256m", "-Dspark.master.rest.enabled=false", "-cp", f"{home}/jars/*"]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [*argv, f"org.apache.spark.deploy.{name}", *arguments],
            env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
