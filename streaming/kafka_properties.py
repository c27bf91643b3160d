"""Properties by which Kafka's Java clients inside Flink's connector connect; Python's have theirs from the address itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from features.engines.kafka_address import KafkaAddress
from features.errors import BadInput

_SHADED: Final = "org.apache.flink.kafka.shaded.org.apache.kafka.common"
"""Where the connector's jar has Kafka's classes."""
_LOGIN_MODULES: Final = {
    "SCRAM-SHA-256": f"{_SHADED}.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": f"{_SHADED}.security.scram.ScramLoginModule",
    "PLAIN": f"{_SHADED}.security.plain.PlainLoginModule",
}


def kafka_properties(address: KafkaAddress) -> dict[str, str]:
    """Returns the properties. The authorities' certificates are in them; the client's own key stays in its file, and a password
    of the environment there: each process of the cluster must have them. Raises BadInput for a file that can't be read."""
    properties = {"bootstrap.servers": address.bootstrap, "security.protocol": address.protocol}
    if address.tls is not None and address.tls.ca is not None:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _read(address.tls.ca)}
    if address.tls is not None and address.tls.certificate is not None:
        properties |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": address.tls.certificate}
    if address.user is not None:
        password = _quoted(address.password or "")
        if address.password_from is not None:
            password = f'"${{environment:{address.password_from}}}"'
            properties |= _environment_of(address.password_from)
        words = f"username={_quoted(address.user)} password={password}"
        properties |= {
            "sasl.mechanism": address.mechanism,
            "sasl.jaas.config": f"{_LOGIN_MODULES[address.mechanism]} required {words};",
        }
    return properties


def _environment_of(variable: str) -> dict[str, str]:
    """Returns the properties by which Kafka's clients look up this environment variable, and no other one."""
    provider = "config.providers.environment"
    return {
        "config.providers": "environment",
        f"{provider}.class": f"{_SHADED}.config.provider.EnvVarConfigProvider",
        f"{provider}.param.allowlist.pattern": variable,
    }


def table_options(options: Mapping[str, str]) -> str:
    """Returns options as the WITH clause of SQL has them.

    >>> table_options({"topic": "events", "properties.user": "O'Hara"})
    "'topic' = 'events', 'properties.user' = 'O''Hara'"
    """
    return ", ".join(f"{_sql(key)} = {_sql(value)}" for key, value in options.items())


def _sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, "a PEM file of authorities", f"{type(error).__name__}: {error}") from error
