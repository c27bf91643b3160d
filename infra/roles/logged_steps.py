"""Progress of a role: lines for people, or JSON objects, as `log.format` says."""

import logging

from infra.system.progress import Steps
from online.support.log_lines import LogFormat, configure_logging

logger = logging.getLogger(__name__)


class LoggedSteps(Steps):
    """Logs each line to standard error as a record of its own."""

    def print_line(self, text: str) -> None:
        logger.info(text.strip())

    def _print(self, text: str) -> None:
        logger.info(text.strip())

    def _show(self) -> None:
        """Steps under way are shown on terminals alone."""


def steps_of(form: LogFormat) -> Steps:
    """Returns how a role reports what it does, in this form, and sets up logging for all modules."""
    configure_logging(form)
    logging.getLogger("kafka").setLevel(logging.ERROR)
    return LoggedSteps() if form == "json" else Steps()
