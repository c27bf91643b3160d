"""What `replay` does to a stream of events to provoke the job: out of order, more than once, late.

Each stage takes a stream and gives one, holds a bounded number of events, and decides by its own seeded chance: the same
seed, options and rows give the same stream. None of them loses an event.
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
"""Rows that `--shuffle` mixes when no number is given."""
COPIES: Final = 3
"""How often `--duplicate` sends an event at most when no number is given."""
FAR: Final = 20_000
"""A copy comes fewer than this many events after the one it repeats."""
HELD: Final = 100_000
"""Events that `--late` holds back at most, some 40 MB; then the one held longest goes."""


class Outgoing(NamedTuple):
    """An event on its way out: the data set's row it is, and the event time at which a paced replay sends it."""

    row: int
    due: Millis
    event: Event


@dataclass(frozen=True)
class Provocation:
    """How a replay is provoked; as it stands, not at all.

    shuffle    rows mixed with each other; 0: none
    duplicate  how often an event is sent at most; 1: once
    late       share of the events that is held back to the end, 0 to 1
    """

    shuffle: int = 0
    duplicate: int = 1
    late: float = 0.0
    seed: int = 0

    @classmethod
    def chosen(cls, shuffle: int | None, duplicate: int | None, late: float | None, seed: int | None) -> "Provocation":
        """As given on the command line; with a seed of its own choice if there is none. Raises BadInput for a seed alone."""
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
        """The stream as it is sent. Held at any time: at most `shuffle` + HELD + FAR · (`duplicate` − 1) events."""
        stream = iter(events)
        if self.shuffle:
            stream = shuffled(stream, self.shuffle, self._chance("shuffle"))
        if self.late:
            stream = held_back(stream, self.late, self._chance("late"))
        if self.duplicate > 1:
            stream = duplicated(stream, self.duplicate, self._chance("duplicate"))
        return stream

    def _chance(self, stage: str) -> random.Random:
        """A stage's own: what one stage draws does not depend on whether another one is there."""
        return random.Random(f"{self.seed} {stage}")


def shuffled(events: Iterator[Outgoing], window: int, chance: random.Random) -> Iterator[Outgoing]:
    """Every `window` events in any order, so that none moves by `window` places or more.

    The times at which they are sent stay in place: a paced replay neither waits for an early one nor hurries after it.
    """
    while block := list(islice(events, window)):
        dues = [each.due for each in block]
        chance.shuffle(block)
        for due, each in zip(dues, block, strict=True):
            yield each._replace(due=due)


def held_back(events: Iterator[Outgoing], share: float, chance: random.Random, most: int = HELD) -> Iterator[Outgoing]:
    """A share of the events comes after all others. Past `most` held, the one held longest goes out in between."""
    held: deque[Outgoing] = deque()
    for each in events:
        if chance.random() >= share:
            yield each
            continue
        held.append(each)
        if len(held) > most:
            yield held.popleft()
    while held:
        yield held.popleft()


def duplicated(events: Iterator[Outgoing], times: int, chance: random.Random, far: int = FAR) -> Iterator[Outgoing]:
    """Each event 1 to `times` times; of the copies, half right behind it and half up to `far` − 1 events later."""
    wheel: list[list[Outgoing]] = [[] for _ in range(far)]  # the copies due at each of the next `far` places
    place = 0
    for each in events:
        due_now, wheel[place] = wheel[place], []
        yield from due_now
        yield each
        for _ in range(int(chance.random() * times)):
            if chance.random() < 0.5:
                yield each
            else:
                wheel[(place + 1 + int(chance.random() * (far - 1))) % far].append(each)
        place = (place + 1) % far
    for copies in (*wheel[place:], *wheel[:place]):
        yield from copies


NOT_PROVOKED: Final = Provocation()
