"""The application: builds the API's parts, starts and stops them in order, and mounts the routes."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from features.base.reader import Base
from features.engines.loopback import is_loopback
from features.errors import BadInput, Broken
from features.http_connections import RequestLimit
from features.inputs.columns import ClickWeights
from features.version import VERSION
from online.access.access import CLOSED, OPEN, Access, missing_key, read_access, read_keyed_access
from online.access.access_guard import AccessGuard
from online.access.api_keys import role_of
from online.access.origin_guard import OriginGuard
from online.access.rate_limits import RateLimits
from online.http import openapi, problems
from online.http.attribute_schemas import described
from online.http.body_limit import BodyLimit
from online.http.instrumentation import Instrumentation
from online.http.load_shedding import LoadGuard, LoadShedder, StreamSlots, WriteLimit, refuse_busy
from online.http.pages_mount import PagesMount
from online.http.repeated_parameters import refuse_repeated
from online.http.slashes import EncodedSlashes
from online.kafka.event_log import EventLog
from online.kafka.item_log import KafkaItemLog
from online.model_client.client import ModelClient
from online.model_client.live_models import LiveModels
from online.monitoring.job_metrics import JobMetrics
from online.monitoring.monitor_client import MonitorClient
from online.processes.catalogue_version import CatalogueVersions
from online.processes.catch_up import CatchUp
from online.processes.shared_metrics import SharedMetrics
from online.ranking.policy import NO_SERVING, Serving, read_serving
from online.recall.compile_recall import compile_recall
from online.recall.newest_weights import NewestWeights
from online.recommend.experiment_outcomes import ExperimentOutcomes
from online.recommend.hidden_by_policy import doubt_hidden
from online.recommend.impression_log import ImpressionLog
from online.recommend.interleaving_outcomes import InterleavingOutcomes
from online.recommend.list_json import ListPieces
from online.recommend.recommender import Recommender
from online.recommend.score_log import ScoreLog
from online.redis_client.redis_reader import RedisReader
from online.routes import events, health, item_writes, items, models, ops, recommendations, stream, users, vocabulary
from online.routes.hot_lists import HotLists
from online.server import Server
from online.settings import ApiSettings
from online.stores.catalogue_marks import CatalogueMarks
from online.stores.catalogue_search import CatalogueSearch
from online.stores.item_follower import ItemFollower
from online.stores.item_store import ItemStore
from online.stores.item_topic import ItemTopic
from online.stores.seen_waits import SeenWaits
from online.stores.user_store import UserStore
from online.stores.user_updates import UserUpdates
from online.support import metrics
from online.support.background import end, repeat
from online.support.certificate import Certificate
from online.support.home_clock import HomeClock
from online.support.reloadable_file import ReloadableFile
from online.vectors import VectorStore

PAGES = Path(__file__).with_name("pages")
REFRESH_EVERY = 0.5
logger = logging.getLogger(__name__)


def build_server(settings: ApiSettings, number: int = 1) -> Server:
    """Wire all parts; nothing is connected yet. number: of this process, from 1. Raises Broken if the base or the access file
    can't be read."""
    base = Base(Path(settings.base))
    compile_recall(base.schema)
    item_store = ItemStore(base)
    clock = HomeClock(settings.cut, settings.cut_since, settings.horizon)
    user_store = UserStore(settings.redis, settings.generation, base)
    client = ModelClient(settings.model_server)
    weights = ReloadableFile(settings.click_weights, msgspec.json.Decoder(ClickWeights).decode, ClickWeights())
    serving: ReloadableFile[Serving] = ReloadableFile(
        settings.serving, read_serving, NO_SERVING, doubt=lambda value: doubt_hidden(value, base.schema.items)
    )
    access = _access(settings)
    for file in (weights, serving, access):
        file.refresh()  # so that the first list already uses them
    if access.error is not None:  # fail closed: no readable access file, or none of the keys that are needed
        raise Broken(access.error)
    models_dir = Path(settings.models)
    shared = _path(settings.shared)
    live_models = LiveModels(models_dir, client, base.schema.digest, lambda: serving.value.in_process)
    item_log = KafkaItemLog(settings.kafka)
    marks = CatalogueMarks(item_log.kafka)
    vectors = VectorStore(settings.embeddings, models_dir, live_models, item_store, _path(settings.vectors))
    return Server(
        settings=settings,
        schema=base.schema,
        clock=clock,
        event_log=EventLog(settings.kafka, base.schema),
        impression_log=ImpressionLog(settings.kafka),
        users=user_store,
        seen_waits=SeenWaits(user_store, UserUpdates(settings.redis)),
        items=item_store,
        search=CatalogueSearch(item_store),
        item_log=item_log,
        marks=marks,
        item_topic=ItemTopic(
            item_log,
            item_store,
            marks.note,
            min(base.catalogue_versions.values()),
            CatalogueVersions(shared, number),
        ),
        follower=ItemFollower(item_store, settings.redis),
        client=client,
        models=live_models,
        vectors=vectors,
        item_weights=NewestWeights(base, item_store),
        recommender=Recommender(
            live_models, user_store, item_store, client, clock, weights, settings.deadline_ms / 1000, vectors
        ),
        weights=weights,
        serving=serving,
        access=access,
        limits=RateLimits(RedisReader(settings.redis), base.schema.ids.salt),
        shedder=LoadShedder(),
        streams=StreamSlots(),
        user_updates=UserUpdates(settings.redis),
        job_metrics=JobMetrics(settings.redis, settings.kafka.partitions, settings.generation),
        monitor=MonitorClient(settings.watch),
        outcomes=ExperimentOutcomes(
            base.schema,
            RedisReader(settings.redis),
            lambda: bool(serving.value.experiments),
        ),
        interleaved=InterleavingOutcomes(base.schema),
        scores=ScoreLog(settings.kafka),
        pieces=ListPieces(item_store),
        metrics=SharedMetrics(metrics.REGISTRY, shared, number),
        certificate=_certificate(settings),
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _access(settings: ApiSettings) -> ReloadableFile[Access]:
    """Who may call; not read yet. Where other machines reach the API, that is nobody without a key."""
    read, default = (read_access, OPEN) if is_loopback(settings.host) else (read_keyed_access, CLOSED)
    return ReloadableFile(settings.access, read, default, required=settings.access is not None, doubt=missing_key)


def _certificate(settings: ApiSettings) -> Certificate | None:
    if (settings.certificate is None) != (settings.key is None):
        raise BadInput("certificate, key", "both or neither", "one of them")
    if settings.certificate is None or settings.key is None:
        return None
    return Certificate(Path(settings.certificate), Path(settings.key))


async def _refresh(server: Server) -> None:
    """Move the clock on to the newest mark of replays, and reload changed settings files and certificates."""
    mark = await server.users.clock_mark()
    if mark is not None:
        server.clock.observe(mark)
    for file in server.reloaded:
        file.refresh()
        metrics.BAD_SETTINGS.labels(file.name).set(file.error is not None)
    metrics.ITEMS_FRESH.set(server.follower.fresh)
    metrics.CATALOGUE_CURRENT.set(server.item_topic.current)
    server.metrics.publish()


def make_app(settings: ApiSettings, number: int = 1) -> FastAPI:
    """The ASGI application of one API process. number: of this process, from 1."""
    server = build_server(settings, number)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await server.event_log.start()
        server.impression_log.start()
        server.outcomes.start()
        server.scores.start()
        await server.follower.start()
        server.item_log.start()
        server.marks.start()
        await server.item_topic.start()
        await server.client.start()
        await server.models.start()
        await server.vectors.start()
        await server.item_weights.start()
        refreshing = asyncio.create_task(
            repeat("refresh", lambda: _refresh(server), every=REFRESH_EVERY), name="refresh"
        )
        try:
            yield
        finally:
            await end(refreshing)
            for stop in (
                server.user_updates.stop,
                server.seen_waits.stop,
                server.item_weights.stop,
                server.vectors.stop,
                server.models.stop,
                server.item_topic.stop,
                server.marks.stop,
                server.item_log.stop,
                server.follower.stop,
                server.outcomes.stop,
                server.impression_log.stop,
                server.scores.stop,
                server.event_log.stop,
                server.client.close,
                server.users.close,
                server.limits.close,
                server.job_metrics.close,
                server.monitor.close,
            ):
                try:
                    await asyncio.wait_for(stop(), 5)
                except Exception:
                    logger.exception("while stopping")
            server.metrics.publish_now()

    app = FastAPI(
        title="Martlet",
        description="Lists that follow each click. Errors are problem details (RFC 9457).",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
    )
    app.state.server = server
    problems.install(app)
    parts = (events, recommendations, models, stream, items, item_writes, users, vocabulary, ops, health)
    routers = [part.router for part in parts]
    for router in routers:
        app.include_router(router, dependencies=[Depends(refuse_repeated)])
    openapi.install(app, routers, described(server.schema), role_of)

    app.add_middleware(HotLists)
    app.add_middleware(CatchUp, follower=server.item_topic)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(BodyLimit)
    app.add_middleware(LoadGuard, shedder=server.shedder)
    app.add_middleware(AccessGuard, access=server.access, limits=server.limits)
    app.add_middleware(OriginGuard, access=server.access, host=settings.host)
    app.add_middleware(WriteLimit)
    app.add_middleware(RequestLimit, refusal=refuse_busy, always=health.ALIVE)
    app.add_middleware(
        Instrumentation, image_hosts=lambda: server.access.value.image_hosts
    )  # added last, it runs first

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        """The API for people: a page that shows /openapi.json."""
        return FileResponse(PAGES / "docs.html")

    app.router.routes.append(PagesMount("/", StaticFiles(directory=PAGES, html=True), name="pages"))
    return app
