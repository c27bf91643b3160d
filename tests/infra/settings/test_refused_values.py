"""What is shown of a value that is refused: all of a plain one, and of an address in which a password may be its scheme."""

from pathlib import Path

import pytest

from features.errors import BadInput
from infra.home.paths import Home
from infra.settings.reading import read_settings


def refusal_of(folder: Path, variable: str, value: str) -> str:
    with pytest.raises(BadInput) as refused:
        read_settings(Home(folder), {f"MARTLET_{variable}": value}, {})
    return str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("REDIS_URL", "redis://me:swordfish@cache:6379/0", "redis://…"),
        ("REDIS_URL", "redis://me:sword/fish@cache:6379/0", "redis://…"),
        ("REDIS_URL", "redis://:sword@fish@cache:6379/0", "redis://…"),
        ("REDIS_URL", "redis://me:p@ss:swordfish", "redis://…"),
        ("REDIS_URL", "redis://:swordfish", "redis://…"),
        ("REDIS_URL", "redis://:12345", "redis://…"),
        ("REDIS_URL", "redis://default:swordfish", "redis://…"),
        ("REDIS_URL", "rediss://me:swordfish:6379", "rediss://…"),
        ("REDIS_URL", "redis://cache:6379?password=swordfish", "redis://…"),
        ("REDIS_URL", "redis://cache/swordfish@", "redis://…"),
        ("REDIS_URL", "cache,password=swordfish", "…"),
        ("KAFKA_BOOTSTRAP", "me:swordfish@kafka:9092", "…"),
        ("KAFKA_BOOTSTRAP", "kafka:9092,me:swordfish@other:9092", "…"),
        ("KAFKA_BOOTSTRAP", "me:swordfish", "…"),
        ("S3_ENDPOINT", "https://AKIA:sword/fish@minio:9000", "https://…"),
        ("MODELS_STORE", "s3://AKIA:swordfish/bucket", "s3://…"),
        ("FLINK_CHECKPOINTS", "s3://AKIA:swordfish@bucket", "s3://…"),
    ],
)
def test_a_password_in_an_address_is_not_shown(tmp_path: Path, variable: str, value: str, shown: str) -> None:
    said = refusal_of(tmp_path, variable, value)
    assert said.startswith(f"MARTLET_{variable}, {variable.lower().replace('_', '.', 1)}: expected ")
    assert said.endswith(f"got {shown!r}")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "http://cache:6379"),
        ("REDIS_URL", "redis://cache:6379/first"),
        ("KAFKA_BOOTSTRAP", "kafka"),
        ("KAFKA_BOOTSTRAP", "kafka:9092, other:9092"),
        ("KAFKA_BOOTSTRAP", "[::1]"),
        ("FLINK_ADDRESS", "http://first:8081/,http://second:8081"),
        ("MODELS_STORE", "s3://Shop/models"),
        ("MODELS_STORE", "models/of shop"),
        ("SPARK_MASTER", "local[x]"),
        ("KAFKA_TOPIC_PREFIX", "shop!"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_plain_value_is_shown(tmp_path: Path, variable: str, value: str) -> None:
    assert refusal_of(tmp_path, variable, value).endswith(f"got {value!r}")


def test_a_password_in_the_place_of_a_section_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "martlet.toml").write_text('redis = "redis://me:swordfish@cache:6379"\n')
    with pytest.raises(BadInput, match=r"redis: expected a table \[redis\], got 'redis://…'$"):
        read_settings(Home(tmp_path), {}, {})
