"""The Flink environment that submits to the cluster of this process' environment variables."""

import os
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from streaming.rest_address import ADDRESSES, answering, host_and_port


def remote_environment(restore: str | None = None, lasts: bool = True) -> StreamExecutionEnvironment:
    """Returns an environment that submits to the cluster of $FLINK_CONF_DIR, with that folder's settings also for the job, except
    checkpoints and restarts if `lasts` is False; the job resumes from the checkpoint or savepoint `restore`, if given. Of several
    JobManagers it submits to one that answers now.

    `get_execution_environment` would start a cluster inside this process.
    """
    jvm: Any = get_gateway().jvm
    configuration = jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration(
        os.environ["FLINK_CONF_DIR"]
    )
    # The client may be started together with the cluster.
    configuration.setString("rest.retry.delay", "200 ms")
    configuration.setString("rest.retry.max-attempts", "300")
    if not lasts:
        configuration.removeKey("execution.checkpointing.interval")
        configuration.setString("restart-strategy.type", "none")
    if restore:
        configuration.setString("execution.state-recovery.path", restore)
    host = configuration.getString("rest.address", "127.0.0.1")
    port = int(configuration.getString("rest.port", "8081"))
    if several := configuration.getString(ADDRESSES, ""):
        host, port = host_and_port(answering(several.split(",")))
    java_env = jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
    return StreamExecutionEnvironment(
        java_env.createRemoteEnvironment(host, port, configuration, get_gateway().new_array(jvm.String, 0))
    )
