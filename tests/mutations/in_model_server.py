"""Faults of the project's own model server: what requests hold, and what a changed configuration does."""

from tests.mutations.fault import Fault

GRPC = "models/server/grpc_service.py"

FAULTS = (
    Fault(
        "a request that failed is held until the next collection",
        GRPC,
        "code, message = error.code, error.message",
        "code, message, held = error.code, error.message, error",
        ("test_a_request_that_failed_is_not_held_until_the_next_collection",),
    ),
)
