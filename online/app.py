"""Puts the API together: what it needs, started and stopped in order, and its routes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from features.base import Base
from online import metrics, problems
from online.clock import HomeClock
from online.items import ItemFollower, ItemStore
from online.job_numbers import JobNumbers
from online.limits import BodyLimit
from online.log import EventLog
from online.ranking.catalogue import ModelCatalogue
from online.ranking.client import ModelClient
from online.recommend import Recommender
from online.routes import catalogue, events, health, recommendations
from online.served_log import ServedLog
from online.settings import ApiSettings, WeightsFile
from online.state import Server
from online.users import UserStore

PAGES = Path(__file__).with_name("pages")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

logger = logging.getLogger(__name__)


def build_server(settings: ApiSettings) -> Server:
    """Wire everything; nothing is connected yet. Raises Broken if the base can't be read."""
    base = Base(Path(settings.base))
    items = ItemStore(base)
    clock = HomeClock(settings.cut, settings.cut_since, settings.horizon)
    users = UserStore(settings.redis_host, settings.redis_port, settings.generation, base)
    client = ModelClient(settings.model_grpc)
    weights = WeightsFile(settings.click_weights)
    models = ModelCatalogue(Path(settings.models), client)
    return Server(
        settings=settings,
        clock=clock,
        log=EventLog(settings.bootstrap),
        served=ServedLog(settings.bootstrap),
        users=users,
        items=items,
        follower=ItemFollower(items, settings.redis_host, settings.redis_port),
        client=client,
        models=models,
        recommender=Recommender(models, users, items, client, clock, weights, settings.deadline_ms / 1000),
        weights=weights,
        job=JobNumbers(settings.redis_host, settings.redis_port, settings.generation),
    )


async def _each_second(server: Server) -> None:
    """The clock follows the newest event folded; the weights follow their file."""
    while True:
        newest = await server.users.newest_event()
        if newest is not None:
            server.clock.saw(newest)
        server.weights.refresh()
        metrics.ITEMS_FRESH.set(server.follower.fresh)
        await asyncio.sleep(0.5)


def make_app(settings: ApiSettings) -> FastAPI:
    """The ASGI application of one API process."""
    server = build_server(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await server.log.start()
        server.served.start()
        await server.follower.start()
        await server.client.start()
        await server.models.start()
        chores = asyncio.create_task(_each_second(server), name="each-second")
        try:
            yield
        finally:
            chores.cancel()
            for stop in (
                server.models.stop,
                server.follower.stop,
                server.served.stop,
                server.log.stop,
                server.client.close,
                server.users.close,
                server.job.close,
            ):
                try:
                    await asyncio.wait_for(stop(), 5)
                except Exception:
                    logger.exception("while stopping")

    app = FastAPI(
        title="Martlet", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json", lifespan=lifespan
    )
    app.state.server = server
    problems.install(app)
    for part in (events, recommendations, catalogue, health):
        app.include_router(part.router)

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "pages")
        metrics.REQUESTS.labels(route, str(response.status_code)).inc()
        metrics.SECONDS.labels(route).observe(time.perf_counter() - began)
        if not request.url.path.startswith(("/v1/", "/openapi")):
            response.headers["Cache-Control"] = "no-cache"  # asked again each time; unchanged files are a 304
            response.headers["Content-Security-Policy"] = CSP
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.add_middleware(BodyLimit)
    app.mount("/", StaticFiles(directory=PAGES, html=True), name="pages")
    return app
