"""Detection of a restarted Redis, and of a failover: what another instance may have lost is written again.

Redis syncs to disk once a second (appendfsync everysec), at worst two seconds late. Writes acknowledged just before it died may
be lost without the job knowing, so the job writes again what it wrote since, or goes back to a checkpoint from before
(`infra.flink.repetition`). A replica that took over names the
history that it goes on with, and how far it had it: that tells to the byte what is lost, however far behind it was.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import redis

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import Primary, RedisNodes
from features.errors import Unavailable
from features.keys import LOADED_KEY
from infra.home.paths import read_json, write_json

TIMEOUT: Final = 1.0
MAY_LOSE = 3.0
"""Seconds of acknowledged writes that a crash of Redis may lose."""
NOTE_EVERY = 2.0
"""Seconds between two notes of the same instances. Each is synced, since after a power cut, too, one has to be there. A note that
is this much too old tells of a loss that began earlier than it did: more is written again, nothing is left out."""
NOTES: Final = 32
"""Notes remembered. A replica that was further behind than the oldest has lost nobody knows how much."""
_NO_HISTORY: Final = "0" * 40


class Instance(msgspec.Struct, frozen=True):
    """A server with keys, as it runs now.

    run_id     of its process
    history    what it replicates (replication id) …
    written    … and how many bytes of that it has; None while it counts none, without any replica
    inherited  history of the primary whose place it took; None: of none
    had        how many bytes of that it has
    appends    whether it appends its writes to a file
    """

    run_id: str
    history: str
    written: int | None
    inherited: str | None = None
    had: int = 0
    appends: bool = True


class Instances(msgspec.Struct, frozen=True):
    """All servers with keys. seen_at: wall time at which they had all that was acknowledged before, s."""

    seen_at: float
    servers: tuple[Instance, ...]


class Note(msgspec.Struct, frozen=True):
    """What is remembered of Instances: by run id, history and bytes written."""

    seen_at: float
    servers: dict[str, tuple[str, int | None]]


def _instance(found: Mapping[str, Any]) -> Instance:
    inherited = _hexadecimal(found["master_replid2"])
    return Instance(
        run_id=str(found["run_id"]),
        history=_hexadecimal(found["master_replid"]),
        written=int(found["master_repl_offset"]) if found["repl_backlog_active"] else None,
        inherited=None if inherited == _NO_HISTORY else inherited,
        had=int(found["second_repl_offset"]) - 1,
        appends=bool(found["aof_enabled"]),
    )


def _hexadecimal(value: Any) -> str:
    """Returns an id of 40 digits; redis-py takes one of decimal digits for a number."""
    return str(value).zfill(40)


class RedisRun:
    """Remembers, in a file for the next `up`, which instances were last written to and when they were last seen alive. `clock`
    returns the wall time, s."""

    def __init__(self, file: Path, address: RedisAddress, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._nodes = RedisNodes(address, TIMEOUT)
        self._notes = _read_notes(file)

    def read_instances(self) -> tuple[Instances, int | None]:
        """Returns (the servers with keys, generation whose base they hold): None if one was emptied, or another one has come
        instead of a noted one, and appends its writes to no file, since nobody knows then how much is lost. Raises Unavailable
        if one does not answer."""
        began = self._clock()
        try:
            found = [_examine(primary) for primary in self._nodes.primaries()]
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
        instances = Instances(began, tuple(instance for instance, _ in found))
        generations = {generation for _, generation in found}
        is_one = len(generations) == 1 and self._is_known_what_is_lost(instances)
        return instances, generations.pop() if is_one else None

    def lost_since(self, instances: Instances) -> float | None:
        """Returns the wall time (s) since which writes may be lost, if noted instances are gone; else None."""
        if not self._notes:
            return None
        return min((self._lost_by(run_id, instances) for run_id in self._missing(instances)), default=None)

    def note(self, instances: Instances) -> None:
        """Note that these instances are alive, and that everything lost before is being written again: at once if they are
        others, else every NOTE_EVERY seconds."""
        note = Note(instances.seen_at, {each.run_id: (each.history, each.written) for each in instances.servers})
        last = self._notes[-1] if self._notes else None
        are_same = last is not None and _histories(last) == _histories(note)
        if last is not None and are_same and 0 <= note.seen_at - last.seen_at < NOTE_EVERY:
            return
        earlier = [each for each in self._notes if each.seen_at < note.seen_at]
        self._notes = [*earlier, note][-NOTES:]
        write_json(self._file, {"notes": msgspec.to_builtins(self._notes)})

    def note_clean_stop(self) -> None:
        """Note that Redis was stopped in order and has everything on disk."""
        self._file.unlink(missing_ok=True)
        self._notes = []

    def _missing(self, instances: Instances) -> Iterable[str]:
        """Yields the run ids of noted instances that did not go on as they were."""
        now = {each.run_id: each for each in instances.servers}
        for run_id, (history, _) in self._notes[-1].servers.items():
            here = now.get(run_id)
            # A server without replicas takes a new history after an hour, and inherits none.
            if here is None or (history not in ("", here.history) and here.inherited is not None):
                yield run_id

    def _heir(self, run_id: str, instances: Instances) -> Instance | None:
        """Returns the server that took the place of a noted one, and says how far it had its history."""
        history, written = self._notes[-1].servers[run_id]
        heirs = (each for each in instances.servers if each.inherited == history)
        return None if written is None else next(heirs, None)

    def _lost_by(self, run_id: str, instances: Instances) -> float:
        heir = self._heir(run_id, instances)
        if heir is None:
            return self._notes[-1].seen_at - MAY_LOSE
        for note in reversed(self._notes):
            history, written = note.servers.get(run_id, ("", None))
            if history == heir.inherited and written is not None and written <= heir.had:
                return note.seen_at
        return 0.0  # it had less than the oldest note tells of

    def _is_known_what_is_lost(self, instances: Instances) -> bool:
        if not self._notes or all(self._heir(run_id, instances) for run_id in self._missing(instances)):
            return True
        known = self._notes[-1].servers
        return all(each.appends for each in instances.servers if each.run_id not in known)


def _examine(primary: Primary) -> tuple[Instance, int | None]:
    """Returns a server as it runs, and the generation whose base it holds."""
    pipe = primary.client.pipeline(transaction=False)
    for section in ("server", "persistence", "replication"):
        pipe.info(section)
    pipe.get(primary.key(LOADED_KEY))
    *sections, loaded = pipe.execute()
    return _instance({name: value for section in sections for name, value in section.items()}), _number(loaded)


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _histories(note: Note) -> dict[str, str]:
    return {run_id: history for run_id, (history, _) in note.servers.items()}


def _read_notes(file: Path) -> list[Note]:
    """Reads what was noted last, the oldest note first; also by a version that noted one server's run id alone."""
    found = read_json(file)
    if found is None:
        return []
    if "run_id" in found:
        return [Note(float(found["seen_at"]), {str(found["run_id"]): ("", None)})]
    return msgspec.convert(found["notes"], list[Note])
