"""What can become of a record of the log, in the words of the ledger: read is the sum of the others."""

from typing import Final

APPLIED: Final = "applied"
DUPLICATE: Final = "duplicate"
LATE: Final = "late"
REJECTED: Final = "rejected"
REROUTED: Final = "rerouted"
