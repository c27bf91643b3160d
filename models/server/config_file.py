"""The model config file while a server runs: what is written there is served."""

import logging
from pathlib import Path

from models.server import config
from models.server.config import Config
from models.server.engine.manager import Manager
from models.server.errors import ServingError

_log = logging.getLogger(__name__)


class ConfigFile:
    """The file at ``path``, of which a manager serves ``served``."""

    def __init__(self, path: Path, served: Config, manager: Manager) -> None:
        self._path = path
        self._served: Config | None = served
        """None while the manager serves a part of a changed file."""
        self._manager = manager
        self._complaint = ""

    def follow(self) -> None:
        """Serve what the file says now.

        A label waits until its version is loaded; all else holds at once. What can't be read, or not wholly be served, is
        logged once and tried again at each call.
        """
        complaint = ""
        try:
            self._serve(config.read_file(self._path))
        except ServingError as error:
            complaint = error.message
            if complaint != self._complaint:
                _log.warning("%s is not wholly served yet: %s", self._path, complaint)
        except Exception as error:
            complaint = repr(error)
            if complaint != self._complaint:
                _log.exception("%s is not wholly served yet", self._path)
        self._complaint = complaint

    def _serve(self, wanted: Config) -> None:
        if wanted == self._served:
            return
        self._served = None
        self._manager.reload(self._manager.assignable(wanted))
        self._manager.reload(wanted)
        self._manager.check_served(wanted)
        self._served = wanted
        _log.info("serving the changed %s", self._path)
