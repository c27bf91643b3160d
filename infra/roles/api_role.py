"""`./martlet api`: the API alone, in the foreground, by the settings of a home whose engines run already."""

from typing import Final

from infra.attached.examine import require_engines
from infra.home.access_file import ensure_access
from infra.home.paths import Home
from infra.roles.attached_home import attached_engines, record_with_base, require_plain_http, settings_naming
from infra.services.api_settings import api_settings
from online.serving import serve
from online.settings import ApiSettings

NEEDED: Final = ("kafka.bootstrap", "redis.url", "models.server")
"""Settings without which `up` starts an engine; one role alone starts none."""


def role_settings(home: Home, port: int) -> ApiSettings:
    """Returns the settings of an API that nobody supervises. Raises BadInput naming the setting of an engine that is not named,
    or for a home that has no base yet."""
    settings = settings_naming(home, NEEDED, "api")
    require_plain_http(settings)
    record = record_with_base(home)
    ensure_access(home)
    assert settings.models.server is not None
    engines = attached_engines(home, settings)
    return api_settings(home, record, settings, engines, port, settings.models.server, watch=settings.watch.address)


def run_api(home: Home, port: int) -> None:
    """Serve until a signal. Raises BadInput or Broken for what is wrong, Unavailable for a Kafka or a Redis that does not
    answer."""
    settings = role_settings(home, port)
    require_engines(home, settings.kafka, settings.redis)
    serve(settings, share=True)
