"""Settings that are read again when their file changes."""

import os
from pathlib import Path

import msgspec

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
