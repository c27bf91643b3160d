"""A certificate of one's own, as whoever is shown it sees it: a handshake in memory, in which it alone is trusted."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Passphrase = str | Callable[[], str]
_ROUNDS: Final = 10
"""Of a handshake that does not come to its end by then."""
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python's `ssl` has no name for."""
_KEYWORDS: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""Of attributes of names, as RFC 2253 has them."""


def shown_by_server(
    certificate: str | Path, key: str | Path, passphrase: Passphrase, at_any_time: bool = False
) -> dict[str, Any]:
    """Returns what a client reads in a server's certificate, as `ssl.SSLSocket.getpeercert` has it. Raises OSError for files that
    can't be used or do not belong together, and for one that is not valid now, unless it is read `at_any_time`; ValueError where
    the passphrase does."""
    server = _trusting(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key, passphrase)
    client = _trusting(_client_context(), certificate, key, passphrase)
    if at_any_time:
        client.verify_flags |= _NO_CHECK_TIME
    return _handshake(client, server)[0]


def shown_by_client(certificate: str | Path) -> dict[str, Any]:
    """Returns what a server reads in a client's certificate, which is in one file with its key. Raises as `shown_by_server`."""
    server = _trusting(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, certificate, "")
    server.verify_mode = ssl.CERT_REQUIRED
    client = _trusting(_client_context(), certificate, certificate, "")
    client.verify_mode = ssl.CERT_NONE  # it may not be one of a server's
    return _handshake(client, server)[1]


def kafka_principal(shown: dict[str, Any]) -> str | None:
    """Returns the user that Kafka takes a client for by its certificate: its subject as RFC 2253 writes it; None where that has
    an attribute without a keyword there.

    >>> kafka_principal({"subject": ((("countryName", "DE"),), (("organizationName", "Shop, Ltd"),), (("commonName", "m"),))})
    'CN=m,O=Shop\\\\, Ltd,C=DE'
    """
    names = []
    for part in reversed(shown.get("subject", ())):
        if any(attribute not in _KEYWORDS for attribute, _ in part):
            return None
        names.append("+".join(f"{_KEYWORDS[attribute]}={_escaped(value)}" for attribute, value in part))
    return ",".join(names) or None


def _escaped(value: str) -> str:
    return "".join(f"\\{each}" if each in ',+"\\<>;' else each for each in value)


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return context


def _trusting(
    context: ssl.SSLContext, certificate: str | Path, key: str | Path, passphrase: Passphrase
) -> ssl.SSLContext:
    context.load_cert_chain(certificate, key, passphrase)
    context.load_verify_locations(certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what the client has read in the server's certificate, and the server in the client's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_ROUNDS):
        waits = 0
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waits += 1
        if not waits:
            return ends[0].getpeercert() or {}, ends[1].getpeercert() or {}
    raise ssl.SSLError("the handshake does not come to its end")
