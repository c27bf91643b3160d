"""Environment variables of our own processes."""

import os
import sys
from collections.abc import Mapping

from infra.settings.table import SECRET_VARIABLES
from infra.system import packages
from infra.system.repository import REPO


def python_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment of our own processes: the repository on the path; variables of another Java or Spark removed, and
    those that hold secrets, since whoever needs one has it from a file that its owner alone may read. Bytecode is written
    whatever they say: without it each of a home's Python processes compiles our sources at each start. So is the encoding of
    paths, which Java takes from the locale: on Linux from one that needs no installation."""
    drop = {
        "SPARK_HOME",
        "HADOOP_CONF_DIR",
        "FLINK_HOME",
        "FLINK_CONF_DIR",
        "JAVA_TOOL_OPTIONS",
        "CLASSPATH",
        "KAFKA_OPTS",
        "PYTHONDONTWRITEBYTECODE",
        *SECRET_VARIABLES,
    }
    env = {key: value for key, value in os.environ.items() if key not in drop}
    env["PYTHONPATH"] = str(REPO)
    env["PYTHONSAFEPATH"] = "1"  # modules come from the repo, not from where `up` was called
    env["PYTHONUNBUFFERED"] = "1"
    if sys.platform == "linux":
        env["LC_ALL"] = "C.UTF-8"
    elif "UTF" not in (env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "").upper():
        env["LC_ALL"] = "en_US.UTF-8"
    if packages.has_java():  # the role `watch` starts none
        env["JAVA_HOME"] = str(packages.java_home())
    return env | dict(extra or {})
