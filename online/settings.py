"""What the API is told: one frozen object, written by infra as JSON and read by `python -m online`."""

from pathlib import Path

import msgspec

from features.inputs import ClickWeights


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    host, port          where the API listens
    bootstrap           Kafka, host:port
    redis_host, redis_port
    model_grpc          the model server's gRPC address, host:port
    models              the model base: <name>/<version>/ with a manifest beside each SavedModel
    base                folder of the base: catalogue, similar items, and what remains when Redis is gone
    generation          fence of the writes that a token waits for
    cut, cut_since      the home's clock stood at `cut` (ms, event time) when wall time was `cut_since` (ms);
                        None: the clock is wall time
    horizon             the latest event time of the data set, ms: replay may go there
    default_model       what ranks when no model is named
    click_weights       how kinds of click are blended (a JSON file of ClickWeights, read again when it changes), or None
    deadline_ms         bound of one recommendation
    seen_wait_ms        bound of a wait for a token
    """

    host: str = "127.0.0.1"
    port: int = 8000
    bootstrap: str
    redis_host: str = "127.0.0.1"
    redis_port: int
    model_grpc: str
    models: str
    base: str
    generation: int
    cut: int = 0
    cut_since: int | None = None
    horizon: int = 0
    default_model: str = "fusion"
    click_weights: str | None = None
    deadline_ms: int = 200
    seen_wait_ms: int = 200


def read_settings(path: Path) -> ApiSettings:
    """Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.json.decode(path.read_bytes(), type=ApiSettings)


class WeightsFile:
    """Click weights from a file that is read again when it changes; what is wrong in it leaves the last good ones."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._stamp: tuple[int, int] | None = None
        self.weights = ClickWeights()
        self.error: str | None = None

    def refresh(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._stamp = stamp
                self.weights = msgspec.json.decode(self._path.read_bytes(), type=ClickWeights)
                self.error = None
        except FileNotFoundError:
            self.weights, self._stamp = ClickWeights(), None
        except (OSError, msgspec.DecodeError) as error:
            self.error = f"{self._path}: {error}"
