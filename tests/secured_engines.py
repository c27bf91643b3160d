"""A Kafka that demands TLS, a password and ACLs, and a way by TLS to a Redis, with certificates drawn for the test."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from features.engines.kafka_address import KafkaAddress
from features.engines.tls import Tls
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services import kafka
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.system import probes
from infra.system.processes import claim_ports
from tests.home import until
from tests.patience import patience

USER, PASSWORD = "martlet", "pass\"wo'rd"


@dataclass(frozen=True)
class Certificates:
    """An authority, and files of a key with its certificate that it has signed."""

    folder: Path

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def signed(self, name: str, days: int = 2) -> str:
        """A PEM file of a key and a certificate for `name` (as subjectAltName has it), valid for so many days from now on; below
        0 it has run out."""
        path = self.folder / f"{name.replace(':', '-')}-{days}.pem"
        key, request, extensions = (path.with_suffix(suffix) for suffix in (".key", ".csr", ".ext"))
        extensions.write_text(f"subjectAltName={name}\n")
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=test")
        signing = ("-CA", self.ca, "-CAkey", self.folder / "ca.key", "-days", str(days), "-extfile", extensions)
        certificate = _openssl("x509", "-req", "-in", request, *signing)
        path.touch(0o600)
        path.write_bytes(key.read_bytes() + certificate)
        return str(path)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*words: object) -> bytes:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def certificates(folder: Path) -> Certificates:
    """A new authority. Skips the test where this machine has no openssl to draw one."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH: no certificate can be drawn")
    folder.mkdir(parents=True, exist_ok=True)
    _openssl(
        "req", "-x509", *_NEW_KEY, "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-days", "2",
        "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    return Certificates(folder)


@dataclass(frozen=True)
class SecuredBroker:
    """certificate: a client's, with its key; address: as USER enters it, with that, a password and TLS; certified: with the
    certificate alone; admin: a way in by which everything is allowed."""

    certificate: str
    address: KafkaAddress
    certified: KafkaAddress
    admin: KafkaAddress

    def grant(self, prefix: str, operations: Sequence[str], user: str = USER) -> None:
        """Lets a user do these operations on topics that begin with `prefix`, and read as groups that do; returns once the broker
        goes by it, which is a while after the controller has taken it."""
        pattern = ResourcePattern(ResourceType.TOPIC, prefix, ACLResourcePatternType.PREFIXED)
        groups = ResourcePattern(ResourceType.GROUP, prefix, ACLResourcePatternType.PREFIXED)
        wanted = [(pattern, each) for each in operations if each != "GROUP_READ"]
        wanted += [(groups, "READ")] if "GROUP_READ" in operations else []
        admin: Any = KafkaAdminClient(**self.admin.client_options(), request_timeout_ms=10_000)
        try:
            acls = [
                ACL(f"User:{user}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, resource)
                for resource, operation in wanted
            ]
            admin.create_acls(acls)
            until(lambda: all(admin.describe_acls(acl)[0] for acl in acls), 10, "the broker goes by the ACLs")
        finally:
            admin.close()


ALL_RIGHTS = ("READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS", "CREATE", "GROUP_READ")


@contextmanager
def secured_kafka(
    folder: Path, drawn: Certificates, certificate: str, password: str = PASSWORD
) -> Iterator[SecuredBroker]:
    """Starts a broker that shows `certificate`, wants to see one, and USER's `password`, and lets nobody do anything that no ACL
    allows; stops it at the end."""
    home = Home(folder).make()
    secured, certified, api = claim_ports(3)
    ports = Ports.choose(api, {})
    argv = kafka.kafka_format(home, ports, "c2VjdXJlZC1jbHVzdGVyMQ")
    config = home.kafka / "server.properties"
    plain, controller = f"INTERNAL://127.0.0.1:{ports.kafka}", f"CONTROLLER://127.0.0.1:{ports.kafka_controller}"
    outer = f"{plain},SECURED://127.0.0.1:{secured},CERTIFIED://127.0.0.1:{certified}"
    more = {
        "listeners": f"{outer},{controller}",
        "advertised.listeners": outer,
        "listener.security.protocol.map": "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL,CERTIFIED:SSL",
        "listener.name.secured.ssl.client.auth": "required",
        "listener.name.certified.ssl.client.auth": "required",
        "inter.broker.listener.name": "INTERNAL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secured.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificate,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": drawn.ca,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    text = config.read_text()
    kept = [line for line in text.splitlines() if line.partition("=")[0] not in more]
    config.write_text("\n".join([*kept, *(f"{key}={value}" for key, value in more.items())]) + "\n")
    scram = f"SCRAM-SHA-512=[name={USER},password={password}]"
    words = [str(part) for part in [*argv, "--add-scram", scram]]
    done = subprocess.run(words, timeout=patience(60), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    java = [*argv[: argv.index("kafka.tools.StorageTool")], "kafka.Kafka", config]
    service = Service(
        "kafka", tuple(java), lambda: probes.kafka_ready(ports.kafka, kafka.cluster_of(home)), cwd=home.kafka, grace=30
    )
    supervisor = Supervisor(home)
    try:
        supervisor.start(service)
        own = drawn.signed("DNS:client.example")
        tls = Tls(drawn.ca, own)
        yield SecuredBroker(
            own,
            KafkaAddress(f"127.0.0.1:{secured}", "shop.", tls, USER, password),
            KafkaAddress(f"127.0.0.1:{certified}", "shop.", tls),
            KafkaAddress(f"127.0.0.1:{ports.kafka}", "shop."),
        )
    finally:
        supervisor.stop_all()


@contextmanager
def by_tls(target: int, certificate: str, authority: str | None = None) -> Iterator[int]:
    """A port at which a server on the port `target` is reached by TLS, which shows `certificate`, and wants to see one of an
    `authority` if that is given."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority)
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    port: Future[int] = Future()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    async def listen() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port.set_result(server.sockets[0].getsockname()[1])
        await ended.wait()
        server.close()

    def run() -> None:
        # The runner's end cancels what still passes bytes on, and waits for it.
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(listen())

    thread = threading.Thread(target=run, name="tls", daemon=True)
    thread.start()
    try:
        yield port.result(10)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
