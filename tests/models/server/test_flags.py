"""The command line: what it takes, and one line about what it does not."""

from pathlib import Path

import pytest

from models.server import flags
from models.server.__main__ import main
from models.server.errors import ServingError
from models.server.url_routes import Route, is_api, parse


def test_both_ways_to_write_a_flag() -> None:
    given = flags.parse(
        ["--model_config_file=/f", "--port", "9000", "--rest_api_port=9001", "--enable_model_warmup=false"]
    )
    assert (given.model_config_file, given.grpc_port, given.rest_port) == (Path("/f"), 9000, 9001)
    assert (given.warm_up, given.any_label, given.host) == (False, True, "127.0.0.1")
    assert (given.versions_poll_seconds, given.config_poll_seconds) == (1.0, 0.0)


def test_a_command_line_of_the_real_server() -> None:
    given = flags.parse(
        ["--model_name=m", "--model_base_path=/m", "--rest_api_port=8501", "--enable_batching", "--num_load_threads=4"]
    )
    assert (given.model_name, given.model_base_path, given.grpc_port) == ("m", "/m", 8500)
    assert given.without_effect == ("enable_batching", "num_load_threads")


def test_what_images_and_charts_pass() -> None:
    given = flags.parse(
        [
            *("--port=8500", "--rest_api_port=8501", "--model_config_file=/f", "--monitoring_config_file=/g"),
            *("--enable_batching=true", "--batching_parameters_file=/b", "--grpc_channel_arguments=grpc.max=1"),
            *("--per_process_gpu_memory_fraction=0.5", "--num_request_iterations_for_warmup=2"),
            "--rest_api_enable_cors_support",
        ]
    )
    assert given.monitoring_config_file == Path("/g")
    assert given.cors
    assert len(given.without_effect) == 5


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "expected --model_config_file or --model_base_path, got neither"),
        (["--model_base_path=/m", "--port=0"], "--port and --rest_api_port are both 0"),
        (["--model_base_path=/m", "--port=1", "--rest_api_port=1"], "must differ"),
        (["--model_base_path=/m", "--port=70000"], "expected a port from 0 to 65535, got '70000'"),
        (["--model_base_path=/m", "--file_system_poll_wait_seconds=-1"], "expected a number from 0, got '-1'"),
        (["--model_base_path=/m", "--enable_model_warmup=maybe"], "expected true or false, got 'maybe'"),
        (["--model_base_path=/m", "--ssl_config_file=x"], "unrecognized arguments: --ssl_config_file=x"),
        (["--model_base=/m"], "unrecognized arguments"),
    ],
)
def test_a_bad_command_line_is_one_line_and_a_code(
    argv: list[str], complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    printed = capfd.readouterr().err
    assert printed.startswith("model-server: error: ")
    assert complaint in printed
    assert printed.count("\n") == 1


def test_help_names_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--model_config_file_poll_wait_seconds" in capsys.readouterr().out


def test_routes() -> None:
    assert parse("POST", "/v1/models/a:predict") == Route("predict", "a", None, None)
    assert parse("POST", "/v1/models/a%2Fb/labels/x%20y:classify") == Route("classify", "a/b", None, "x y")
    assert parse("GET", "/v1/models/a/versions/007/metadata") == Route("metadata", "a", 7, None)
    assert parse("GET", f"/v1/models/a/versions/{'0' * 5000}7") == Route("status", "a", 7, None)
    assert parse("GET", "/V1/models/a") == Route("status", "a", None, None)
    assert is_api("/V1/anything?at=all")
    assert not is_api("/v1")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/a:predict"),
        ("POST", "/v1/models/a"),
        ("POST", "/v1/models/a:PREDICT"),
        ("POST", "/v1/models/a/versions/x:predict"),
        ("POST", "/v1/models/a/versions/1/labels/x:predict"),
        ("POST", "/v1/models/:predict"),
        ("PATCH", "/v1/models/a:predict"),
    ],
)
def test_what_is_no_route(method: str, path: str) -> None:
    with pytest.raises(ServingError, match=f"Malformed request: {method} {path}"):
        parse(method, path)
