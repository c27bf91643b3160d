"""How far a learner is: one file of the home, written in one step once all that it names is on disk."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from features.durable import write_secret
from features.errors import Broken
from features.types import Millis

FILE: Final = "learner.json"
"""In the home; its owner alone may read it."""
ATTEMPTS: Final = 3
"""Attempts in a row without success after which a slice, a publication or a making anew is given up, so that one that can't be
done stops nothing."""
KILLED: Final = "its process was killed, as where memory runs out"
"""Why something is given up whose last attempt ended without a word."""
RECENT: Final = 48
"""Slices whose scores the file has, the newest."""
MAX_PUBLISHED: Final = 200
"""Versions that are remembered as the learner's, the newest."""


class LearnedSlice(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a slice. ts: wall time, ms; the others as in `models.learning.one_slice.SliceResult`; left_out: lists of users
    who had more than their share; seconds: that it took."""

    slice: int
    ts: Millis
    lists: int = 0
    users: int = 0
    left_out: int = 0
    learned: int = 0
    ndcg10: Mapping[str, float] = {}
    seconds: float = 0.0
    megabytes: int = 0


class LearnerState(msgspec.Struct, frozen=True, kw_only=True):
    """
    model         that learns
    offsets       of the topic `samples`, where the next slice begins, by partition
    floors        when the newest sample learned of a partition was closed, ms: samples of before come again
    slice         the newest slice that is done, from 1
    weights       the slice after which the weights are as they are now; 0: they are those of the version `origin`
    origin        the version that they began with
    since         the time, ms, up to which that version had learned
    known         the newest version on disk that was considered as an origin
    replayed      slices whose lists come again, the newest last
    published     versions that the learner published → the slice after which their weights were as they are
    anew          versions that were made anew with all else, the newest last
    candidate     the version that was published last of these weights, since they began with `origin`
    published_at  wall time, ms, of the newest attempt to publish
    publish_attempts   attempts in a row to publish them that have not succeeded, but for the gate's refusal
    begun_at      wall time, ms, at which the learner first ran: hours of before are not made up for
    anew_at       wall time, ms, at which the newest making of everything anew began
    renewing      the base that it makes, until all is made
    renewal_attempts   attempts in a row at that, without success
    renewal_failed_at  wall time, ms, at which the newest of them began, or failed
    anew_given_up  makings anew in a row that were given up, and why (anew_failure) the newest of them was
    attempts      attempts in a row at the next slice, without success
    totals        slices, lists, left_out, skipped (slices that were given up), refused (weights that were given up)
    recent        the newest slices, the newest last
    text          what was done last, in one line, and when (text_at, ms)
    """

    model: str
    offsets: Mapping[int, int] = {}
    floors: Mapping[int, Millis] = {}
    slice: int = 0
    weights: int = 0
    origin: int | None = None
    since: Millis = -1
    known: int = 0
    replayed: tuple[int, ...] = ()
    published: Mapping[int, int] = {}
    anew: tuple[int, ...] = ()
    candidate: int | None = None
    published_at: Millis = 0
    publish_attempts: int = 0
    begun_at: Millis = 0
    anew_at: Millis = 0
    renewing: int | None = None
    renewal_attempts: int = 0
    renewal_failed_at: Millis = 0
    anew_given_up: int = 0
    anew_failure: str = ""
    attempts: int = 0
    totals: Mapping[str, int] = {}
    recent: tuple[LearnedSlice, ...] = ()
    text: str = ""
    text_at: Millis = 0

    def counted(self, **more: int) -> dict[str, int]:
        """The totals with these added."""
        return {**self.totals, **{name: self.totals.get(name, 0) + count for name, count in more.items()}}

    def with_text(self, text: str, now: Millis) -> "LearnerState":
        return msgspec.structs.replace(self, text=text, text_at=now)


_decoder = msgspec.json.Decoder(LearnerState)


def read_state(path: Path) -> LearnerState | None:
    """The state; None where there is none yet. Raises Broken where it can't be read."""
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise Broken(
            f"{path}: expected how far a learner is, got {error}; remove it to begin anew from the version that ranks"
        ) from error


def write_state(path: Path, state: LearnerState) -> None:
    write_secret(path, msgspec.json.format(msgspec.json.encode(state), indent=1))


class SavedState:
    """The state of one model's learner, as it is on disk. value: the state, which may have times of its own until it is
    committed."""

    def __init__(self, path: Path, model: str, print_line: Callable[[str], None]) -> None:
        """Raises Broken for a state that can't be read."""
        self._path, self._model, self._print_line = path, model, print_line
        self._saved = read_state(path)
        self.value = self._own()

    def _own(self) -> LearnerState:
        """The state that is saved, unless it is of another model."""
        saved = self._saved
        return saved if saved is not None and saved.model == self._model else LearnerState(model=self._model)

    def reload(self) -> bool:
        """Read what another process has written meanwhile; whether there was anything. Raises Broken where it can't be read."""
        saved = read_state(self._path)
        if saved == self._saved:
            return False
        self._saved = saved
        self.value = self._own()
        return True

    def commit(self, state: LearnerState) -> None:
        """Write a state, which is the value from now on, and print what is new in it."""
        before = self.value
        if state.text_at and (state.text, state.text_at) != (before.text, before.text_at):
            self._print_line(f"{self._model}: {state.text}")
        write_state(self._path, state)
        self.value = self._saved = state

    @contextmanager
    def attempt(self, **counted: Any) -> Iterator[None]:
        """Try what may end this process: `counted`, the changes that count the attempt, are committed before it, as nothing is
        after a kill. A stop in order takes them back."""
        before = self.value
        self.commit(msgspec.structs.replace(before, **counted))
        try:
            yield
        except KeyboardInterrupt:
            self.commit(before)
            raise
