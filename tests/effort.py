"""How much tests train: enough for a model that ranks better than chance."""

from models.training.effort import Effort

SMALL = Effort(sequence=2, last=1, going_on=1, lists=3, whole=2, bounds=20)

SEED = Effort(sequence=1, last=1, going_on=1, lists=2, whole=1, bounds=4)
"""The effort of models that only have to serve."""
