"""The API's certificate: bad files keep it from starting, and changed ones hold for new connections."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from features.errors import BadInput
from online.support.certificate import Certificate
from tests.certificates import self_signed
from tests.secured_engines import certificates


def shown_to(trusted: Path, certificate: Certificate) -> bool:
    """Whether a client that trusts a certificate alone takes the server's."""
    here, there = socket.socketpair()
    there.settimeout(10)

    def serve() -> None:
        try:
            certificate.context.wrap_socket(here, server_side=True).close()
        except OSError:
            here.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        with ssl.create_default_context(cafile=trusted).wrap_socket(there, server_hostname="127.0.0.1") as client:
            return client.version() in ("TLSv1.2", "TLSv1.3")
    except ssl.SSLCertVerificationError:
        return False
    finally:
        there.close()
        server.join(10)


def replace(path: Path, by: Path) -> None:
    shutil.copyfile(by, path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))


def test_files_that_were_replaced_hold_for_new_connections(tmp_path: Path) -> None:
    one, two = self_signed(tmp_path, "one"), self_signed(tmp_path, "two")
    used = tmp_path / "used.pem", tmp_path / "used-key.pem"
    for path, by in zip(used, one, strict=True):
        replace(path, by)
    certificate = Certificate(*used)
    assert (shown_to(one[0], certificate), shown_to(two[0], certificate)) == (True, False)
    replace(used[0], two[0])
    certificate.refresh()  # the key is still the other's
    assert certificate.error is not None
    assert shown_to(one[0], certificate)
    replace(used[1], two[1])
    certificate.refresh()
    assert certificate.error is None
    assert (shown_to(one[0], certificate), shown_to(two[0], certificate)) == (False, True)
    used[0].unlink()
    certificate.refresh()
    assert certificate.error is not None
    assert shown_to(two[0], certificate)


@pytest.mark.parametrize(("before", "after"), [("ec", "rsa:2048"), ("rsa:2048", "ec")])
def test_a_certificate_of_another_type_of_key_takes_the_place_of_the_one_before(
    tmp_path: Path, before: str, after: str
) -> None:
    """A context that has both shows the one whose type a client likes better, for ever."""
    one, two = self_signed(tmp_path, "one", before), self_signed(tmp_path, "two", after)
    used = tmp_path / "used.pem", tmp_path / "used-key.pem"
    for path, by in zip(used, one, strict=True):
        replace(path, by)
    certificate = Certificate(*used)
    assert (shown_to(one[0], certificate), shown_to(two[0], certificate)) == (True, False)
    for path, by in zip(used, two, strict=True):
        replace(path, by)
    certificate.refresh()
    assert certificate.error is None
    assert (shown_to(one[0], certificate), shown_to(two[0], certificate)) == (False, True)


def test_files_that_do_not_do_are_refused_by_name(tmp_path: Path) -> None:
    one, two = self_signed(tmp_path, "one"), self_signed(tmp_path, "two")
    for certificate, key in ((one[0], two[1]), (one[1], one[1]), (tmp_path / "none.pem", one[1]), (one[0], tmp_path)):
        with pytest.raises(BadInput, match=f"certificate {certificate}, key {key}: expected PEM files"):
            Certificate(certificate, key)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "one")
    locked = tmp_path / "locked.pem"
    argv = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", "pass:secret"]
    subprocess.run(argv, check=True, capture_output=True, timeout=30)
    with pytest.raises(BadInput, match="the key has a passphrase"):
        Certificate(certificate, locked)


def test_one_that_has_run_out_is_refused_and_does_not_replace_another(tmp_path: Path) -> None:
    one, drawn = self_signed(tmp_path, "one"), certificates(tmp_path / "drawn")
    late = (Path(drawn.signed("IP:127.0.0.1", -1)),) * 2
    with pytest.raises(BadInput, match="certificate has expired"):
        Certificate(*late)
    used = tmp_path / "used.pem", tmp_path / "used-key.pem"
    for path, by in zip(used, one, strict=True):
        replace(path, by)
    certificate = Certificate(*used)
    for path, by in zip(used, late, strict=True):
        replace(path, by)
    certificate.refresh()
    assert certificate.error == "certificate has expired"
    assert shown_to(one[0], certificate)
