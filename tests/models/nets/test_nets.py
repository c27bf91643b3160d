"""Finding nets, and the parts that they share."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.errors import BadInput, Broken
from models import nets
from models.nets.parts.net import Net, NetContext


def test_the_names_are_the_files() -> None:
    assert {"neuralcf", "widedeep"} <= set(nets.names())
    assert "parts" not in nets.names()


def test_naming_them_imports_no_tensorflow() -> None:
    code = "import sys; from models import nets; nets.names(); assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_told_which_there_are() -> None:
    with pytest.raises(BadInput, match=r"expected one of .*neuralcf.*, got 'neurlcf'"):
        nets.find("neurlcf")


def test_a_new_file_is_a_new_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brandnew.py").write_text(
        "from models.nets.parts.net import Net\nNET = Net('brandnew', ('userId',), lambda context: None)\n"
    )
    (tmp_path / "empty.py").write_text("")
    monkeypatch.setattr(nets, "__path__", [*nets.__path__, str(tmp_path)])
    assert nets.find("brandnew").inputs == ("userId",)
    with pytest.raises(Broken, match=r"must define NET, a Net named 'empty'"):
        nets.find("empty")
    del sys.modules["models.nets.brandnew"], sys.modules["models.nets.empty"]


def test_an_input_that_nobody_makes_is_refused() -> None:
    with pytest.raises(BadInput, match="'mood'"):
        Net("x", ("userId", "mood"), lambda context: None)


@pytest.mark.parametrize("ids", [[], [3, 2], [2, 2], [-1, 2]])
def test_a_vocabulary_must_ascend_from_0(ids: list[int]) -> None:
    with pytest.raises(BadInput, match="user_ids"):
        NetContext(np.array(ids, np.int64), np.array([1]), {})


def test_the_index_of_an_id_is_its_place_from_1() -> None:
    from models.nets.parts.id_layers import IdIndex

    index = IdIndex(np.array([2, 5, 2**63 - 1]), "index")
    assert index(np.array([2, 5, 2**63 - 1, 0, 3, 6, -1])).numpy().tolist() == [1, 2, 3, 0, 0, 0, 0]
    assert index.trainable_variables == []
