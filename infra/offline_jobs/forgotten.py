"""Who wanted to be forgotten, for all that learns of a home."""

from collections.abc import Callable
from typing import Final

from features.engines.shared_engines import read_engines
from features.errors import MartletError
from infra.home.paths import Home
from offline.base.forgotten_log import take_forgotten
from offline.base.kafka_log import KafkaLog

PATIENCE_S: Final = 5.0


def note_forgotten(home: Home, print_line: Callable[[str], None]) -> None:
    """Note whom the log names since the last time. Where it does not answer, as while the home is down, those hold who were known
    before, and that is printed."""
    if not home.engines_file.exists():  # nothing has run in this home yet
        return
    try:
        take_forgotten(home.data, KafkaLog(read_engines(home.engines_file).kafka, PATIENCE_S))
    except MartletError as error:
        print_line(f"users who wanted to be forgotten since the last training are not known: {error}")
