"""Where the API's processes are, by the name of a host that has several addresses."""

import pytest

from features.errors import Unavailable
from infra.services.api import processes_at


def test_each_address_of_a_host_is_a_process() -> None:
    assert processes_at("http://127.0.0.1:8000") == ["http://127.0.0.1:8000"]
    assert "http://127.0.0.1:8000" in processes_at("http://localhost:8000")


def test_a_host_that_nobody_knows_is_named() -> None:
    with pytest.raises(Unavailable, match=r"http://nobody\.invalid:8000: "):
        processes_at("http://nobody.invalid:8000")
