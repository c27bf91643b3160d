"""`features --from-log`: makes a base of what the running home has folded, so that the next `up` starts near the log's end."""

from collections.abc import Callable

import redis

from features.base.reader import Base, Offsets
from features.engines.redis_nodes import RedisNodes
from features.errors import Unavailable
from features.keys import EVENTS, SERVED
from features.store.job_status import lane_keys, read_lanes
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from infra.offline_jobs.step_process import unattended
from infra.system.processes import Attend
from streaming.settings import JobSettings, read_settings

TIMEOUT = 10.0


def folded_offsets(base: Base, settings: JobSettings) -> Offsets:
    """Returns the offset up to which the job has folded each partition; the base's offset where it has folded nothing.

    The log's end would be wrong: records that the job has not read may still have to be rejected or rerouted, which a job that
    starts behind them would not do. Raises Unavailable if Redis does not answer.
    """
    offsets = {topic: dict(partitions) for topic, partitions in base.offsets.items()}
    try:
        with RedisNodes(settings.redis, TIMEOUT) as nodes:
            pipe = nodes.pipeline()
            for key in lane_keys(base.partitions):
                pipe.add("hgetall", key)
            lanes = read_lanes(pipe.execute(), settings.generation)
    except redis.RedisError as error:
        raise Unavailable(f"Redis could not be asked how far the job is: {error}") from error
    for number, lane in lanes.items():
        offsets[EVENTS][number] = max(offsets[EVENTS][number], lane.next_offset)
        offsets[SERVED][number] = max(offsets[SERVED][number], lane.served_next)
    return offsets


def make(
    home: Home,
    record: HomeRecord,
    number: int,
    print_line: Callable[[str], None],
    master: str | None = None,
    learn: bool = False,
    attend: Attend = unattended,
) -> bool:
    """Make the base `number` of the running home's base and log, with `learn` one to learn from whatever the home's clock is;
    returns False, without a base, if the job has folded nothing since."""
    base, settings = record.base(), read_settings(home.flink / "job.json")
    until = folded_offsets(base, settings)
    if until == base.offsets:
        return False
    runner.prepare_from_log(home, base, settings, until, home.bases / str(number), print_line, master, learn, attend)
    return True
