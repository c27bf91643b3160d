"""Users and items over a runtime that crashes: whatever is lost in between, Redis ends as the pure fold says, key by key."""

import json
import random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.fold.state import decode_user
from features.keys import DEFAULT_PARTITIONS
from features.schema.document import preset_names
from features.types import FOREVER
from infra.services.base_loader import load_base
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from tests.offline.small_log import SmallLog
from tests.online.conftest import write_base
from tests.redis_process import RedisProcess
from tests.schemas import peopled
from tests.streaming.crashes import by_partition, difference, expected_of, found, settings_of, story, wanted

ORDERS = settings(
    max_examples=settings().max_examples // 6, phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False
)
"""A seed does not get simpler by being smaller."""


NUMBERS = st.sampled_from([DEFAULT_PARTITIONS, 1, 20])
"""Of partitions: that of most homes, the smallest, and one that is no power of two."""


def small_log(seed: int, partitions: int = DEFAULT_PARTITIONS) -> SmallLog:
    log = SmallLog(random.Random(seed), partitions=partitions)
    log.go_on(250, [])
    log.answer_lists(30)
    return log


@pytest.fixture(scope="module")
def bases(small_base: Base, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Base]:
    """Bases by the number of partitions of their homes' logs."""
    folder = tmp_path_factory.mktemp("divided")
    return {DEFAULT_PARTITIONS: small_base} | {
        number: write_base(folder / str(number), partitions=number) for number in (1, 20)
    }


@ORDERS
@given(st.integers(0, 2**32), NUMBERS)
def test_whatever_is_lost_in_between_all_ends_as_the_pure_fold_says(
    bases: dict[int, Base], redis_server: RedisProcess, seed: int, partitions: int
) -> None:
    redis_server.client.flushall()
    base = bases[partitions]
    load_base(base, RedisAddress("127.0.0.1", redis_server.port), 1)
    told = settings_of(base.folder, redis_server.port, partitions=partitions)
    log = small_log(seed, partitions)
    expected = expected_of(log, base, told)
    run = story(told, seed, log)
    run.tell(by_partition(log))
    left = difference(found(redis_server.client), wanted(expected, base))
    assert left is None, f"after {run.happened}"
    refused = {(row["topic"], row["part"], row["off"]) for row in run.job.outputs["rejected"]}
    ledgers = (*expected.ledgers.values(), *expected.list_ledgers.values())
    assert len(refused) == sum(ledger["rejected"] for ledger in ledgers)
    run.job.close()


@pytest.fixture(scope="module", params=[name for name in preset_names() if name != "movies"])
def other_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A base whose events to come are those of another preset; its users have attributes."""
    return write_base(tmp_path_factory.mktemp("bases") / "1", peopled(request.param))


@settings(
    max_examples=settings().max_examples // 50, phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False
)
@given(seed=st.integers(0, 2**32))
def test_and_so_it_does_under_every_preset(other_base: Base, redis_server: RedisProcess, seed: int) -> None:
    redis_server.client.flushall()
    load_base(other_base, RedisAddress("127.0.0.1", redis_server.port), 1)
    told = settings_of(other_base.folder, redis_server.port)
    log = SmallLog(random.Random(seed), schema=other_base.schema)
    log.go_on(250, [])
    log.answer_lists(20)
    run = story(told, seed, log)
    run.tell(by_partition(log))
    is_present, must_be = found(redis_server.client), wanted(expected_of(log, other_base, told), other_base)
    assert difference(is_present, must_be) is None, f"after {run.happened}"
    if any(0 < kind.hide < FOREVER for kind in other_base.schema.kinds if kind is not None):
        assert any(key.endswith(":hidden") for key in is_present)
    users = [value[2] for key, value in is_present.items() if isinstance(value, tuple) and key.startswith("{u:")]
    assert any(decode_user(value).attributes for value in users)
    run.job.close()


def closed(job: JobRun, time_source: ManualTime) -> dict[tuple[int, str], Any]:
    """The samples of a run by user and list, once its lists' time is over, and the wishes to be forgotten by user and time; what
    came again must be the same bytes."""
    time_source.advance(2000.0)
    job.advance(0)
    values = {row["v"] for row in job.outputs["samples"]}
    samples = {
        (sample["user_id"], sample.get("request_id", sample.get("forgotten_ts"))): sample
        for sample in map(json.loads, values)
    }
    assert len(samples) == len(values)
    return samples


@ORDERS
@given(st.integers(0, 2**32))
def test_samples_are_those_of_a_run_in_which_nothing_went_wrong(
    small_base: Base, redis_server: RedisProcess, seed: int
) -> None:
    redis_server.client.flushall()
    told, log = settings_of(small_base.folder, redis_server.port), small_log(seed)
    records = by_partition(log)
    calm = story(told, 0, log)
    for batch in filter(None, records.values()):
        calm.job.feed(batch)
    run = story(told, seed, log)
    run.tell(records)
    assert closed(run.job, run.time) == closed(calm.job, calm.time)
    run.job.close()
    calm.job.close()
