"""Reads from Redis, and small writes: each command goes to the server that has its key, over one connection a server."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import hiredis

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import (
    CLUSTER_INFO,
    CLUSTER_SLOTS,
    IMPORT_PREFIX,
    Redirect,
    Server,
    SlotMap,
    is_whole,
    read_redirect,
    read_shards,
    slot_of,
)
from features.errors import Broken, Unavailable
from online.redis_client.server_link import ServerLink
from online.support.background import end

MAX_WAITING: Final = 1024
"""Reads that wait for a server that stands still; more fail at once."""
REFRESH_EVERY: Final = 0.5
"""Seconds from one question who has which slots to the next, at least."""
REFRESH_TIMEOUT: Final = 0.5
"""Seconds that a server may take to answer it; then another one is asked."""
ROUNDS: Final = 3
"""How often a read goes where its slot has moved."""
_PING: Final = hiredis.pack_command(("PING",))


class RedisReader:
    """Reads for one event loop. It connects with the first read, and again after a loss; a read has no timeout of its own. All
    methods raise Unavailable where a server is away, the connection is lost meanwhile, or a reply is an error."""

    def __init__(self, address: RedisAddress, limit: int = MAX_WAITING) -> None:
        self._address, self._limit = address, limit
        self._tls = address.ssl_context()
        self._links: dict[Server, ServerLink] = {}
        self._only = None if address.cluster else ServerLink(address, self._tls, limit)
        self._slots = SlotMap(())
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at = -REFRESH_EVERY

    async def read(self, key: str, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands (`hiredis.pack_command`) about a key, or several in its slot, in their order."""
        only = self._only
        replies = await (self._read_of_slot(slot_of(key), commands) if only is None else only.read(commands))
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise Unavailable(f"Redis: {reply}")
        return replies

    async def read_each(self, commands: Sequence[tuple[str, bytes]]) -> list[Any]:
        """The replies to packed commands, each with its key, in their order; one that is an error is a hiredis.ReplyError."""
        if not commands:
            return []
        if self._only is not None:
            return await self._only.read([command for _, command in commands])
        by_link: dict[ServerLink, list[int]] = {}
        for number, (key, _) in enumerate(commands):
            by_link.setdefault(await self._link_of(slot_of(key)), []).append(number)
        replies: list[Any] = [None] * len(commands)
        read = [self._read_at(link, [commands[number][1] for number in numbers]) for link, numbers in by_link.items()]
        for numbers, found in zip(by_link.values(), await asyncio.gather(*read), strict=True):
            for number, reply in zip(numbers, found, strict=True):
                replies[number] = reply
        for number, (key, command) in enumerate(commands):
            if isinstance(replies[number], hiredis.ReplyError):
                (replies[number],) = await self._followed(slot_of(key), [command], [replies[number]])
        return replies

    async def read_everywhere(self, command: bytes) -> dict[Server, Any]:
        """The reply of each server that has keys to a packed command that is about none."""
        if self._only is not None:
            links = [self._only]
        else:
            await self._learn()
            links = [self._link(server) for server in self._slots.servers]
            if not links:
                raise Unavailable(f"Redis at {self._address}: no server answers")
        found = await asyncio.gather(*(self._read_at(link, [command]) for link in links))
        for (reply,) in found:
            if isinstance(reply, hiredis.ReplyError):
                raise Unavailable(f"Redis: {reply}")
        return {link.server: reply for link, (reply,) in zip(links, found, strict=True)}

    async def ping(self) -> None:
        """Returns once all servers that have keys have replied."""
        await self.read_everywhere(_PING)

    async def read_at(self, server: Server, command: bytes) -> Any:
        """The reply of one of the servers that `read_everywhere` named."""
        (reply,) = await self._read_at(self._only or self._link(server), [command])
        if isinstance(reply, hiredis.ReplyError):
            raise Unavailable(f"Redis: {reply}")
        return reply

    def server_of(self, key: str) -> Server | None:
        """The server that has a key; None where it is not known, or there is but one."""
        return self._slots.owner_of(key) if self._only is None else None

    async def owners(self) -> list[Server | None]:
        """The server of each slot as it is now; nothing where there is but one server."""
        if self._only is None:
            await self._refresh()
        return self._slots.owners() if self._only is None else []

    async def close(self) -> None:
        """End all connections."""
        await end(self._refreshing)
        for link in (*self._links.values(), *([] if self._only is None else [self._only])):
            await link.close()
        self._links.clear()

    def _link(self, server: Server) -> ServerLink:
        link = self._links.get(server)
        if link is None:
            link = self._links[server] = ServerLink(self._address.at(server), self._tls, self._limit)
        return link

    async def _link_of(self, slot: int) -> ServerLink:
        owner = self._slots.owner(slot)
        if owner is None:
            await self._learn()
            owner = self._slots.owner(slot)
        if owner is None:
            raise Unavailable(f"Redis at {self._address}: no server is known to have the slot {slot}")
        return self._link(owner)

    async def _read_at(self, link: ServerLink, commands: Sequence[bytes]) -> list[Any]:
        try:
            return await link.read(commands)
        except (Unavailable, asyncio.CancelledError):  # cancelled: the reader gave up
            self._begin_to_learn()  # another one may have taken over
            raise

    async def _read_of_slot(self, slot: int, commands: Sequence[bytes]) -> list[Any]:
        replies = await self._read_at(await self._link_of(slot), commands)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                return await self._followed(slot, commands, replies)
        return replies

    async def _followed(self, slot: int, commands: Sequence[bytes], replies: list[Any]) -> list[Any]:
        """The replies to commands about a slot, from where the server redirects to, where it does."""
        for _ in range(ROUNDS):
            redirects = {
                number: found for number, reply in enumerate(replies) if (found := self._redirect(slot, reply))
            }
            moved = next((each.server for each in redirects.values() if each.server and not each.importing), None)
            if moved is None:
                return await self._from_importing(redirects, commands, replies)
            self._slots.move(slot, moved)
            self._begin_to_learn()
            replies = await self._read_at(self._link(moved), commands)
        return replies

    def _redirect(self, slot: int, reply: Any) -> Redirect | None:
        if not isinstance(reply, hiredis.ReplyError):
            return None
        if str(reply).startswith("CLUSTERDOWN"):
            self._begin_to_learn()
        return read_redirect(str(reply), self._slots.owner(slot) or self._address.servers[0])

    async def _from_importing(
        self, redirects: dict[int, Redirect], commands: Sequence[bytes], replies: list[Any]
    ) -> list[Any]:
        """The replies, with those of the next server of a slot that moves to what it has already."""
        importing = {number: each.server for number, each in redirects.items() if each.importing and each.server}
        for number, server in importing.items():
            replies[number] = (await self._read_at(self._link(server), [IMPORT_PREFIX, commands[number]]))[1]
        return replies

    async def _learn(self) -> None:
        """Return once it is known anew who has which slots, unless that was asked a moment ago."""
        self._begin_to_learn()
        if self._refreshing is not None:
            await asyncio.shield(self._refreshing)

    def _begin_to_learn(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._only is not None or now - self._refreshed_at < REFRESH_EVERY:
            return
        if self._refreshing is None or self._refreshing.done():
            self._refreshed_at = now
            self._refreshing = asyncio.create_task(self._refresh(), name="redis slots")

    async def _refresh(self) -> None:
        """Ask one server after another; who finds the cluster whole is believed first, since one that is cut off does not know
        its successor."""
        of_cut_off: SlotMap | None = None
        candidates = dict.fromkeys([*self._slots.servers, *self._slots.replicas, *self._address.servers])
        for server in candidates:
            try:
                async with asyncio.timeout(REFRESH_TIMEOUT):
                    slots, info = await self._link(server).read((CLUSTER_SLOTS, CLUSTER_INFO))
                shards = read_shards(slots, server)
            except (Unavailable, Broken, TimeoutError):
                continue
            if shards and is_whole(info):
                await self._use(SlotMap(shards))
                return
            of_cut_off = of_cut_off or (SlotMap(shards) if shards else None)
        if of_cut_off is not None:
            await self._use(of_cut_off)

    async def _use(self, slots: SlotMap) -> None:
        self._slots = slots
        for server in [server for server in self._links if server not in slots.servers]:
            if (link := self._links.pop(server, None)) is not None:  # another refresh may have been here meanwhile
                await link.close()
