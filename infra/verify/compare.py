"""`verify`: recomputes every feature from base and log with the pure fold, and compares with Redis byte for byte: all expected
keys, with their fences, and no others."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import redis

from features.base.reader import Base
from features.engines.redis_nodes import RedisNodes
from features.errors import Unavailable
from features.fold.co_visits import encode_neighbours
from features.fold.state import decode_item, decode_stored_user, decode_user, encode_features
from features.keys import GENERATION, VALUE, N, hidden_key, item_key, pairs_key, seen_key, user_key
from features.store.job_status import SERVED_VERDICTS, VERDICTS, Lane, lane_fields, lane_key, lane_keys, read_lanes
from features.types import FOREVER
from infra.verify.expected_users import written_of
from infra.verify.recompute import Ends, Expected, KafkaReader, KernelRecomputer, LogReader, Recomputer
from streaming.settings import JobSettings

BATCH = 500
TIMEOUT = 30.0
USERS, ITEMS = "{u:", ("i:", "p:")
"""Key prefixes: of users and their seen sets; of items and their pairs."""
T = TypeVar("T")


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))


class Comparison:
    """Compares Redis with the expected features and finds the first difference, in the order of keys."""

    def __init__(self, expected: Expected, base: Base, nodes: RedisNodes, generation: int, items: bool = True) -> None:
        """items: whether the job folds items and pairs; if not, keys of a time when it did may remain."""
        self._expected = expected
        self._kinds = (USERS, *ITEMS) if items else (USERS,)
        self._base = base
        self._nodes = nodes
        self._generation = str(generation).encode()

    def first_difference(self) -> str | None:
        return self._users() or self._items() or self._pairs() or self._ledger() or self.surplus()

    def _users(self) -> str | None:
        expected = self._expected
        for chunk in _chunks(sorted(set(expected.users) | {user_id for user_id, _ in self._base.users()})):
            pipe = self._nodes.pipeline()
            for user_id in chunk:
                pipe.add("hmget", user_key(user_id), GENERATION, N, VALUE)
                pipe.add("smembers", seen_key(user_id))
                pipe.add("zrange", hidden_key(user_id), 0, -1, withscores=True)
            answers = pipe.execute()
            for at, user_id in enumerate(chunk):
                stored = self._base.stored_user
                wanted = expected.users.written(user_id) or written_of(decode_stored_user(stored(user_id) or b""))
                found, for_good, for_a_time = answers[3 * at : 3 * at + 3]
                next_offset = expected.next_offsets.get(user_id)
                if next_offset is None:
                    next_offset = self._base.offset_of(decode_user(wanted.features).user_id)
                expected_fields = (self._generation, str(next_offset).encode(), wanted.features)
                if tuple(found) != expected_fields:
                    return f"{user_key(user_id)}: expected g, n, v = {expected_fields}, got {tuple(found)}"
                seen = {item: until for item, until in wanted.hidden.items() if until == FOREVER}
                later = {int(item): int(until) for item, until in for_a_time}
                difference = _hidden_difference(
                    seen_key(user_id), seen, dict.fromkeys(map(int, for_good), FOREVER)
                ) or _hidden_difference(hidden_key(user_id), dict(wanted.hidden.items() - seen.items()), later)
                if difference is not None:
                    return difference
        return None

    def _items(self) -> str | None:
        values = {item_key(item_id): (decode_item(value).n, value) for item_id, value in self._base.all_item_features()}
        for item_id, item in self._expected.items.items():
            values[item_key(item_id)] = item.n, encode_features(item)
        return self._values(values)

    def _pairs(self) -> str | None:
        pairs = dict(self._base.all_pairs()) | self._expected.pairs
        return self._values(
            {pairs_key(item_id): (each.n, encode_neighbours(each.neighbours())) for item_id, each in pairs.items()}
        )

    def _values(self, values: dict[str, tuple[int, bytes]]) -> str | None:
        """Compare n and value by key; returns the first difference, or None."""
        for chunk in _chunks(sorted(values)):
            pipe = self._nodes.pipeline()
            for key in chunk:
                pipe.add("hmget", key, GENERATION, N, VALUE)
            for key, found in zip(chunk, pipe.execute(), strict=True):
                n, value = values[key]
                expected = (self._generation, str(n).encode(), value)
                if tuple(found) != expected:
                    return f"{key}: expected g, n, v = {expected}, got {tuple(found)}"
        return None

    def _ledger(self) -> str | None:
        """Compare the job's own counts of verdicts; returns the first difference, or None. A lane that is not there, or is of
        another generation, has counted nothing in this one."""
        pipe = self._nodes.pipeline()
        for key in lane_keys(self._base.partitions):
            pipe.add("hgetall", key)
        generation = int(self._generation)
        lanes = read_lanes(pipe.execute(), generation)
        nothing = Lane(generation=generation, next_offset=0)
        for number in range(self._base.partitions):
            counts = lane_fields(lanes.get(number, nothing))
            for topic, ledgers, prefix, verdicts in (
                ("events", self._expected.ledgers, "", VERDICTS),
                ("served", self._expected.list_ledgers, "served_", SERVED_VERDICTS),
            ):
                ledger = ledgers.get(number, Counter())
                for name in ("read", *verdicts):
                    expected, counted = ledger[name], counts[prefix + name]
                    if counted != expected:
                        records = f"{expected} records of {topic} {name} in generation {generation}"
                        return f"{lane_key(number)}: expected {records}, got {counted}"
        return None

    def surplus(self) -> str | None:
        """Returns the first key, in order, of a user, an item or pairs that neither base nor log contains; None if there is
        none."""
        expected, base = self._expected, self._base
        known = {user_key(user_id) for user_id in (*expected.users, *base.user_ids)}
        known |= {f"{key}:{name}" for key in known for name in ("seen", "hidden")}
        known |= {item_key(item_id) for item_id in (*expected.items, *base.item_ids)}
        known |= {pairs_key(item_id) for item_id in (*expected.pairs, *base.pair_ids)}
        found = (key.decode(errors="replace") for key in self._nodes.scan())
        surplus = min((key for key in found if key.startswith(self._kinds) and key not in known), default=None)
        return None if surplus is None else f"{surplus}: expected no such key, got one"


def _hidden_difference(key: str, wanted: dict[int, int], found: dict[int, int]) -> str | None:
    """The first items, in order, by which one of a user's sets (item → until when) is not as it must be; None if it is."""
    missing, surplus = sorted(wanted.items() - found.items()), sorted(found.items() - wanted.items())
    if not missing and not surplus:
        return None
    return f"{key}: expected {len(wanted)} items, got {len(found)}; missing {missing[:5]}, too many {surplus[:5]}"


