"""New, changed and deleted items: written to the topic `items`, and read from it into every API process' store. A request that
comes after a change was acknowledged waits until this process has read it, whichever process of the machine took it, for as
long as `online.processes.catch_up` says.

Every change of an item is computed on its newest state, which may be one that this process has sent and not read back yet. Two
processes that change one item at the same time do not know of one another: the later record counts.

A log whose end lies before what has been read was cut, or is another one. It is read from its beginning then, and what only the
records told that are gone is as the base has it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from features.contracts.items import read_item
from features.errors import BadEvent, BadInput, Unavailable
from features.keys import ITEMS
from features.types import Item, ItemId
from online.processes.catalogue_version import CatalogueVersions
from online.stores.item_store import ItemStore
from online.support.background import end

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
SECONDS_EACH: Final = 0.002
"""Added to the timeout for each item of a call."""
READ_EACH: Final = 16
"""Records read before control returns to the event loop."""
START_SECONDS: Final = 3.0
"""How long a start waits for the changes that there were; lists that are made before all are read say so."""
SETTLE_SECONDS: Final = 60.0
"""How long items that are sent count as the newest, if they are neither read back nor refused."""
MAX_SENT: Final = 50_000
"""Items that are sent and not read back yet; while there are more, writes are refused."""


class ItemLog(Protocol):
    """A log of items in one order; offsets rise by one a record, until it is cut. All calls raise Unavailable."""

    async def append(self, records: Sequence[tuple[bytes, bytes]]) -> Awaitable[int]:
        """Hand records (key, value) over to be written in this order. What comes back gives the offset after the last one, once
        all are acknowledged."""
        ...

    async def end(self) -> int:
        """The offset after the newest record."""
        ...

    def read(self, start: int) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yields (offset, value) of each record from `start` on, and of those to come; from the oldest one where the log ends
        before that."""
        ...


class Change:
    """What one call writes, and what it is computed on. Use `ItemTopic.changing`. newest: gives the newest state of an item by
    its number inside, and the id outside of whatever has that number, "" where that is unknown or the number."""

    def __init__(self, newest: Callable[[ItemId], tuple[Item | None, str]]) -> None:
        self._newest = newest
        self._own: dict[ItemId, Item] = {}
        self.items: list[tuple[Item, bytes]] = []
        """In the order in which they are written, each with its record (`features.contracts.items.write_item`)."""

    def latest(self, item_id: ItemId, outer: str) -> Item | None:
        """The newest state of an item, deleted ones among them; None for one that the catalogue does not have. Raises BadInput
        where another id outside has the same number inside."""
        own = self._own.get(item_id)
        item, known = self._newest(item_id) if own is None else (own, own.outer)
        if known and known != outer:
            raise BadInput(
                "item_id", "an id whose number inside no other has", f"{outer!r}, whose number {known!r} has"
            )
        return item

    def put(self, item: Item, record: bytes) -> None:
        """Have an item written."""
        self._own[item.item_id] = item
        self.items.append((item, record))


@dataclass(eq=False)
class _Sent:
    """Items on their way through the log. end: the offset after them; None until they are acknowledged."""

    items: dict[ItemId, Item]
    end: int | None = None


