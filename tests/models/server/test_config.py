"""The model config: what is read, what is refused, and how it says so."""

from pathlib import Path

import pytest

from models.server.config import ModelConfig, check_change, read_file, single_model
from models.server.errors import Code, ServingError
from models.server.version_policy import All, Latest, Specific

GOOD = """
# two names over one base path
model_config_list {
  config { name: "a" base_path: "/m/x" model_platform: "tensorflow" }
  config {
    name: "b"
    base_path: "/m/x"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
    version_labels { key: "stable" value: 7 }
  }
  config { name: "c" base_path: "/m/c" model_platform: "tensorflow" model_version_policy { all {} } }
  config {
    name: "d"
    base_path: "/m/d"
    model_type: TENSORFLOW
    model_version_policy { specific { versions: 1 versions: 3 } }
  }
}
"""


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(GOOD)
    assert read_file(file) == {
        "a": ModelConfig("a", Path("/m/x"), Latest(1)),
        "b": ModelConfig("b", Path("/m/x"), Latest(2), {"stable": 7}),
        "c": ModelConfig("c", Path("/m/c"), All()),
        "d": ModelConfig("d", Path("/m/d"), Specific(frozenset({1, 3}))),
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("model_config_list { config { nam: 1 } }", "is no ModelServerConfig: 1:30"),
        ("", "expected a model_config_list"),
        ('model_config_list { config { base_path: "/m" model_platform: "tensorflow" } }', "has no name"),
        ('model_config_list { config { name: "a" base_path: "m" model_platform: "tensorflow" } }', "absolute path"),
        ('model_config_list { config { name: "a" base_path: "/m" } }', 'expected model_platform: "tensorflow", got ""'),
        ('model_config_list { config { name: "a" base_path: "/m" model_platform: "onnx" } }', 'got "onnx"'),
        ('model_config_list { config { name: "a" base_path: "/m" model_type: 99 } }', 'got "" and model_type 99'),
        (GOOD.replace('"b"', '"a"'), "Illegal to list model a multiple times"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_with_a_file(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(ServingError) as caught:
        read_file(file)
    assert complaint in caught.value.message
    assert str(file) in caught.value.message
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="No such file"):
        read_file(tmp_path / "none")


def test_one_model_by_flags() -> None:
    assert single_model("a", "/m/x") == {"a": ModelConfig("a", Path("/m/x"), Latest(1))}
    with pytest.raises(ServingError, match="absolute path"):
        single_model("a", "m/x")


def test_labels_that_may_not_move() -> None:
    def labelled(version: int) -> dict[str, ModelConfig]:
        return {"a": ModelConfig("a", Path("/m"), All(), {"stable": version})}

    check_change({}, labelled(1), {}, any_label=True)
    check_change(labelled(1), labelled(2), {"a": frozenset({2})}, any_label=False)
    with pytest.raises(ServingError, match="label to version 1 of model a, which is not currently available"):
        check_change({}, labelled(1), {}, any_label=False)
    with pytest.raises(ServingError) as caught:
        check_change(labelled(1), labelled(2), {"a": frozenset({1})}, any_label=True)
    assert caught.value.code is Code.FAILED_PRECONDITION
