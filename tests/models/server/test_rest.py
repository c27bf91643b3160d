"""The REST API over a real socket."""

import gzip
import json
import socket
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from models.server.buffered import MAX_REQUEST_BYTES
from models.server.rest_json.text import EXACT_BYTES
from models.server.testing import ServerProcess

pytestmark = pytest.mark.keras


@dataclass(frozen=True)
class Case:
    """A request and what comes back: all of the JSON, or a part of the error's text."""

    name: str
    path: str
    body: str | None
    status: int
    answer: Any = None
    error: str = ""
    method: str = "POST"


def predict(name: str, signature: str, body: str, answer: Any = None, error: str = "") -> Case:
    """A case on ``kinds``; ``body`` is what follows the signature's name."""
    text = f'{{"signature_name": "{signature}", {body}}}'
    return Case(name, "/v1/models/kinds:predict", text, 400 if error else 200, answer, error)


LINEAR = "/v1/models/linear"
X = '{"instances": [[1, 0]]}'
LONG = b"{" + b" " * EXACT_BYTES

CASES = [
    Case("latest", f"{LINEAR}:predict", X, 200, {"predictions": [{"half": 2.0, "score": 4.0}]}),
    Case("version", f"{LINEAR}/versions/1:predict", X, 200, {"predictions": [{"half": 1.5, "score": 3.0}]}),
    Case("label", f"{LINEAR}/labels/stable:predict", X, 200, {"predictions": [{"half": 1.5, "score": 3.0}]}),
    Case("columnar", f"{LINEAR}:predict", '{"inputs": [[1, 0]]}', 200, {"outputs": {"half": [2.0], "score": [4.0]}}),
    Case(
        "columnar by name",
        f"{LINEAR}:predict",
        '{"signature_name": "one", "inputs": {"x": [[1, 1], [0, 1]]}}',
        200,
        {"outputs": [7.0, 5.0]},
    ),
    Case("name in another case", "/V1/MODELS/linear:predict", X, 200, {"predictions": [{"half": 2.0, "score": 4.0}]}),
    Case("name escaped", "/v1/models/line%61r:predict", X, 200, {"predictions": [{"half": 2.0, "score": 4.0}]}),
    Case("after the document", f"{LINEAR}:predict", X + "]]", 200, {"predictions": [{"half": 2.0, "score": 4.0}]}),
    Case(
        "a key twice: the first",
        f"{LINEAR}:predict",
        '{"instances": [[1, 0]], "signature_name": "one", "instances": [[9, 9]], "signature_name": "nope"}',
        200,
        {"predictions": [4.0]},
    ),
    Case("no such version", f"{LINEAR}/versions/9:predict", X, 404, error="request: Specific(linear, 9)"),
    Case("no such model", "/v1/models/nope:predict", X, 404, error="request: Latest(nope)"),
    Case("no such label", f"{LINEAR}/labels/nope:predict", X, 400, error="Unrecognized servable version label: nope"),
    Case("bad JSON of no model", "/v1/models/nope:predict", "{", 400, error="JSON Parse error"),
    Case("version too large", f"{LINEAR}/versions/{2**63}:predict", X, 400, error="to numeric"),
    Case("version of many digits", f"{LINEAR}/versions/{'1' * 5000}", None, 400, error="to numeric", method="GET"),
    Case("query", f"{LINEAR}:predict?a=b", X, 400, {"error": f"Malformed request: POST {LINEAR}:predict?a=b"}),
    Case("verb", f"{LINEAR}:explain", X, 400, {"error": f"Malformed request: POST {LINEAR}:explain"}),
    Case("method", LINEAR, None, 400, {"error": f"Malformed request: DELETE {LINEAR}"}, method="DELETE"),
    Case("head", LINEAR, None, 400, method="HEAD"),
    Case("no name, but a version", f"/v1/models/versions/{2**63}", None, 400, error="to numeric", method="GET"),
    Case("no name", "/v1/models", None, 400, {"error": "Missing model name in request."}, method="GET"),
    Case("outside", "/v2/models", None, 404, error="/v2/models", method="GET"),
    Case(
        "mixed rows",
        "/v1/models/kinds:predict",
        '{"instances": [{"item": 1, "dense": [1, 2.5], "tag": "é"}, '
        '{"tag": {"b64": "Yg=="}, "item": 2, "dense": [0, 0]}]}',
        200,
        {
            "predictions": [
                {"next": 2, "sum": 3.5, "tag": "é", "tag_bytes": {"b64": "w6k="}},
                {"next": 3, "sum": 0.0, "tag": "b", "tag_bytes": {"b64": "Yg=="}},
            ]
        },
    ),
    predict(
        "float keeps its digits",
        "float32",
        '"instances": [0.1, 16777217, 1e-7]',
        {"predictions": [0.1, 16777216.0, 1e-7]},
    ),
    predict("double keeps its digits", "float64", '"instances": [0.1, 1e300, 3]', {"predictions": [0.1, 1e300, 3.0]}),
    predict(
        "int64 as numbers", "int64", f'"instances": [{2**63 - 1}, {-(2**63)}]', {"predictions": [2**63 - 1, -(2**63)]}
    ),
    predict("uint64", "uint64", f'"instances": [{2**64 - 1}, 0]', {"predictions": [2**64 - 1, 0]}),
    predict("uint8", "uint8", '"instances": [255]', {"predictions": [255]}),
    predict("bool", "bool", '"instances": [true, false]', {"predictions": [True, False]}),
    predict("string", "string", '"instances": ["a\\u0000b", {"b64": "Yg"}]', {"predictions": ["a\0b", "b"]}),
    predict("empty columns", "matrix", '"inputs": [[], []]', {"outputs": [[], []]}),
    predict("a string by columns", "string", '"inputs": "abc"', {"outputs": "abc"}),
    predict("bytes by columns", "string", '"inputs": {"b64": "YWJj"}', {"outputs": "abc"}),
    predict("a number by columns", "float32", '"inputs": 1.5', {"outputs": 1.5}),
    predict("scalar by columns", "total", '"inputs": [1, 2]', {"outputs": 3}),
    predict("scalar by rows", "total", '"instances": [1, 2]', error="Tensor name: total has no shape information "),
    predict(
        "fraction for int", "int32", '"instances": [1, 1.5]', error="1.5 Type: Number is not of expected type: int32"
    ),
    predict("2.0 for int", "int64", '"instances": [2.0]', error="2.0 Type: Number is not of expected type: int64"),
    predict("out of int32", "int32", f'"instances": [{2**31}]', error="is not of expected type: int32"),
    predict("out of uint8", "uint8", '"instances": [256]', error="is not of expected type: uint8"),
    predict("negative uint64", "uint64", '"instances": [-1]', error="is not of expected type: uint64"),
    predict(
        "true among floats", "float32", '"instances": [1, true]', error="Type: True is not of expected type: float"
    ),
    predict("number among bools", "bool", '"instances": [true, 1]', error="Type: Number is not of expected type: bool"),
    predict("text for float", "float32", '"instances": ["1.5"]', error="Type: String is not of expected type: float"),
    predict(
        "null", "float32", '"instances": [null]', error="JSON Value: null Type: Null is not of expected type: float"
    ),
    predict("ragged", "matrix", '"instances": [[1, 2], [3]]', error="Expecting tensor size: 2 but got: 1"),
    predict("bad base64", "string", '"instances": [{"b64": "*"}]', error="Unable to base64 decode"),
    predict("unknown signature", "nope", '"instances": [1]', error='"nope" not found in signature def'),
    predict("no instances", "int32", '"instances": []', error="No values in 'instances' array"),
    predict("neither", "int32", '"other": 1', error="Missing 'inputs' or 'instances' key"),
    Case(
        "missing key",
        "/v1/models/kinds:predict",
        '{"instances": [{"item": 1, "tag": "a"}]}',
        400,
        error="keys must be equal to: dense,item,tag",
    ),
    Case(
        "classify",
        f"{LINEAR}:classify",
        '{"signature_name": "classify", "examples": [{"f": [1.0, 0.0]}]}',
        200,
        {"results": [[["up", 4.0], ["down", -4.0]]]},
    ),
    Case(
        "regress in a context",
        f"{LINEAR}:regress",
        '{"signature_name": "regress", "context": {"f": [1.0, 0.0]}, "examples": [{}, {"f": [0.0, 1.0]}]}',
        200,
        {"results": [4.0, 5.0]},
    ),
    Case("classify without", f"{LINEAR}:classify", "{}", 400, error="key 'examples' is expected and was not found"),
    Case(
        "regress, wrong signature",
        f"{LINEAR}:regress",
        '{"examples": [{"f": [1.0, 0.0]}]}',
        400,
        error="Expected one output Tensor.",
    ),
    Case(
        "status of one version",
        f"{LINEAR}/versions/1",
        None,
        200,
        {
            "model_version_status": [
                {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
        method="GET",
    ),
    Case(
        "status of none",
        "/v1/models/nope",
        None,
        404,
        {"error": "Could not find any versions of model nope"},
        method="GET",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, server: ServerProcess) -> None:
    response = httpx.request(case.method, server.url + case.path, content=case.body, timeout=10)
    assert response.status_code == case.status, response.text
    assert response.headers["content-type"] == "application/json"
    if case.answer is not None:
        assert response.json() == case.answer
    if case.error:
        assert case.error in response.json()["error"]


def test_layout_of_an_answer(server: ServerProcess) -> None:
    response = httpx.post(f"{server.url}{LINEAR}:predict", content='{"instances": [[1, 0], [0, 1]]}', timeout=10)
    assert response.text == (
        '{\n    "predictions": [\n        {\n            "half": 2.0,\n            "score": 4.0\n        },\n'
        '        {\n            "half": 2.5,\n            "score": 5.0\n        }\n    ]\n}'
    )


def test_nan_and_infinity_go_both_ways(server: ServerProcess) -> None:
    body = '{"signature_name": "float32", "instances": [NaN, Infinity, -Infinity, 1e39]}'
    response = httpx.post(f"{server.url}/v1/models/kinds:predict", content=body, timeout=10)
    assert response.text == '{\n    "predictions": [NaN, Infinity, -Infinity, Infinity\n    ]\n}'


def test_metadata_describes_the_signatures(server: ServerProcess) -> None:
    answer = httpx.get(f"{server.url}{LINEAR}/metadata", timeout=10).json()
    assert answer["model_spec"] == {"name": "linear", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["one"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "2"]


def test_a_large_request_is_answered_like_a_small_one(server: ServerProcess) -> None:
    values = [[float(number), 0.5] for number in range(60_000)]
    body = json.dumps({"signature_name": "one", "instances": values})
    assert len(body) > 512 * 1024
    answer = httpx.post(f"{server.url}{LINEAR}:predict", content=body, timeout=30).json()
    assert answer["predictions"] == [2 * x + 3.5 for x, _ in values]


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=10) as client:
        client.sendall(
            f"POST {LINEAR}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_REQUEST_BYTES + 1}\r\n\r\n{{".encode()
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_over_the_limit_is_refused(server: ServerProcess) -> None:
    chunks = (b" " * 1_000_000 for _ in range(MAX_REQUEST_BYTES // 1_000_000 + 2))
    response = httpx.post(f"{server.url}{LINEAR}:predict", content=chunks, timeout=30)
    assert response.status_code == 413


def post_gzip(server: ServerProcess, body: bytes) -> httpx.Response:
    return httpx.post(f"{server.url}{LINEAR}:predict", content=body, headers={"Content-Encoding": "gzip"}, timeout=30)


def test_a_body_may_come_as_gzip(server: ServerProcess) -> None:
    whole = gzip.compress(X.encode())
    assert post_gzip(server, whole).json() == {"predictions": [{"half": 2.0, "score": 4.0}]}
    for broken in (whole[:-12], X.encode()):
        answer = post_gzip(server, broken)
        assert (answer.status_code, "not the gzip" in answer.text) == (400, True)
    assert "document is empty" in post_gzip(server, b"").text
    assert post_gzip(server, gzip.compress(b" " * (MAX_REQUEST_BYTES + 1))).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": ' + b"[" * 100_000,
        b'{"instances": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}",
        b'{"instances": ["\xff\xfe"]}',
        b'{"instances": [' + b"9" * 5000 + b"]}",
        b'{"instances": [1\x00]}',
        b'{"signature_name": "\\udc00\xff", "instances": [1]}',
        LONG + b'"signature_name": "\\udc00", "instances": [1]}',
        LONG + b'"signature_name": "\\ud83d", "instances": [1]}',
        LONG + b'"signature_name": "one", "instances": ["\\ud83d"]}',
        LONG + b'"signature_name": "one", "instances": ["\\udc00"]}',
    ],
    ids=[
        "unclosed",
        "deep",
        "not UTF-8",
        "endless number",
        "NUL",
        "surrogate",
        "low surrogate in a long body",
        "high surrogate in a long body",
        "high surrogate as a value",
        "low surrogate as a value",
    ],
)
def test_hostile_bodies_get_a_400(body: bytes, server: ServerProcess) -> None:
    response = httpx.post(f"{server.url}{LINEAR}:predict", content=body, timeout=10)
    assert response.status_code == 400
    assert len(response.content) < 10_000


def test_preflight_needs_an_origin(server: ServerProcess) -> None:
    allowed = httpx.options(f"{server.url}{LINEAR}:predict", headers={"Origin": "https://x"}, timeout=10)
    refused = httpx.options(f"{server.url}{LINEAR}:predict", timeout=10)
    assert (allowed.status_code, allowed.text, refused.status_code) == (200, "", 400)


def test_prometheus_page(server: ServerProcess) -> None:
    httpx.post(f"{server.url}{LINEAR}:predict", content=X, timeout=10)
    page = httpx.get(f"{server.url}/monitoring/prometheus/metrics", timeout=10).text
    assert ':tensorflow:serving:request_count{model_name="linear",status="OK"}' in page
    assert ':tensorflow:serving:request_latency_count{model_name="linear",API="predict",entrypoint="REST"}' in page
    assert 'martlet_model_version_available{model_name="linear",version="2"} 1' in page
    assert "nope" not in page
