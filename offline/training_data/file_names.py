"""What training data's files are called, whoever makes them; `offline.training_data.rows` says what they hold."""

from typing import Final

MAPS: Final = "maps.json"
META: Final = "meta.json"
