"""Whether a server of an attached engine is reached, and its certificate is one to trust."""

import socket
import ssl
from typing import Any

from features.engines.host_port import host_port
from features.engines.own_certificate import shown_by_client
from features.engines.tls import Tls
from features.errors import BadInput
from infra.attached.findings import Finding, away, refused, well

TIMEOUT = 5.0


def reach(name: str, host: str, port: int, tls: Tls | None) -> Finding:
    """Returns what came of connecting to a server, by TLS if it is given: nobody, a certificate that is refused, or all is well.
    Raises BadInput for files of TLS that can't be used."""
    context = None if tls is None else tls.context()
    where = host_port(host, port)
    try:
        with socket.create_connection((host, port), TIMEOUT) as plain:
            if context is None:
                return well(name, f"{where} answers")
            with context.wrap_socket(plain, server_hostname=host) as secured:
                return well(name, f"{where} answers, {secured.version()}, certificate of {_subject(secured)}")
    except ssl.SSLCertVerificationError as error:
        return refused(
            name,
            f"a certificate for {host} that is valid now, of an authority that is trusted",
            f"{where}: {error.verify_message}",
            "renew it, name its authority as `ca`, or connect by a name that it has",
        )
    except ssl.SSLError as error:
        return refused(
            name,
            "TLS",
            f"{where}: {error.reason or error}",
            "is it the port with TLS, and does it ask for a certificate?",
        )
    except TimeoutError:
        return away(name, f"{where} does not answer within {TIMEOUT:.0f} s", "does it run, and is TLS meant here?")
    except OSError as error:
        return away(name, f"{where}: {error}", "start it, or change the address")


def tls_finding(name: str, section: str, tls: Tls | None) -> Finding | None:
    """Returns what is wrong with the files of TLS that a section of the settings names, by the setting; None where nothing is."""
    if tls is None:
        return None
    certificate = f"{section}.certificate"
    try:
        tls.context()
        if tls.certificate is not None:
            shown_by_client(tls.certificate)
    except ssl.SSLCertVerificationError as error:
        expected = "a client's certificate that is valid now"
        found = f"{tls.certificate}: {error.verify_message}"
        return refused(f"{name}: certificate", expected, found, f"renew {certificate}")
    except BadInput as error:
        setting = certificate if error.where == tls.certificate else f"{section}.ca"
        found = f"{error.where}: {error.received}"
        return refused(setting, error.expected, found, f"name {error.expected} that can be read here")
    except (OSError, ValueError) as error:
        expected = "a PEM file of a key and its certificates"
        return refused(certificate, expected, f"{tls.certificate}: {error}", f"name {expected} that can be shown")
    return None


def _subject(secured: ssl.SSLSocket) -> str:
    certificate: Any = secured.getpeercert() or {}
    return ", ".join(str(name) for _, name in certificate.get("subjectAltName", ())[:3]) or "no name"
