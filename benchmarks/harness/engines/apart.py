"""Kafka, Redis and Flink that belong to no home: started as `up` starts its own, with the same settings, in a folder of their
own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.flink import cluster
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.record import HomeRecord
from infra.services import kafka, redis
from infra.services.environment import python_env
from infra.services.supervisor import Supervisor

FORMAT_TIMEOUT: Final = 60.0
TASK_MANAGERS: Final = 3
"""With a slot each: two for the job of a home with parallelism 1, and one to spare, as `up` has it."""


@contextmanager
def engines_apart(folder: Path) -> Iterator[str]:
    """Provide what a home's martlet.toml says to be attached to engines in `folder`, which run while the context lasts."""
    home = Home(folder).make()
    record = HomeRecord(home)
    record.describe("none", 0.0)
    record.save()
    ports = Ports.choose(0, {})
    format_log = [str(part) for part in kafka.kafka_format(home, ports, record.cluster_id)]
    subprocess.run(format_log, env=python_env(), check=True, timeout=FORMAT_TIMEOUT, capture_output=True)
    env = cluster.configure(home, ports)
    workers = [cluster.task_manager(home, ports, env, number + 1) for number in range(TASK_MANAGERS)]
    supervisor = Supervisor(home)
    try:
        supervisor.start_all([redis.redis(home, ports), kafka.kafka(home, ports)])
        supervisor.start_all([*cluster.job_managers(home, ports, env), *workers])
        yield (
            f'[kafka]\nbootstrap = "127.0.0.1:{ports.kafka}"\n\n'
            f'[redis]\nurl = "redis://127.0.0.1:{ports.redis}"\n\n'
            f'[flink]\naddress = "{ports.flink}"\n'
        )
    finally:
        supervisor.stop_all()
