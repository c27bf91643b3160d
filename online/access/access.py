"""`access.json` in the home: API keys, allowed origins and rate limits.

{"keys": {"shop": {"key": "sha256:…", "role": "read", "limit": {"per_second": 50, "burst": 100}}, "app": "…"}, "admin_key": "…",
 "origins": ["https://shop.example"], "hosts": ["films.example"], "image_hosts": ["img.example"],
 "limit": {"per_second": 20, "burst": 40}}

Without keys everyone may call /v1 but other sites' pages, where this machine alone reaches the API; where others do, nobody
may but with `admin_key`. Without a key of the role admin nobody may call /v1/admin. Pages, health and metrics are open: they
hold nothing of a person.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from features.contracts.events import Name
from features.errors import BadInput
from online.access.api_keys import Key, KeyRing, Role
from online.access.rate_limits import Limit

HostName = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9._-]*[A-Za-z0-9_-]|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$(?!\n)")
]
"""A name or an address, without port; an IPv6 address without brackets."""
ImageHost = Annotated[str, Meta(pattern=r"^([*][.])?[a-z0-9][a-z0-9._-]*(:[0-9]{1,5})?$(?!\n)", max_length=253)]
"""A host as a content security policy names it, without scheme: `img.example`, `*.img.example`, `127.0.0.1:9000`."""
MAX_IMAGE_HOSTS: Final = 20
MAX_KEYS: Final = 200
"""Each call's key is compared with all of them."""
PLAIN_ROLE: Final[Role] = "write"
"""The role of keys for which none is named."""
OPERATOR: Final = "admin_key"
"""The caller whose key is `admin_key`."""


class StoredKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A caller's key (`./martlet keys` writes its digest), what it may do, and its own rate limit; None is the file's."""

    key: Key
    role: Role = PLAIN_ROLE
    limit: Limit | None = None


@dataclass(frozen=True)
class Caller:
    """Who a key belongs to: a name, what it may do, and its limit."""

    name: str
    role: Role
    limit: Limit | None


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """
    keys         name of a caller → its key, or its key, role and limit; none: no key is asked for (but see `KeyedAccess`)
    admin_key    a key of the role admin for /v1/admin, which asks no one else for a key; None: as `keys` say
    origins      sites whose pages may call from a browser (CORS); "*" is any
    hosts        names under which the API is called beside this machine's own, without port, as behind a proxy; they count where
                 no keys are set (see `online.access.origin_guard`)
    image_hosts  from where the pages may load images of items; none: they draw them
    limit        of each caller: of a key that has none of its own, or of an address where there are no keys; None is no limit
    """

    keys: Annotated[dict[Name, Key | StoredKey], Meta(max_length=MAX_KEYS)] = {}
    admin_key: Key | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[HostName, ...] = ()
    image_hosts: Annotated[tuple[ImageHost, ...], Meta(max_length=MAX_IMAGE_HOSTS)] = ()
    limit: Limit | None = None

    @property
    def key_needed(self) -> bool:
        """Whether a call of /v1 needs a key."""
        return bool(self.keys)

    @cached_property
    def host_names(self) -> tuple[str, ...]:
        """`hosts` in lower case, as headers are compared."""
        return tuple(name.lower() for name in self.hosts)

    @cached_property
    def stored_keys(self) -> dict[str, StoredKey]:
        """All of `keys` in the long form."""
        return {name: StoredKey(each) if isinstance(each, str) else each for name, each in self.keys.items()}

    @cached_property
    def key_ring(self) -> KeyRing[Caller]:
        """Whose each key is, `admin_key` among them."""
        callers = [
            (each.key, Caller(name, each.role, each.limit or self.limit)) for name, each in self.stored_keys.items()
        ]
        if self.admin_key is not None:
            callers.append((self.admin_key, Caller(OPERATOR, "admin", self.limit)))
        return KeyRing.of(callers)

    @cached_property
    def has_admin(self) -> bool:
        """Whether there is a key of the role admin."""
        return self.admin_key is not None or any(each.role == "admin" for each in self.stored_keys.values())


class KeyedAccess(Access, frozen=True, forbid_unknown_fields=True, dict=True):
    """The same for an API that other machines reach: a call needs a key though `keys` has none."""

    @property
    def key_needed(self) -> bool:
        return True


OPEN: Final = Access()
CLOSED: Final = KeyedAccess()
read_access = msgspec.json.Decoder(Access).decode
read_keyed_access = msgspec.json.Decoder(KeyedAccess).decode


def missing_key(access: Access) -> BadInput | None:
    """Why an API may not start with an access file that it obeys once it runs: calls need a key, and `keys` has none. None
    where that is not so."""
    if access.key_needed and not access.keys:
        return BadInput("keys", "at least one, since other machines reach the API", "none: calls are refused")
    return None