@dataclass(frozen=True)
class Finding:
    """Result of a comparison. `difference`: the first one, or None; `moving`: the log grew meanwhile, so it may not be one."""

    difference: str | None
    moving: bool
    expected: Expected

    @property
    def verdict(self) -> str:
        """equal, different, or moving."""
        if self.difference is None:
            return "equal"
        return "moving" if self.moving else "different"

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 0, 1 or 3."""
        return {"equal": 0, "different": 1, "moving": 3}[self.verdict]

    def ledger(self) -> dict[str, int]:
        """Returns the ledger of `events`: read, and each verdict."""
        total = self.expected.total()
        return {name: total[name] for name in ("read", *VERDICTS)}

    def text(self, seconds: float) -> str:
        """Format the result as one line for people."""
        if self.difference is not None:
            return f"{'still moving' if self.moving else 'DIFFERENT'}: {self.difference[:2000]}"
        ledger = self.ledger()
        counts = ", ".join(f"{name} {ledger[name]}" for name in VERDICTS)
        return (
            f"equal: {len(self.expected.users)} users and {len(self.expected.items)} items touched by the log, "
            f"and the rest of the base; read {ledger['read']} = {counts}; {seconds:.1f} s"
        )

    def json_line(self, seconds: float) -> str:
        """Format the result as one line of JSON for programs; `ledger` holds `read` and each verdict."""
        return json.dumps(
            {
                "verdict": self.verdict,
                "difference": self.difference,
                "ledger": self.ledger(),
                "users": len(self.expected.users),
                "items": len(self.expected.items),
                "seconds": round(seconds, 1),
            }
        )


def verify(
    base: Base, settings: JobSettings, wait: float, log: LogReader | None = None, kernel: bool = False
) -> Finding:
    """Recompute and compare, repeatedly for up to `wait` seconds while there is a difference. log: Kafka's by default; kernel:
    fold users by the kernel. Raises Unavailable where log or Redis can't be read."""
    log = log or KafkaReader(settings.kafka)
    deadline = time.monotonic() + wait
    ends: Ends = {}
    expected = Expected()
    nodes = RedisNodes(settings.redis, TIMEOUT)
    try:
        while True:
            if log.ends() != ends:
                recomputer = (KernelRecomputer if kernel else Recomputer)(base, settings)
                ends = log.read(recomputer)
                recomputer.finish()
                expected = recomputer.expected
            comparison = Comparison(expected, base, nodes, settings.generation, settings.items)
            difference = comparison.first_difference()
            if difference is None:
                return Finding(None, False, expected)
            if time.monotonic() >= deadline:
                return Finding(difference, log.ends() != ends, expected)
            time.sleep(0.3)
    except redis.RedisError as error:
        raise Unavailable(f"Redis could not be read: {error}") from error
    finally:
        nodes.close()
