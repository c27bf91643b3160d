"""Settings that are read again when their file changes."""

import os
from pathlib import Path

import msgspec

from features.errors import BadInput
from features.inputs.columns import ClickWeights
from online.support.reloadable_file import ReloadableFile


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


def test_what_is_doubtful_is_in_use_and_told(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"

    def doubt(weights: ClickWeights) -> BadInput | None:
        return BadInput("click", "more than 0", "0") if weights.click == 0 else None

    file = ReloadableFile(str(path), msgspec.json.Decoder(ClickWeights).decode, ClickWeights(), doubt=doubt)
    path.write_text('{"click": 0}')
    file.refresh()
    assert (file.value.click, file.error) == (0, f"{path}: click: expected more than 0, got 0")
    path.write_text('{"click": 0.25}')
    file.refresh()
    assert (file.value.click, file.error) == (0.25, None)
