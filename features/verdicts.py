"""Verdicts on a record of the log, as the ledger names them: read is the sum of the others."""

from typing import Final

APPLIED: Final = "applied"
DUPLICATE: Final = "duplicate"
LATE: Final = "late"
REJECTED: Final = "rejected"
REROUTED: Final = "rerouted"
MARKS: Final = "marks"
"""A record that is no event but marks the catalogue's version (`features.contracts.catalogue_mark`)."""
