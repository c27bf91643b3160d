"""The table of all settings: a struct a section of `martlet.toml`, a field a setting, each with what it sets and what it expects.

A setting is added here: the file's reader, its variable `MARTLET_SECTION_NAME`, `./martlet config` and the masking of secrets
follow. By hand come its row in docs/configuration.md (`documented_rows`), what it must go with (`infra.settings.safety`), and an
option of the command line (`infra.settings.reading.OPTIONS`).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from features.engines.kafka_address import Mechanism
from features.keys import DEFAULT_PARTITIONS, MAX_PARTITIONS
from online.support.log_lines import LogFormat

_HOST: Final = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]):[0-9]{1,5}"

_STORE: Final = r"/.*|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?"

_SERVER: Final = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(:[0-9]{1,5})?"


def _setting(expected: str, sets: str, *, pattern: str | None = None, secret: bool = False) -> msgspec.Meta:
    """Returns the description of a setting: what is `expected` as its value, matched whole by `pattern`; what it `sets`."""
    return msgspec.Meta(description=sets, extra={"expected": expected, "pattern": pattern, "secret": secret})


_CA: Final = _setting("a PEM file", "authorities whose certificates are trusted; left out: those of this machine")
_CERTIFICATE: Final = _setting(
    "a PEM file", "a file with the client's certificates and its private key (PKCS #8), where the server asks for one"
)


class Kafka(msgspec.Struct, frozen=True, kw_only=True):
    """A Kafka that runs already, and how a home's log is divided in it or in the one that `up` starts."""

    bootstrap: Annotated[
        str | None,
        _setting(
            "HOST:PORT of one broker, or of several with commas between",
            "the brokers to attach to; left out: `up` starts one",
            pattern=rf"{_HOST}(,{_HOST})*",
        ),
    ] = None
    topic_prefix: Annotated[
        str,
        _setting(
            "at most 200 letters, digits, `.`, `_` and `-`",
            "what the names of all topics and consumer groups begin with, so that homes share a Kafka",
            pattern=r"[A-Za-z0-9._-]{0,200}",
        ),
    ] = ""
    partitions: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=MAX_PARTITIONS)] | None,
        _setting(
            f"1 to {MAX_PARTITIONS}",
            "partitions of each topic of users, said when the home is made and never changed; left out: the home's, "
            f"{DEFAULT_PARTITIONS} of a new one",
        ),
    ] = None
    replication: Annotated[
        int | None,
        _setting(
            "a whole number from 1 on", "replicas of the topics that are created; left out: the cluster's default"
        ),
    ] = None
    tls: Annotated[bool, _setting("true or false", "whether connections are encrypted by TLS")] = False
    ca: Annotated[str | None, _CA] = None
    certificate: Annotated[str | None, _CERTIFICATE] = None
    user: Annotated[str | None, _setting("a name", "whom to log in as by SASL")] = None
    password: Annotated[str | None, _setting("a text", "that user's password", secret=True)] = None
    mechanism: Annotated[
        Mechanism, _setting(", ".join(get_args(Mechanism)), "how SASL proves the password; `PLAIN` sends it")
    ] = "SCRAM-SHA-512"


class Redis(msgspec.Struct, frozen=True, kw_only=True):
    """A Redis or Valkey that runs already, or the program of one to start."""

    url: Annotated[
        str | None,
        _setting(
            "redis://HOST:PORT/DATABASE or rediss://…, without user and password; of a cluster HOST:PORT,HOST:PORT,…",
            "the server to attach to, or some servers of the cluster; `rediss` by TLS; left out: `up` starts one",
            pattern=rf"rediss?://{_SERVER}(,{_SERVER})*(/[0-9]{{0,4}})?",
        ),
    ] = None
    cluster: Annotated[
        bool, _setting("true or false", "whether it is a Redis Cluster; all its servers are entered in the same way")
    ] = False
    user: Annotated[str | None, _setting("a name", "the user of the server's ACL; left out: the default one")] = None
    password: Annotated[str | None, _setting("a text", "that user's password", secret=True)] = None
    ca: Annotated[str | None, _CA] = None
    certificate: Annotated[str | None, _CERTIFICATE] = None
    server: Annotated[
        str | None,
        _setting(
            "a redis-server or valkey-server: a name on PATH, or a path",
            "the program that `up` starts where `url` is left out",
        ),
    ] = None


class Flink(msgspec.Struct, frozen=True, kw_only=True):
    """A Flink session cluster that runs already."""

    address: Annotated[
        str | None,
        _setting(
            "http://HOST:PORT; of several JobManagers http://HOST:PORT,http://HOST:PORT,…",
            "the REST address of the session cluster to attach to, which has our jars and Python packages; of several "
            "JobManagers one that answers is used; left out: `up` starts one",
            pattern=rf"http://{_HOST}(,http://{_HOST})*",
        ),
    ] = None
    python: Annotated[
        str | None, _setting("a path", "the Python on its TaskManagers; left out: the path of this one")
    ] = None
    checkpoints: Annotated[
        str | None,
        _setting(
            "an absolute path, or s3://BUCKET/FOLDER",
            "where the job's checkpoints and savepoints lie, each home's in a folder by its id; left out: in the home",
            pattern=_STORE,
        ),
    ] = None