class ItemTopic:
    """Writes items by `changing`, and reads the log from the base's version on in a background task; `note` is told each version
    that has been read, and that the store has.

    current  whether the store has all that stood in the log when the reader last began, and the reader runs
    """

    def __init__(
        self,
        log: ItemLog,
        store: ItemStore,
        note: Callable[[int], None],
        start: int = 0,
        versions: CatalogueVersions | None = None,
        timeout: float = 5.0,
        retry: float = RETRY_SECONDS,
        patience: float = START_SECONDS,
    ) -> None:
        """versions: what the machine's API processes have changed; None: this one is alone. timeout: seconds that one change may
        take; retry: seconds after which a reader that has failed begins again; patience: seconds that a start may wait."""
        self._versions = versions or CatalogueVersions(None)
        self._log, self._store, self._note, self._timeout, self._retry = log, store, note, timeout, retry
        self._patience = patience
        self._read = start
        """The offset after the newest record read."""
        self._goal: int | None = None
        """The log's end when the reader began; None while it does not run."""
        self._lost: set[ItemId] = set()
        """Items that have changed by a log that was cut since, while it is not known whether what is left of it says so."""
        self._progressed = asyncio.Condition()
        self._changing = asyncio.Lock()
        """Held from computing items until they are handed over, so that no change of this process is lost."""
        self._sent: dict[ItemId, _Sent] = {}
        self._reader: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> bool:
        return self._goal is not None and self._read >= self._goal

    @property
    def behind(self) -> bool:
        """Whether another process has acknowledged a change that is not read yet, while the reader runs."""
        return self._versions.newest > self._read and self._goal is not None

    async def catch_up(self, timeout: float) -> bool:
        """Wait until all is read that was acknowledged by now; False after `timeout` s."""
        newest = self._versions.newest
        try:
            async with asyncio.timeout(timeout), self._progressed:
                await self._progressed.wait_for(lambda: self._read >= newest)
        except TimeoutError:
            return False
        return True

    async def start(self) -> None:
        """Begin to read, and wait until all that there was is read, but not for long: else lists would show what is deleted."""
        self._store.await_changes()
        self._reader = asyncio.create_task(self._follow(), name="new items")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience), self._progressed:
                await self._progressed.wait_for(lambda: self.current)

    async def stop(self) -> None:
        await end(self._reader, *self._settling)

    def _newest(self, item_id: ItemId) -> tuple[Item | None, str]:
        sent = self._sent.get(item_id)
        if sent is None or (sent.end is not None and sent.end <= self._read):
            return self._store.catalogue.get(item_id), self._store.names.name_of(item_id)
        item = sent.items[item_id]
        return item, item.outer

    @contextlib.asynccontextmanager
    async def changing(self, count: int = 1) -> AsyncIterator[Change]:
        """Give what a change of up to `count` items is computed on; what it puts is written, in one order with all other changes,
        and read back when the block has ended. What is awaited within holds up all other changes. Raises Unavailable on timeout:
        some may have been written, and writing them again is safe."""
        try:
            async with asyncio.timeout(self._timeout + SECONDS_EACH * count):
                async with self._changing:
                    async with self._progressed:
                        await self._progressed.wait_for(lambda: self.current)
                    change = Change(self._newest)
                    yield change
                    settled = await self._hand_over(change.items)
                await asyncio.shield(settled)
        except TimeoutError as error:
            fault = (
                "items were not acknowledged and read back"
                if self.current
                else "until all items are read none is written"
            )
            raise Unavailable(f"{fault}: waited {self._timeout:.0f} s") from error

    async def _hand_over(self, items: Sequence[tuple[Item, bytes]]) -> asyncio.Task[None]:
        """Append items; the task ends when they are read back."""
        if len(self._sent) + len(items) > MAX_SENT:
            raise Unavailable(f"{len(self._sent)} items are sent and not read back yet")
        written = await self._log.append([(_key(item), record) for item, record in items])
        sent = _Sent({item.item_id: item for item, _ in items})
        self._sent.update(dict.fromkeys(sent.items, sent))
        task = asyncio.create_task(self._settle(sent, written), name="items sent")
        self._settling.add(task)
        task.add_done_callback(self._settled)
        return task

    async def _settle(self, sent: _Sent, written: Awaitable[int]) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                end = sent.end = await written
                async with self._progressed:
                    await self._progressed.wait_for(lambda: self._read >= end)
                self._versions.note(end)
        except TimeoutError as error:
            raise Unavailable(f"not acknowledged and read back within {SETTLE_SECONDS:.0f} s") from error
        finally:
            for item_id in sent.items:
                if self._sent.get(item_id) is sent:
                    del self._sent[item_id]

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._settling.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.warning("items were not taken: %s", task.exception())

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_on()
            except Unavailable as error:
                logger.warning("new items are not followed (%s); trying again", error)
            except Exception:
                logger.exception("new items are not followed; trying again")
            finally:
                self._goal = None
            await asyncio.sleep(self._retry)

    async def _read_on(self) -> None:
        end = await self._log.end()
        if end < self._read:
            self._begin_anew()
        self._versions.cap(end)
        await self._reached(self._read, end)
        async with contextlib.aclosing(self._log.read(self._read)) as records:
            async for offset, value in records:
                if offset < self._read:
                    self._begin_anew()
                    raise Unavailable("the log was cut while it was read")
                self._apply(value)
                await self._reached(offset + 1, end)
                self._note(offset + 1)
                if offset % READ_EACH == 0:  # a reader of a long log must not hold up requests
                    await asyncio.sleep(0)

    def _begin_anew(self) -> None:
        """Have a log that was cut be read from its beginning."""
        logger.warning("the topic %s ends before what was read of it (%d): it was cut", ITEMS, self._read)
        self._read = 0
        self._lost = set(self._store.catalogue.changed_ids())

    async def _reached(self, offset: int, goal: int) -> None:
        if offset >= goal:
            await self._take_back()
        async with self._progressed:
            self._read, self._goal = offset, goal
            if self._store.lacks_changes and self.current:
                self._store.has_changes()
            self._progressed.notify_all()

    async def _take_back(self) -> None:
        """Have items whose changes are lost be as the base has them."""
        while self._lost:
            self._store.take_back(self._lost.pop())
            if len(self._lost) % READ_EACH == 0:
                await asyncio.sleep(0)

    def _apply(self, value: bytes) -> None:
        try:
            item = read_item(value, self._store.index.schema)
        except BadEvent as error:
            logger.warning("the topic %s holds what is no item: %s", ITEMS, error)
            return
        self._store.put_item(item)
        self._lost.discard(item.item_id)


def _key(item: Item) -> bytes:
    return str(item.outer or item.item_id).encode()
