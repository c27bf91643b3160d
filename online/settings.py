"""Settings of the API: one frozen object, written by infra as JSON and read by `python -m online`."""

from pathlib import Path

import msgspec

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from online.support.log_lines import LogFormat


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    host, port          where the API listens
    certificate, key    PEM files by which it speaks TLS there, read again when they change; None: it speaks plain HTTP
    kafka, redis        where they are
    model_server        the model server's address: host:port for gRPC, http://host:port for REST
    models              the model base: <name>/<version>/ with a manifest beside each SavedModel
    embeddings          item vectors: <version>/<kind>/ (see `features.base.embedding_files`), polled for new versions; or None
    base                folder of the base: catalogue, similar items, and the features used while Redis is down
    generation          fence generation of the Redis writes that a `seen` token waits for
    cut, cut_since      the home's clock stood at `cut` (ms, event time) when wall time was `cut_since` (ms);
                        None: the clock is wall time
    horizon             the latest event time of the data set, ms: replay may go there
    default_model       the model that ranks where a request names none
    click_weights       how kinds of click are blended (a JSON file of ClickWeights, read again when it changes), or None
    serving             how lists are made and compared (a JSON file, see `online.ranking.policy`, read again when it
                        changes), or None
    shared              folder that the API's processes of this machine share, when there are several: their metrics, and how far
                        each has changed the catalogue; None: there is one
    vectors             folder in which the API's processes of this machine keep item vectors as they are searched, made once and
                        mapped by all (see `online.vectors.shared_sets`); None: each has them in its own memory
    access              who may call (a JSON file, see `online.access.access`, read again when it changes; it must be
                        there), or None
    watch               URL of the monitor; None where none runs
    control             folder through which the supervisor takes replay requests (see
                        `online.monitoring.replay_control`); None where there is no supervisor
    log                 form of the log: text, or json (see `online.support.log_lines`), in which each request is logged, too
    deadline_ms         time limit of one recommendation
    seen_wait_ms        time limit of the wait for a `seen` token
    """

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: str | None = None
    key: str | None = None
    kafka: KafkaAddress
    redis: RedisAddress
    model_server: str
    models: str
    base: str
    generation: int
    cut: int = 0
    cut_since: int | None = None
    horizon: int = 0
    default_model: str = "fusion"
    click_weights: str | None = None
    serving: str | None = None
    access: str | None = None
    embeddings: str | None = None
    shared: str | None = None
    vectors: str | None = None
    watch: str | None = None
    control: str | None = None
    log: LogFormat = "text"
    deadline_ms: int = 200
    seen_wait_ms: int = 200


def read_settings(path: Path) -> ApiSettings:
    """Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.json.decode(path.read_bytes(), type=ApiSettings)
