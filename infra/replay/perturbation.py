"""Perturbations of a replayed stream, to test the job: events out of order, duplicated, late.

Each stage maps a stream to a stream, holds a bounded number of events, and has a random generator of its own: the same
seed, options and rows give the same stream. No stage loses an event.
"""

import random
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from features.errors import BadInput
from features.types import Event, Millis

SHUFFLE: Final = 10_000
"""Default of `--shuffle`, in rows."""
COPIES: Final = 3
"""Default of `--duplicate`: the maximum number of times that an event is sent."""
FAR: Final = 20_000
"""A copy comes fewer than this many events after the one it repeats."""
HELD: Final = 100_000
"""Maximum number of events that `--late` holds back, some 40 MB; beyond it the one held longest is sent."""


class Outgoing(NamedTuple):
    """An event to be sent: its row in the data set, and the event time at which a paced replay sends it."""

    row: int
    due: Millis
    event: Event


@dataclass(frozen=True)
class Perturbation:
    """How a replay is perturbed; by default not at all.

    shuffle    rows mixed with each other; 0: none
    duplicate  maximum number of times that an event is sent; 1: once
    late       share of the events that is held back to the end, 0 to 1
    """

    shuffle: int = 0
    duplicate: int = 1
    late: float = 0.0
    seed: int = 0

    @classmethod
    def chosen(cls, shuffle: int | None, duplicate: int | None, late: float | None, seed: int | None) -> "Perturbation":
        """Build it from command line options, with a random seed if none is given. Raises BadInput for a seed alone."""
        chosen = cls(shuffle or 0, duplicate or 1, late or 0.0, secrets.randbelow(1 << 32) if seed is None else seed)
        if seed is not None and not chosen:
            raise BadInput("--seed", "--shuffle, --duplicate or --late with it", "none of them")
        return chosen

    def __bool__(self) -> bool:
        return self.shuffle > 0 or self.duplicate > 1 or self.late > 0

    def __str__(self) -> str:
        chosen = [f"--shuffle {self.shuffle}"] if self.shuffle else []
        chosen += [f"--duplicate {self.duplicate}"] if self.duplicate > 1 else []
        chosen += [f"--late {self.late:g}"] if self.late else []
        return " ".join([*chosen, f"--seed {self.seed}"])

    def apply(self, events: Iterable[Outgoing]) -> Iterator[Outgoing]:
        """Returns the stream as it is sent. Events held at any time: at most `shuffle` + HELD + FAR · (`duplicate` − 1)
        events."""
        stream = iter(events)
        if self.shuffle:
            stream = shuffled(stream, self.shuffle, self._rng("shuffle"))
        if self.late:
            stream = held_back(stream, self.late, self._rng("late"))
        if self.duplicate > 1:
            stream = duplicated(stream, self.duplicate, self._rng("duplicate"))
        return stream

    def _rng(self, stage: str) -> random.Random:
        """Returns the generator of a stage, so that its draws do not depend on which other stages are active."""
        return random.Random(f"{self.seed} {stage}")


def shuffled(events: Iterator[Outgoing], window: int, rng: random.Random) -> Iterator[Outgoing]:
    """Shuffles every `window` events, so that none moves by `window` positions or more.

    Send times keep their order: a paced replay neither waits for an early event nor hurries after it.
    """
    while block := list(islice(events, window)):
        dues = [each.due for each in block]
        rng.shuffle(block)
        for due, each in zip(dues, block, strict=True):
            yield each._replace(due=due)


def held_back(events: Iterator[Outgoing], share: float, rng: random.Random, limit: int = HELD) -> Iterator[Outgoing]:
    """Moves a share of the events behind all others. Beyond `limit` held events, the one held longest is sent at once."""
    held: deque[Outgoing] = deque()
    for each in events:
        if rng.random() >= share:
            yield each
            continue
        held.append(each)
        if len(held) > limit:
            yield held.popleft()
    while held:
        yield held.popleft()


def duplicated(events: Iterator[Outgoing], times: int, rng: random.Random, far: int = FAR) -> Iterator[Outgoing]:
    """Repeats each event 1 to `times` times; half of the copies come right behind it, half up to `far` − 1 events later."""
    wheel: list[list[Outgoing]] = [[] for _ in range(far)]  # the copies due at each of the next `far` positions
    slot = 0
    for each in events:
        due_now, wheel[slot] = wheel[slot], []
        yield from due_now
        yield each
        for _ in range(int(rng.random() * times)):
            if rng.random() < 0.5:
                yield each
            else:
                wheel[(slot + 1 + int(rng.random() * (far - 1))) % far].append(each)
        slot = (slot + 1) % far
    for copies in (*wheel[slot:], *wheel[:slot]):
        yield from copies


UNPERTURBED: Final = Perturbation()
