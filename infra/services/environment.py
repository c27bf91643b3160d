"""The environment of our own processes."""

import os
from collections.abc import Mapping

from infra.system import packages
from infra.system.repository import REPO


def python_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of our own processes: the repo on the path, no variable that another Java or Spark left."""
    drop = {
        "SPARK_HOME",
        "HADOOP_CONF_DIR",
        "FLINK_HOME",
        "FLINK_CONF_DIR",
        "JAVA_TOOL_OPTIONS",
        "CLASSPATH",
        "KAFKA_OPTS",
    }
    env = {key: value for key, value in os.environ.items() if key not in drop}
    env["PYTHONPATH"] = str(REPO)
    env["PYTHONSAFEPATH"] = "1"  # modules come from the repo, not from where `up` was called
    env["PYTHONUNBUFFERED"] = "1"
    env["JAVA_HOME"] = str(packages.java_home())
    return env | dict(extra or {})
