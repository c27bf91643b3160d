"""Small parts of the API: tokens, the clock, click weights, and the wire of the model server."""

import base64
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import AnyArray
from features.inputs.columns import ClickWeights
from features.types import MAX_ID
from online.http.seen_token import MAX_USERS, make_token, read_token
from online.model_client.predict_wire import decode_response, encode_request
from online.support.home_clock import HomeClock
from online.support.reloadable_file import ReloadableFile

ids = st.integers(0, MAX_ID)


@given(st.dictionaries(ids, ids, max_size=100))
def test_a_token_gives_back_what_it_was_made_of(offsets: dict[int, int]) -> None:
    token = make_token(offsets)
    assert token is not None
    assert read_token(token) == offsets


@given(st.text(max_size=60))
def test_any_other_text_is_refused_or_harmless(text: str) -> None:
    try:
        assert all(0 <= user <= MAX_ID and 0 <= n <= MAX_ID for user, n in read_token(text).items())
    except ValueError as error:
        assert "token" in str(error)


def test_a_token_for_too_many_users_is_none() -> None:
    assert make_token(dict.fromkeys(range(101), 1)) is None


class Wall:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def test_the_clock_goes_on_from_the_cut_and_is_never_behind_what_was_folded() -> None:
    wall = Wall(1_000_000)
    clock = HomeClock(cut=500, cut_since=1_000_000, horizon=9_000, wall=wall)
    assert clock.now() == 500
    wall.now += 250
    assert clock.now() == 750
    clock.observe(2_000)
    clock.observe(1_500)
    assert clock.now() == 2_000
    wall.now += 10_000
    assert clock.now() == 500 + 10_250
    assert clock.limit() == 10_750
    wall.now = 0  # wall time set back: the clock does not go below the cut
    assert clock.now() == 2_000


def test_without_a_data_set_the_clock_is_wall_time() -> None:
    clock = HomeClock(cut=0, cut_since=None, horizon=0, wall=Wall(77))
    clock.observe(10**15)
    assert (clock.now(), clock.limit()) == (77, 77)


def test_settings_follow_their_file_and_survive_a_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    file = ReloadableFile(str(path), msgspec.json.Decoder(ClickWeights).decode, ClickWeights())
    file.refresh()
    assert file.value.click == 0.3
    path.write_text('{"click": 0.7}')
    file.refresh()
    assert (file.value.click, file.value.positive) == (0.7, 1.0)
    path.write_text('{"click": "much"}')
    os.utime(path, ns=(1, 1))
    file.refresh()
    assert file.value.click == 0.7
    assert file.error is not None
    assert "click" in file.error


def test_requests_are_what_tensorflow_servings_own_messages_read() -> None:
    """Our small descriptors against the real ones (the API itself never loads these)."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    inputs: dict[str, AnyArray] = {
        "userId": np.array([6, 7], np.int64),
        "user": np.array([[0.5, -1], [2, 3]], np.float32),
    }
    request = predict_pb2.PredictRequest.FromString(encode_request("widedeep", 3, inputs))
    assert (request.model_spec.name, request.model_spec.version.value) == ("widedeep", 3)
    for name, array in inputs.items():
        np.testing.assert_array_equal(tf.make_ndarray(request.inputs[name]), array)
    response = predict_pb2.PredictResponse()
    response.outputs["score"].CopyFrom(tf.make_tensor_proto([[0.25], [0.75]], tf.float32))
    assert decode_response(response.SerializeToString()).tolist() == [0.25, 0.75]
    with pytest.raises(ValueError, match="one output"):
        decode_response(predict_pb2.PredictResponse().SerializeToString())


def forged(users: int) -> str:
    """A token that nobody gave out."""
    pairs = msgspec.msgpack.encode([(user, 1) for user in range(users)])
    return base64.urlsafe_b64encode(pairs).decode().rstrip("=")


def test_a_token_may_name_a_hundred_users_and_a_forged_one_no_more() -> None:
    assert make_token(dict.fromkeys(range(MAX_USERS), 1)) == forged(MAX_USERS)
    assert len(read_token(forged(MAX_USERS))) == MAX_USERS == 100
    with pytest.raises(ValueError, match="token"):
        read_token(forged(MAX_USERS + 1))
