"""JSON answers by orjson; FastAPI has deprecated its own class for that."""

from typing import Any

import orjson
from starlette.responses import Response


class JsonResponse(Response):
    """Whatever orjson takes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)