class S3(msgspec.Struct, frozen=True, kw_only=True):
    """How buckets of S3 are reached."""

    endpoint: Annotated[
        str | None,
        _setting(
            "http://HOST:PORT or https://HOST[:PORT]",
            "a server of S3's protocol; left out: Amazon's",
            pattern=rf"https?://{_SERVER}",
        ),
    ] = None
    region: Annotated[str | None, _setting("a name", "the region; left out: as `AWS_REGION` says")] = None
    access_key: Annotated[
        str | None,
        _setting("a text", "the id of the key to sign with; left out: as `AWS_…` variables or the machine's role say"),
    ] = None
    secret_key: Annotated[str | None, _setting("a text", "that key's secret", secret=True)] = None


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """A Spark for the offline steps."""

    master: Annotated[
        str | None,
        _setting(
            "local[…], spark://HOST:PORT, yarn or k8s://…",
            "where they run; left out: all cores of this machine. Workers need the home's folder, this repository and its Python",
            pattern=r"(local(\[[0-9*]+(,[0-9]+)?\])?|spark://[^:/]+:[0-9]{1,5}|yarn|k8s://.+)",
        ),
    ] = None


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """A model server that runs already, and where versions of models lie beside the home."""

    server: Annotated[
        str | None,
        _setting(
            "HOST:PORT for gRPC, http://HOST:PORT or https://HOST:PORT for REST",
            "the TensorFlow Serving that ranks, by `run/models.config`; left out: the embedded server",
            pattern=rf"(https?://)?{_HOST}",
        ),
    ] = None
    store: Annotated[
        str | None,
        _setting(
            "an absolute path, or s3://BUCKET/FOLDER",
            "where versions of models and their labels are mirrored, each home's in a folder by its id; left out: nowhere",
            pattern=_STORE,
        ),
    ] = None


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """The API: how it listens, and where the role `watch` finds it."""

    host: Annotated[
        str,
        _setting(
            "an address of this machine, or 0.0.0.0 for all",
            "where it listens; beyond this machine only with keys in `access.json`",
            pattern=r"[A-Za-z0-9_.:-]+",
        ),
    ] = "127.0.0.1"
    processes: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=16)] | None,
        _setting(
            "1 to 16",
            "how many processes `up` starts of it, all on one port; left out: 1, of a home made with `--scale` 2",
        ),
    ] = None
    certificate: Annotated[
        str | None,
        _setting(
            "a PEM file",
            "the chain of certificates by which it speaks TLS; left out: plain HTTP, as `api.address` wants it",
        ),
    ] = None
    key: Annotated[str | None, _setting("a PEM file", "the certificate's private key, without a passphrase")] = None
    address: Annotated[
        str | None,
        _setting(
            "http://HOST:PORT",
            "where `./martlet watch` reaches the API, at each address that the host has; left out: it does not learn which "
            "versions rank, and judges none",
            pattern=rf"http://{_HOST}",
        ),
    ] = None


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """The watch: its alarms and metrics."""

    host: Annotated[
        str,
        _setting(
            "an address of this machine, or 0.0.0.0 for all",
            "where its metrics are read, without a key",
            pattern=r"[A-Za-z0-9_.:-]+",
        ),
    ] = "127.0.0.1"
    address: Annotated[
        str | None,
        _setting(
            "http://HOST:PORT",
            "where `./martlet api` reads what `./martlet watch` knows; left out: its `/v1/ops` has no alarms",
            pattern=rf"http://{_HOST}",
        ),
    ] = None


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the API logs, and the roles `job` and `watch`."""

    format: Annotated[
        LogFormat,
        _setting(
            ", ".join(get_args(LogFormat)),
            "the form of lines; `json`: an object a line, of the API also a line for each request",
        ),
    ] = "text"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a home."""

    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    flink: Flink = Flink()
    s3: S3 = S3()
    spark: Spark = Spark()
    models: Models = Models()
    api: Api = Api()
    watch: Watch = Watch()
    log: Log = Log()


class Field(NamedTuple):
    """A setting. type: of its value; default; sets, expected: texts for people; pattern: what a text matches whole, if there is
    one; secret: whether its value is never shown."""

    section: str
    name: str
    type: Any
    default: Any
    sets: str
    expected: str
    pattern: str | None
    secret: bool

    @property
    def path(self) -> str:
        """Its name everywhere: section and key."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"MARTLET_{self.section}_{self.name}".upper()


def _fields() -> Iterator[Field]:
    for section in msgspec.structs.fields(Settings):
        kinds = get_type_hints(section.type, include_extras=True)
        for field in msgspec.structs.fields(section.type):
            kind = kinds[field.name]
            assert get_origin(kind) is Annotated, f"{section.name}.{field.name} has no description"
            meta = next(each for each in get_args(kind) if isinstance(each, msgspec.Meta))
            extra = meta.extra or {}
            texts = meta.description or "", extra["expected"], extra["pattern"]
            yield Field(section.name, field.name, kind, field.default, *texts, extra["secret"])


FIELDS: Final = tuple(_fields())
SECRET_VARIABLES: Final = frozenset(field.variable for field in FIELDS if field.secret)


def documented_rows() -> list[str]:
    """Returns the rows of the table in docs/configuration.md."""

    def default_of(field: Field) -> str:
        if field.default in (None, ""):
            return "none"
        return f"`{msgspec.json.encode(field.default).decode()}`".replace('"', "")

    return [
        f"| `{field.path}` | `{field.variable}` | {default_of(field)} | {field.expected} | {field.sets} |"
        for field in FIELDS
    ]
