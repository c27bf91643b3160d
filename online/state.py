"""What a running API holds; routes take it from the request."""

from dataclasses import dataclass

from fastapi import Request

from online.clock import HomeClock
from online.items import ItemFollower, ItemStore
from online.job_numbers import JobNumbers
from online.log import EventLog
from online.ranking.catalogue import ModelCatalogue
from online.ranking.client import ModelClient
from online.recommend import Recommender
from online.served_log import ServedLog
from online.settings import ApiSettings, WeightsFile
from online.users import UserStore


@dataclass(frozen=True)
class Server:
    settings: ApiSettings
    clock: HomeClock
    log: EventLog
    served: ServedLog
    users: UserStore
    items: ItemStore
    follower: ItemFollower
    client: ModelClient
    models: ModelCatalogue
    recommender: Recommender
    weights: WeightsFile
    job: JobNumbers


def server_of(request: Request) -> Server:
    """The server behind a request (a FastAPI dependency)."""
    server: Server = request.app.state.server
    return server
