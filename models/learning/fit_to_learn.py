"""Whether a model can learn from the lists that it shows."""

from features.errors import BadInput
from models import nets
from models.nets.parts.net import ROWS


def require_fit(name: str, where: str = "learn.model") -> None:
    """Raises BadInput for a name that no net has, and for a net that learns from rows; imports none of them. where: it stood."""
    if name not in nets.names():
        raise BadInput(where, f"one of {', '.join(nets.names())}", repr(name))
    if nets.lessons_of(name) == ROWS:
        raise BadInput(where, "a model that learns from lists or sequences", f"{name}, which learns from rows")
