"""What is asked of services by HTTP, where none is there that speaks it."""

import pytest

from features.errors import Unavailable
from infra.system import probes
from tests.strange_listeners import mail_server


def test_who_speaks_another_protocol_is_unavailable() -> None:
    with mail_server() as address:
        with pytest.raises(Unavailable, match=r"BadStatusLine\(.*220 hello"):
            probes.http_json(f"{address}/overview")
        with pytest.raises(Unavailable, match=r"BadStatusLine\(.*220 hello"):
            probes.http_status(f"{address}/overview")
