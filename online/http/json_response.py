"""JSON answers, encoded by msgspec: the same types make the answers and describe them in /openapi.json."""

from typing import Any

import msgspec
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


class JsonResponse(Response):
    """A JSON response of a struct, or of any other value that msgspec encodes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return _encoder.encode(content)
