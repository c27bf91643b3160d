"""`keys`: the API keys of a home. A running API follows within a second."""

import math
from typing import Annotated, Final

import typer

from features.errors import BadInput
from infra.cli.home_option import DEFAULT_HOME, HomeOption, home_of
from infra.home.paths import Home

app = typer.Typer()
LIST, ADD, REVOKE, HASH = "list", "add", "revoke", "hash"
ACTIONS: Final = (LIST, ADD, REVOKE, HASH)
NO_KEYS_NOTE: Final = (
    "no keys are set: an API on this machine's loopback lets everyone who reaches it read and write; "
    "one that other machines reach refuses all calls but those with admin_key, and does not start again"
)


@app.command()
def keys(
    action: Annotated[str, typer.Argument(help=f"{', '.join(ACTIONS)}.")] = LIST,
    name: Annotated[
        str | None, typer.Argument(help="Of the caller, to add or to revoke; limits are counted by it.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="With add: read, write (which may read, too), or admin (which may do all).")
    ] = None,
    per_second: Annotated[
        float | None, typer.Option(help="With add: calls a second on average.  [default: the file's limit]")
    ] = None,
    burst: Annotated[int | None, typer.Option(help="With add and --per-second: calls at once.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """API keys by role: list them, add NAME (the key is printed once; the home has its digest), revoke NAME, or hash those that
    stand in access.json as they are sent."""
    from infra.home.access_file import hash_keys, revoke_key

    if action not in ACTIONS:
        raise BadInput("keys", f"one of {', '.join(ACTIONS)}", action)
    if (name is None) == (action in (ADD, REVOKE)):
        raise BadInput(f"keys {action}", "a NAME" if name is None else "no name", name or "none")
    target = home_of(home)
    if action == ADD and name is not None:
        _add(target, name, role, per_second, burst)
    elif role is not None or per_second is not None or burst is not None:
        raise BadInput("--role, --per-second and --burst", f"keys {ADD} NAME with them", f"keys {action}")
    elif action == REVOKE and name is not None:
        revoke_key(target, name)
    elif action == HASH:
        hash_keys(target)
    else:
        _list(target)
    _warn_of_no_keys(target)


def _add(target: Home, name: str, role: str | None, per_second: float | None, burst: int | None) -> None:
    from infra.home.access_file import add_key, read_home_access
    from online.access.api_keys import ROLES
    from online.access.rate_limits import Limit

    known = {each: each for each in ROLES}
    if role not in known:
        raise BadInput("--role", f"one of {', '.join(ROLES)}", role or "none")
    if (per_second is None) != (burst is None):
        raise BadInput("--per-second and --burst", "both or neither", "one of them")
    limit = None
    if per_second is not None and burst is not None:
        if not (0 < per_second < math.inf and burst >= 1):
            raise BadInput("--per-second and --burst", "a number above 0, and at least 1", f"{per_second:g}, {burst}")
        limit = Limit(per_second, burst)
    was_open = not read_home_access(target).keys
    typer.echo(add_key(target, name, known[role], limit))
    if was_open:
        typer.echo("from now on every call of /v1 needs a key; pages ask for one", err=True)


def _list(target: Home) -> None:
    from infra.home.access_file import read_home_access
    from online.access.access import OPERATOR
    from online.access.api_keys import HASHED

    access = read_home_access(target)
    rows = [(name, each.role, each.limit or access.limit, each.key) for name, each in access.stored_keys.items()]
    if access.admin_key is not None:
        rows.append((OPERATOR, "admin", access.limit, access.admin_key))
    for name, role, limit, key in rows:
        rate = "no limit" if limit is None else f"{limit.per_second:g} a second, {limit.burst} at once"
        typer.echo(f"{name}\t{role}\t{rate}\t{'digest' if key.startswith(HASHED) else 'as it is sent'}")


def _warn_of_no_keys(target: Home) -> None:
    from infra.home.access_file import read_home_access

    if not read_home_access(target).keys:
        typer.echo(NO_KEYS_NOTE, err=True)
