"""What is asked of services by HTTP, where none is there that speaks it."""

from http import HTTPStatus

import pytest

from features.errors import Unavailable
from infra.system import probes
from tests.strange_listeners import halting_server, mail_server


def test_who_speaks_another_protocol_is_unavailable() -> None:
    with mail_server() as address:
        with pytest.raises(Unavailable, match=r"BadStatusLine\(.*220 hello"):
            probes.http_json(f"{address}/overview")
        with pytest.raises(Unavailable, match=r"BadStatusLine\(.*220 hello"):
            probes.http_status(f"{address}/overview")


def test_who_stops_in_the_middle_of_an_error_is_unavailable() -> None:
    with halting_server() as address:
        with pytest.raises(Unavailable, match="timed out"):
            probes.http_json(f"{address}/overview", timeout=0.2)
        assert probes.http_status(f"{address}/overview", timeout=0.2) == HTTPStatus.INTERNAL_SERVER_ERROR
