"""`verify`: recompute every feature from base and log with the pure fold, and compare with Redis byte for byte."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import redis

from features.base import Base
from features.errors import Unavailable
from features.fold import thaw_user
from features.job_keys import lane_key, lane_keys, read_lanes
from features.names import GENERATION, PARTITIONS, VALUE, N, item_key, pairs_key, seen_key, user_key
from features.pairs import encode_neighbours
from features.state import encode_features
from infra.recompute import Ends, Expected, Recomputer, read_log, read_log_ends
from streaming.settings import JobSettings

BATCH = 500
T = TypeVar("T")


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))


class Comparison:
    """Redis against what is expected: the first difference, in the order of keys."""

    def __init__(self, expected: Expected, base: Base, client: "redis.Redis", generation: int) -> None:
        self._expected = expected
        self._base = base
        self._client = client
        self._generation = str(generation).encode()

    def first_difference(self) -> str | None:
        return self._users() or self._items() or self._pairs() or self._ledger()

    def _users(self) -> str | None:
        expected = self._expected
        for chunk in _chunks(sorted(set(expected.users) | {user_id for user_id, _ in self._base.users()})):
            pipe = self._client.pipeline(transaction=False)
            for user_id in chunk:
                pipe.hmget(user_key(user_id), GENERATION, N, VALUE)
                pipe.smembers(seen_key(user_id))
            answers = pipe.execute()
            for at, user_id in enumerate(chunk):
                state = expected.users.get(user_id) or thaw_user(self._base.stored_user(user_id) or b"")
                found, seen = tuple(answers[2 * at]), {int(item) for item in answers[2 * at + 1]}
                place = str(expected.places.get(user_id, self._base.place_of(user_id))).encode()
                wanted = (self._generation, place, encode_features(state.features))
                if found != wanted:
                    return f"{user_key(user_id)}: expected g, n, v = {wanted}, got {found}"
                wanted_seen = {item for item, _ in state.seen.items()}
                if seen != wanted_seen:
                    return (
                        f"{seen_key(user_id)}: expected {len(wanted_seen)} items, got {len(seen)};"
                        f" missing {sorted(wanted_seen - seen)[:5]}, too many {sorted(seen - wanted_seen)[:5]}"
                    )
        return None

    def _items(self) -> str | None:
        values = dict(self._base.all_item_features())
        values |= {item_id: encode_features(item) for item_id, item in self._expected.items.items()}
        return self._values({item_key(item_id): value for item_id, value in values.items()})

    def _pairs(self) -> str | None:
        pairs = dict(self._base.all_pairs()) | self._expected.pairs
        return self._values(
            {pairs_key(item_id): encode_neighbours(each.neighbours()) for item_id, each in pairs.items()}
        )

    def _values(self, wanted: dict[str, bytes]) -> str | None:
        for chunk in _chunks(sorted(wanted)):
            pipe = self._client.pipeline(transaction=False)
            for key in chunk:
                pipe.hget(key, VALUE)
            for key, value in zip(chunk, pipe.execute(), strict=True):
                if value != wanted[key]:
                    return f"{key}: expected {wanted[key]!r}, got {value!r}"
        return None

    def _ledger(self) -> str | None:
        """The job's own count of what became of each record."""
        pipe = self._client.pipeline(transaction=False)
        for key in lane_keys():
            pipe.hgetall(key)
        lanes = read_lanes(pipe.execute())
        for number in range(PARTITIONS):
            lane = lanes.get(number)
            for topic, ledgers, prefix in (
                ("events", self._expected.ledgers, ""),
                ("served", self._expected.list_ledgers, "served_"),
            ):
                for name, count in ledgers.get(number, {}).items():
                    counted = None if lane is None else getattr(lane, prefix + name)
                    if counted != count:
                        return f"{lane_key(number)}: expected {count} records of {topic} {name}, got {counted}"
        return None


@dataclass(frozen=True)
class Finding:
    """`difference`: the first one, or None. `moving`: the log grew while we compared, so a difference may be none."""

    difference: str | None
    moving: bool
    expected: Expected


def verify(base: Base, settings: JobSettings, wait: float) -> Finding:
    """Recompute and compare; tries again until `wait` seconds have gone while there is a difference."""
    deadline = time.monotonic() + wait
    ends: Ends = {}
    expected = Expected()
    client = redis.Redis(host=settings.redis_host, port=settings.redis_port, socket_timeout=30)
    try:
        while True:
            if read_log_ends(settings.bootstrap) != ends:
                recomputer = Recomputer(base, settings)
                ends, expected = read_log(settings.bootstrap, recomputer), recomputer.expected
            difference = Comparison(expected, base, client, settings.generation).first_difference()
            if difference is None:
                return Finding(None, False, expected)
            if time.monotonic() >= deadline:
                return Finding(difference, read_log_ends(settings.bootstrap) != ends, expected)
            time.sleep(0.3)
    except redis.RedisError as error:
        raise Unavailable(f"Redis could not be read: {error}") from error
    finally:
        client.close()
