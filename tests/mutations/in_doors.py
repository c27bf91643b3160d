"""Faults at the API's door: who may call, what is held of a caller, and for how long."""

from typing import Final

from tests.mutations.fault import Fault

ACCESS: Final = "online/access/access.py"

FAULTS: Final = (
    Fault(
        "revoking the last key opens an API that other machines reach",
        ACCESS,
        "        return True\n",
        "        return bool(self.keys)\n",
        ("test_what_other_machines_reach_is_closed_once_its_last_key_is_revoked",),
    ),
    Fault(
        "an API that other machines reach starts without a key",
        ACCESS,
        "if access.key_needed and not access.keys:",
        "if False:",
        ("test_what_other_machines_reach_does_not_start_without_a_key",),
    ),
    Fault(
        "an API that other machines reach is open where no file is named",
        "online/app.py",
        "(read_keyed_access, CLOSED)",
        "(read_keyed_access, OPEN)",
        ("test_without_a_file_what_other_machines_reach_is_closed",),
    ),
    Fault(
        "what is wrong with settings in use is told nobody",
        "online/support/reloadable_file.py",
        "if (doubt := self._doubt(self.value)) is None:",
        "if (doubt := None) is None:",
        ("test_what_is_doubtful_is_in_use_and_told",),
    ),
)
