"""What a running API holds; routes take it from the request."""

from dataclasses import dataclass

from fastapi import Request

from features.inputs.columns import ClickWeights
from online.http.access import Access
from online.http.load_shedding import Gate
from online.kafka.event_log import EventLog
from online.model_client.client import ModelClient
from online.model_client.live_models import ModelCatalogue
from online.monitoring.job_metrics import JobNumbers
from online.monitoring.monitor_client import WatchClient
from online.ranking.policy import Serving
from online.recommend.experiment_outcomes import ActedOn
from online.recommend.impression_log import ServedLog
from online.recommend.recommender import Recommender
from online.settings import ApiSettings
from online.stores.catalogue_search import Listing
from online.stores.item_store import ItemFollower, ItemStore
from online.stores.item_topic import NewItems
from online.stores.user_store import UserStore
from online.stores.user_updates import UserWatch
from online.support.home_clock import HomeClock
from online.support.reloadable_file import FollowedFile
from online.vectors import VectorShelf


@dataclass(frozen=True)
class Server:
    settings: ApiSettings
    clock: HomeClock
    log: EventLog
    served: ServedLog
    users: UserStore
    items: ItemStore
    listing: Listing
    new_items: NewItems
    follower: ItemFollower
    client: ModelClient
    models: ModelCatalogue
    vectors: VectorShelf
    recommender: Recommender
    weights: FollowedFile[ClickWeights]
    serving: FollowedFile[Serving]
    access: FollowedFile[Access]
    gate: Gate
    watched: UserWatch
    job: JobNumbers
    watch: WatchClient
    acted: ActedOn


async def server_of(request: Request) -> Server:
    """The server behind a request (a FastAPI dependency; FastAPI would run a plain function on another thread)."""
    server: Server = request.app.state.server
    return server


async def body_of(request: Request) -> bytes:
    """The body of a request as it came, whole: its size was bounded before (a FastAPI dependency)."""
    return await request.body()
