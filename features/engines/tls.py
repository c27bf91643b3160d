"""TLS of a client: whose certificates it trusts, and its own."""

import ssl

import msgspec

from features.errors import BadInput


class Tls(msgspec.Struct, frozen=True):
    """
    ca           PEM file of the authorities that are trusted; None: those of this machine
    certificate  PEM file with the client's own certificates and its private key (PKCS #8); None: it shows none
    """

    ca: str | None = None
    certificate: str | None = None

    def context(self) -> ssl.SSLContext:
        """Returns a context that checks the server's certificate and its name. Raises BadInput naming a file that can't be
        used."""
        where = str(self.ca)
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                where = self.certificate
                context.load_cert_chain(self.certificate, password="")
        except (OSError, ValueError) as error:  # an SSLError is an OSError; ValueError: the key is encrypted
            expected = (
                "a PEM file of authorities" if where == str(self.ca) else "a PEM file of a key and its certificates"
            )
            raise BadInput(where, expected, f"{type(error).__name__}: {error}") from error
        return context
