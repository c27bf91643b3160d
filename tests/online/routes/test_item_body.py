"""Valid and invalid bodies of PUT /v1/items/{id}."""

import pytest

from features.contracts.items import ITEM_LIMIT
from online.http.problems import Problem
from online.routes.items import ItemBody, read_item_body

BODY = b'{"title":"Heat","genres":["Crime"],"year":1995}'


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_refused() -> None:
    fits = BODY + b" " * (ITEM_LIMIT - len(BODY))
    assert read_item_body(fits) == ItemBody("Heat", ("Crime",), 1995)
    with pytest.raises(Problem, match=f"at most {ITEM_LIMIT} bytes, got {ITEM_LIMIT + 1}") as refused:
        read_item_body(fits + b" ")
    assert refused.value.status == 413


@pytest.mark.parametrize("body", [b"", b"[]", b'{"title":""}', b'{"title":"x","poster":1}', b'{"title":"x","year":1}'])
def test_what_is_no_item_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_item_body(body)
    assert refused.value.status == 422
