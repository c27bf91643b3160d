"""What a running API holds; routes take it from the request."""

from dataclasses import dataclass

from fastapi import Request

from features.inputs import ClickWeights
from online.access import Access
from online.acted import ActedOn
from online.admission import Gate
from online.clock import HomeClock
from online.followed import FollowedFile
from online.items import ItemFollower, ItemStore
from online.job_numbers import JobNumbers
from online.listing import Listing
from online.log import EventLog
from online.model_client.client import ModelClient
from online.model_client.live_models import ModelCatalogue
from online.new_items import NewItems
from online.policy import Serving
from online.recommend import Recommender
from online.served_log import ServedLog
from online.settings import ApiSettings
from online.users import UserStore
from online.vectors import VectorShelf
from online.watch import WatchClient
from online.watched import UserWatch


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
