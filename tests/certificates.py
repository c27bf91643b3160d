"""Certificates drawn for a test by openssl."""

import subprocess
from pathlib import Path


def self_signed(
    folder: Path, name: str, key_type: str = "ec", host: str = "127.0.0.1", days: int = 1
) -> tuple[Path, Path]:
    """The PEM files of a certificate for an address, signed by its own key, and of that key. key_type: as openssl calls it."""
    folder.mkdir(exist_ok=True)
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"] if key_type == "ec" else []
    options = ["-newkey", key_type, *curve, "-nodes", "-days", str(days)]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{host}"]
    argv = ["openssl", "req", "-x509", *options, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True, timeout=30)
    return certificate, key


def run_out(folder: Path, name: str) -> tuple[Path, Path]:
    """The PEM files of a certificate that ran out a day ago, signed by its own key, and of that key."""
    certificate, key = self_signed(folder, name)
    asked = folder / f"{name}.csr"
    for argv in (
        ["req", "-new", "-key", str(key), "-subj", f"/CN={name}", "-out", str(asked)],
        ["x509", "-req", "-in", str(asked), "-key", str(key), "-days", "-1", "-out", str(certificate)],
    ):
        subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=30)
    return certificate, key
