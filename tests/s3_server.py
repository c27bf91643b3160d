"""A server of S3's protocol for tests: rclone, over a folder of this machine; a bucket is a folder in it."""

import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.storage.bucket_store import S3Access
from infra.system.processes import free_ports
from tests.home import until

ACCESS_KEY, SECRET_KEY = "AKIAMARTLETTESTS0001", "a-secret-of-tests-alone"
BUCKET = "martlet"


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Access]:
    """Starts it, with BUCKET empty; kills it at the end."""
    (folder / "data" / BUCKET).mkdir(parents=True)
    (port,) = free_ports(1)
    program = shutil.which("rclone", path=sysconfig.get_path("scripts"))
    assert program is not None, "rclone is in the lock of development"
    argv = [program, "serve", "s3", str(folder / "data"), "--addr", f"127.0.0.1:{port}"]
    argv += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--cache-dir", str(folder / "cache")]
    with (folder / "rclone.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "XDG_CONFIG_HOME": str(folder)})
    access = S3Access(f"http://127.0.0.1:{port}", None, ACCESS_KEY, SECRET_KEY)
    try:
        until(lambda: b"Starting s3 server" in (folder / "rclone.log").read_bytes(), 20, "rclone serves")
        time.sleep(0.1)
        yield access
    finally:
        process.kill()
        process.wait(10)
