"""`access.json`: who may call the API. A new home has an operator's key and nothing else in it; `./martlet keys` changes it."""

import fcntl
import os
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from features.contracts.events import Name
from features.durable import atomic_file
from features.errors import BadInput, Broken
from infra.home.paths import Home
from infra.home.record import HomeRecord
from online.access.access import MAX_KEYS, OPERATOR, Access, StoredKey, read_access
from online.access.api_keys import Role, hashed
from online.access.rate_limits import Limit

PREFIX: Final = "martlet_"
"""Begins each drawn key, so that a scan for secrets knows one."""
KEY_BYTES: Final = 32


def ensure_access(home: Home) -> None:
    """Create the file of a home that is new, readable by its owner alone. Raises BadInput where it is gone from one that has
    served, which would be open without its keys, and where it can't be made, as in a home that a container only reads."""
    if home.access_file.exists():
        return
    if HomeRecord(home).base_number is not None:
        raise BadInput(
            str(home.access_file),
            "the file with the home's keys, which comes before its first base",
            "none: restore it, or make another by ./martlet keys add NAME --role admin",
        )
    try:
        _write(home, _new_access())
    except OSError as error:
        raise BadInput(
            str(home.access_file), "the file, which `./martlet keys add NAME --role write` makes", f"none: {error}"
        ) from error


def add_key(home: Home, name: str, role: Role, limit: Limit | None) -> str:
    """Add a caller with a key that is drawn here; returns the key, of which the file has the digest alone. Raises BadInput for a
    name that is taken or none, and for a home or a file that can't be read."""
    _check_name(name)
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)

    def added(access: Access) -> Access:
        if name in access.keys:
            raise BadInput("keys add", f"a name that no key has ({name!r} may be revoked)", repr(name))
        if len(access.keys) >= MAX_KEYS:
            raise BadInput(
                "keys add", f"at most {MAX_KEYS} keys (./martlet keys revoke NAME)", f"one more than {MAX_KEYS}"
            )
        stored = StoredKey(hashed(key), role, limit)
        return msgspec.structs.replace(access, keys=access.keys | {name: stored})

    _change(home, added)
    return key


def revoke_key(home: Home, name: str) -> None:
    """Take a caller's key away. Raises BadInput where there is none of that name."""

    def revoked(access: Access) -> Access:
        if name == OPERATOR and access.admin_key is not None:
            return msgspec.structs.replace(access, admin_key=None)
        if name not in access.keys:
            raise BadInput(
                "keys revoke", f"one of {', '.join(sorted(names(access))) or 'none: there are no keys'}", name
            )
        return msgspec.structs.replace(access, keys={each: key for each, key in access.keys.items() if each != name})

    _change(home, revoked)


def hash_keys(home: Home) -> None:
    """Replace each key that stands in the file as it is sent by its digest."""

    def with_digests(access: Access) -> Access:
        keys = {name: msgspec.structs.replace(each, key=hashed(each.key)) for name, each in access.stored_keys.items()}
        operator = None if access.admin_key is None else hashed(access.admin_key)
        return msgspec.structs.replace(access, keys=keys, admin_key=operator)

    _change(home, with_digests)


def read_home_access(home: Home) -> Access:
    """What the file says: nothing yet in a home that `features` made and no API has served. Raises BadInput where there is no
    home, Broken for a file with something wrong in it."""
    try:
        return read_access(home.access_file.read_bytes())
    except FileNotFoundError as error:
        if home.record_file.exists():
            return Access()
        raise BadInput(
            "--home", "a home that `up` or `features` has made", f"{home.path}, which has no access.json"
        ) from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{home.access_file}: {error}") from error


def names(access: Access) -> list[str]:
    """The names of all callers with a key."""
    return [*access.keys, *([] if access.admin_key is None else [OPERATOR])]


def _check_name(name: str) -> None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise BadInput("keys add", "a name of 1 to 64 characters", repr(name)[:100]) from error
    if name == OPERATOR or not name.isprintable():
        raise BadInput("keys add", f"a printable name other than {OPERATOR}", repr(name))


def _new_access() -> Access:
    return Access(admin_key=secrets.token_urlsafe(24))


def _change(home: Home, change: Callable[[Access], Access]) -> None:
    """Replace the file by a change of it; one change at a time. Where there is none yet, the change adds the first key: without
    one it is refused, as the home would be open to all."""
    read_home_access(home)
    home.run.mkdir(exist_ok=True)
    with (home.run / "access.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not home.access_file.exists()
        changed = change(_new_access() if is_new else read_home_access(home))
        if is_new and not changed.keys:
            raise BadInput(str(home.access_file), "the file, which `./martlet keys add NAME` makes", "none")
        _write(home, changed)


def _write(home: Home, access: Access) -> None:
    content = msgspec.json.format(msgspec.json.encode(access)) + b"\n"
    read_access(content)  # what the API would refuse is never written
    with atomic_file(home.access_file) as path:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
