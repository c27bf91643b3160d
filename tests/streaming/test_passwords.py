"""Passwords of Kafka and Redis: the job of our own Flink takes them along, an attached one finds them in its environment."""

from pathlib import Path

import msgspec
import pytest

from features.engines.kafka_address import KafkaAddress
from features.engines.passwords import KAFKA_VARIABLE, REDIS_VARIABLE, password_of
from features.engines.redis_address import RedisAddress
from features.errors import BadInput
from infra.settings.table import SECRET_VARIABLES
from streaming.kafka_properties import kafka_properties
from tests.streaming.crashes import settings_of

KAFKA = KafkaAddress("kafka:9092", "shop.", user="me", password='of "Kafka')
REDIS = RedisAddress("cache", 6379, 2, user="me", password="of Redis")


def test_variables_are_those_of_the_settings() -> None:
    assert {KAFKA_VARIABLE, REDIS_VARIABLE} < SECRET_VARIABLES


def test_an_attached_cluster_is_told_no_password(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings_of(tmp_path, 1), kafka=KAFKA, redis=REDIS)
    assert settings.to_submit() == settings
    attached = msgspec.structs.replace(settings, passwords=False).to_submit()
    told = f"{msgspec.json.encode(attached).decode()} {kafka_properties(attached.kafka)}"
    assert "of Redis" not in told
    assert "Kafka" not in told.replace("kafka", "")
    assert attached.redis.at(("other", 1)).password_from == REDIS_VARIABLE


def test_passwords_are_found_where_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka, redis = KAFKA.without_password(), REDIS.without_password()
    monkeypatch.delenv(KAFKA_VARIABLE, raising=False)
    monkeypatch.setenv(REDIS_VARIABLE, "")  # as compose hands on a variable that is not there
    with pytest.raises(BadInput, match="MARTLET_KAFKA_PASSWORD: expected a password in the environment"):
        kafka.client_options()
    for use in (redis.greeting, redis.client_options):
        with pytest.raises(BadInput, match="MARTLET_REDIS_PASSWORD: expected a password in the environment"):
            use()
    monkeypatch.setenv(KAFKA_VARIABLE, "there")
    monkeypatch.setenv(REDIS_VARIABLE, "there, too")
    assert kafka.client_options()["sasl_plain_password"] == "there"
    assert redis.client_options()["password"] == "there, too"
    assert redis.greeting() == [("AUTH", "me", "there, too"), ("SELECT", "2")]


def test_kafkas_clients_look_up_this_variable_alone() -> None:
    properties = kafka_properties(KAFKA.without_password())
    assert 'password="${environment:MARTLET_KAFKA_PASSWORD}";' in properties["sasl.jaas.config"]
    assert properties["config.providers"] == "environment"
    assert properties["config.providers.environment.param.allowlist.pattern"] == KAFKA_VARIABLE
    assert "config.providers" not in kafka_properties(KAFKA)


def test_who_needs_no_password_is_told_of_none() -> None:
    plain = KafkaAddress("kafka:9092"), RedisAddress("cache", 6379)
    assert tuple(each.without_password() for each in plain) == plain
    assert password_of(None, None) is None
