"""Hosts that mean this machine alone, and addresses that mean all of its own."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

LOOPBACK: Final = "127.0.0.1"
"""Where servers listen that this machine alone is to reach."""
ANY_ADDRESS: Final = ("0.0.0.0", "::")
"""What a server listens on that is to be reached at each of its machine's addresses."""


@lru_cache(maxsize=256)  # it is asked for at each request
def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine without asking a name server.

    >>> is_loopback("127.0.0.1"), is_loopback("shop.localhost"), is_loopback("::ffff:127.0.0.1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
