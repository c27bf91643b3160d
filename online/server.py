"""The parts of a running API; routes take them from the request."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from features.inputs.columns import ClickWeights
from features.schema.tables import Schema
from online.access.access import Access
from online.access.rate_limits import RateLimits
from online.http.load_shedding import LoadShedder, StreamSlots
from online.kafka.event_log import EventLog
from online.kafka.item_log import KafkaItemLog
from online.model_client.client import ModelClient
from online.model_client.live_models import LiveModels
from online.monitoring.job_metrics import JobMetrics
from online.monitoring.monitor_client import MonitorClient
from online.processes.shared_metrics import SharedMetrics
from online.ranking.policy import Serving
from online.recall.newest_weights import NewestWeights
from online.recommend.experiment_outcomes import ExperimentOutcomes
from online.recommend.impression_log import ImpressionLog
from online.recommend.interleaving_outcomes import InterleavingOutcomes
from online.recommend.list_json import ListPieces
from online.recommend.recommender import Recommender
from online.recommend.score_log import ScoreLog
from online.settings import ApiSettings
from online.stores.catalogue_marks import CatalogueMarks
from online.stores.catalogue_search import CatalogueSearch
from online.stores.item_follower import ItemFollower
from online.stores.item_store import ItemStore
from online.stores.item_topic import ItemTopic
from online.stores.seen_waits import SeenWaits
from online.stores.user_store import UserStore
from online.stores.user_updates import UserUpdates
from online.support.certificate import Certificate
from online.support.home_clock import HomeClock
from online.support.reloadable_file import ReloadableFile
from online.vectors import VectorStore


@dataclass(frozen=True)
class Server:
    """The parts of one API process. metrics: over all processes of this machine. certificate: None
    without TLS."""

    settings: ApiSettings
    schema: Schema
    clock: HomeClock
    event_log: EventLog
    impression_log: ImpressionLog
    users: UserStore
    seen_waits: SeenWaits
    items: ItemStore
    search: CatalogueSearch
    item_log: KafkaItemLog
    marks: CatalogueMarks
    item_topic: ItemTopic
    follower: ItemFollower
    client: ModelClient
    models: LiveModels
    vectors: VectorStore
    item_weights: NewestWeights
    recommender: Recommender
    weights: ReloadableFile[ClickWeights]
    serving: ReloadableFile[Serving]
    access: ReloadableFile[Access]
    limits: RateLimits
    shedder: LoadShedder
    streams: StreamSlots
    user_updates: UserUpdates
    job_metrics: JobMetrics
    monitor: MonitorClient
    outcomes: ExperimentOutcomes
    interleaved: InterleavingOutcomes
    scores: ScoreLog
    pieces: ListPieces
    metrics: SharedMetrics
    certificate: Certificate | None

    @property
    def reloaded(self) -> "list[ReloadableFile[Any] | Certificate]":
        """The files that are read again when they change."""
        files: list[ReloadableFile[Any] | Certificate] = [self.weights, self.serving, self.access]
        return files if self.certificate is None else [*files, self.certificate]

    @property
    def items_followed(self) -> bool:
        """Whether items are followed live: their features and the catalogue."""
        return self.follower.fresh and self.item_topic.current


async def server_of(request: Request) -> Server:
    """The server of a request. A FastAPI dependency; async, since FastAPI runs a plain function on another thread."""
    server: Server = request.app.state.server
    return server


async def body_of(request: Request) -> bytes:
    """The whole body of a request; `BodyLimit` has limited its size. A FastAPI dependency."""
    return await request.body()
