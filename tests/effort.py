"""How much tests train: enough for a model that ranks better than chance."""

from models.training.effort import Effort

SMALL = Effort(sequence=2, last=1, lists=3, whole=2)
