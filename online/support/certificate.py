"""The certificate and key by which the API speaks TLS; replaced files hold for new connections, without a restart."""

import logging
import ssl
from pathlib import Path

from features.engines.own_certificate import shown_by_server
from features.errors import BadInput

Stamps = list[tuple[int, int] | None]
"""When the files changed and their sizes; None for one that is not there."""
logger = logging.getLogger(__name__)


def exposure(host: str, by_tls: bool) -> str:
    """How an API that listens on an address beyond this machine can be read on the way."""
    if by_tls:
        return f"listens on {host} by TLS"
    open_ = "keys can be read on the way, unless a proxy with TLS stands before it (api.certificate)"
    return f"listens on {host} without TLS: {open_}"


class Certificate:
    """A chain of certificates and its private key, in PEM files. A key with a passphrase is refused: nobody is there to type it.

    name   of the certificate's file
    error  why the files' newest contents are not in use; None if they are
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises BadInput for files that can't be read, are no PEM, do not belong together, or are of a certificate that is not
        valid now."""
        self._certificate, self._key = certificate, key
        self._is_by_clock = False
        """Whether what is wrong may pass by itself."""
        self.name, self.error = certificate.name, self._fault()
        if self.error is not None:
            raise BadInput(
                f"certificate {certificate}, key {key}", "PEM files of a certificate and its key", self.error
            )
        self._stamps: Stamps | None = self._stamps_now()
        self._current = self._made()
        self.context = self._made()
        self.context.sni_callback = self._hand_over

    def refresh(self) -> None:
        """Take files that have changed. What can't be used changes nothing, and is logged."""
        stamps = self._stamps_now()
        if stamps == self._stamps:
            return
        self._stamps, before = stamps, self.error
        self.error = self._fault()
        if self.error is not None:
            if self.error != before:
                logger.warning("the certificate stays as it was: %s: %s", self._certificate, self.error)
            self._stamps = None if self._is_by_clock else stamps  # it may become valid
            return
        try:
            self._current = self._made()
        except (OSError, ssl.SSLError, ValueError) as error:  # replaced since they were tried
            self.error, self._stamps = f"{error}", None

    def _made(self) -> ssl.SSLContext:
        """A context of the files as they are. One that has had another certificate keeps it beside, if its key is of another
        type, and shows it to clients that prefer that type."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate, self._key, _no_passphrase)
        return context

    def _hand_over(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, begun: ssl.SSLContext) -> None:
        """Have a connection that begins, whether or not it names a host, go on with the newest context."""
        connection.context = self._current

    def _fault(self) -> str | None:
        """What is wrong with the files, or with the certificate by the clock."""
        self._is_by_clock = False
        try:
            shown_by_server(self._certificate, self._key, _no_passphrase)
        except ssl.SSLCertVerificationError as error:
            self._is_by_clock = True
            return error.verify_message
        except (OSError, ssl.SSLError, ValueError) as error:
            return f"{error}"
        return None

    def _stamps_now(self) -> Stamps:
        return [_stamp(path) for path in (self._certificate, self._key)]


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
