"""Where in the API's addresses its operations lie."""

from typing import Final

API: Final = "/v1/"
