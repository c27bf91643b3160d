"""docs/configuration.md names every key of the settings files, every option of `up`, and shows files that the code takes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines
from features.engines.tls import Tls
from features.inputs.columns import ClickWeights
from infra.cli.main import app
from infra.home.paths import Home
from infra.home.record_file import Settings
from infra.home.timings import Timings
from infra.services.kafka_topics import REQUIRED_CONFIGS
from infra.services.kafka_topics import documented_rows as documented_topics
from infra.settings.reading import read_settings
from infra.settings.table import FIELDS, documented_rows
from infra.system.repository import REPO
from online.access.access import Access, StoredKey
from online.access.rate_limits import Limit
from online.ranking.policy import Arm, Experiment, Hide, Policy, ServingFile, read_serving
from online.settings import ApiSettings
from streaming.settings import JobSettings

PAGE = (REPO / "docs" / "configuration.md").read_text(encoding="utf-8")
FILES: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "serving.json": (ServingFile, Experiment, Arm, Policy, Hide),
    "access.json": (Access, StoredKey, Limit),
    "click_weights.json": (ClickWeights,),
    "run/times.json": (Timings,),
    "home.json": (Settings,),
    "run/engines.json": (Engines, KafkaAddress, RedisAddress, Tls),
    "run/api.json": (ApiSettings,),
    "flink/job.json": (JobSettings,),
}
"""Heading on the page → the types of the file and of what lies in it, the file's own first."""
KEYS = [(file, field.name) for file, kinds in FILES.items() for kind in kinds for field in msgspec.structs.fields(kind)]
UP: Any = typer.main.get_command(app)


def section(heading: str) -> str:
    """The text under a heading of the third level."""
    (found,) = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def example(heading: str) -> bytes:
    """The commented example of a section, without its comments."""
    (block,) = re.findall(r"^```jsonc\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)
    return re.sub(r"\s//.*$", "", block, flags=re.MULTILINE).encode()


def rows(text: str) -> list[list[str]]:
    """Cells of the lines of all tables."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]


@pytest.mark.parametrize(("file", "key"), KEYS)
def test_a_key_is_in_the_first_column_of_its_file(file: str, key: str) -> None:
    assert any(f"`{key}`" in cells[0] for cells in rows(section(file)))


@pytest.mark.parametrize("option", [option for each in UP.commands["up"].params for option in each.opts])
def test_an_option_of_up_has_a_row(option: str) -> None:
    assert [f"`{option}`"] in [cells[:1] for cells in rows(section("up"))]


@pytest.mark.parametrize("command", sorted(set(UP.commands) - {"up", "down"}))
def test_an_option_of_another_command_is_in_its_row(command: str) -> None:
    (row,) = [cells for cells in rows(section("The others")) if re.search(rf"`{command}[` ]", cells[0])]
    options = {option for each in UP.commands[command].params for option in each.opts if option.startswith("--")}
    assert {option for option in options - {"--home"} if f"`{option}" not in row[1]} == set()


@pytest.mark.parametrize("file", sorted(set(FILES) - {"serving.json"}))
def test_an_example_is_read_by_the_type_of_its_file(file: str) -> None:
    kind = FILES[file][0]
    read: Callable[[bytes], object] = msgspec.json.Decoder(kind, strict=True).decode
    assert isinstance(read(example(file)), kind)
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    assert set(msgspec.json.decode(example(file))) <= known


def test_the_example_of_serving_json_holds() -> None:
    assert [each.name for each in read_serving(example("serving.json")).experiments] == ["ranker"]


def test_the_table_of_settings_is_the_codes() -> None:
    documented = [line for line in section("martlet.toml").splitlines() if line.startswith("| `")]
    assert documented == documented_rows()


def test_variables_of_every_section_are_named() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `MARTLET_KAFKA_…`")]
    sections = {field.section for field in FIELDS}
    assert set(re.findall(r"`MARTLET_(\w+)_…`", row)) == {section.upper() for section in sections}


def test_the_table_of_topics_is_the_codes() -> None:
    text = (REPO / "docs" / "attach.md").read_text(encoding="utf-8")
    table = text[text.index("| topic | partitions |") :].partition("\n\n")[0].splitlines()
    assert re.findall(r"`([\w.]+)`", table[0]) == list(REQUIRED_CONFIGS)
    assert table[2:] == documented_topics()


def test_the_example_of_settings_holds(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", section("martlet.toml"), re.MULTILINE | re.DOTALL)
    file = Home(tmp_path).settings_file
    file.write_text(text)
    file.chmod(0o600)
    settings = read_settings(Home(tmp_path), {"MARTLET_KAFKA_PASSWORD": "change-me"}, {}).settings
    assert (settings.kafka.replication, settings.redis.user) == (3, "martlet")


def numeric_defaults() -> list[tuple[str, str, float]]:
    """(file, default as the page has it, default as the code has it) of each key with a row of its own and a number."""
    return [
        (file, cells[1], field.default)
        for file, kinds in FILES.items()
        for kind in kinds
        for field in msgspec.structs.fields(kind)
        for cells in rows(section(file))
        if cells[0] == f"`{field.name}`"
        and isinstance(field.default, int | float)
        and not isinstance(field.default, bool)
    ]


@pytest.mark.parametrize(("file", "documented", "default"), numeric_defaults())
def test_a_default_that_the_page_names_is_the_default(file: str, documented: str, default: float) -> None:
    assert float(documented) == default


def test_defaults_are_told() -> None:
    assert len(numeric_defaults()) > 5
