"""Settings of the API's processes, by the settings of a home and what it has: of `up`, and of `./martlet api`."""

from pathlib import Path
from typing import Any

from features.engines.loopback import LOOPBACK, is_loopback
from features.engines.shared_engines import Engines
from features.errors import BadInput
from infra.home.access_file import read_home_access
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.addresses import file_in
from infra.settings.table import Api, Settings
from online.settings import ApiSettings
from online.support.certificate import Certificate


def check_exposure(home: Home, api: Api) -> None:
    """Raise BadInput for an API that would be open to other machines without a key, or whose certificate won't do."""
    is_home = home.record_file.exists() or home.access_file.exists()
    if not is_loopback(api.host) and not (is_home and read_home_access(home).keys):
        raise BadInput(
            "api.host", f"{LOOPBACK}, or keys in access.json (./martlet keys add NAME --role read)", api.host
        )
    certificate, key = file_in(home, api.certificate), file_in(home, api.key)
    if certificate is not None and key is not None:
        Certificate(Path(certificate), Path(key))


def api_settings(
    home: Home, record: HomeRecord, settings: Settings, engines: Engines, port: int, model_server: str, **more: Any
) -> ApiSettings:
    """Returns the settings; `more`: those that depend on who starts the API. Raises BadInput as `check_exposure` does, Broken if
    the home has no base yet."""
    check_exposure(home, settings.api)
    base = record.base()
    return ApiSettings(
        host=settings.api.host,
        port=port,
        certificate=file_in(home, settings.api.certificate),
        key=file_in(home, settings.api.key),
        kafka=engines.kafka,
        redis=engines.redis,
        model_server=model_server,
        models=str(home.models),
        base=str(base.folder),
        generation=record.generation,
        cut=base.clock_start,
        cut_since=record.clock_since,
        horizon=base.horizon,
        click_weights=str(home.path / "click_weights.json"),
        serving=str(home.path / "serving.json"),
        access=str(home.access_file),
        embeddings=str(home.embeddings),
        log=settings.log.format,
        **more,
    )
