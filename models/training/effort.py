"""Limits on the number of passes of a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Epochs of each kind of training. Less effort gives a worse model of the same shape, in less time.

    sequence: of an encoder over the histories before the first list; last: over all histories, the newest included, once the
    model was measured; going_on: of an earlier version's encoder over what is newer; lists: of what weighs candidates; whole: of
    a net that learns from lists without an encoder; bounds: of what all items' logits come to, each time the encoder has changed.

    rate: of what weighs candidates, over the net's own. Adam, begun anew, takes first steps as long as its rate is, however
    little there is to learn.
    """

    sequence: int = 16
    last: int = 12
    going_on: int = 4
    lists: int = 30
    whole: int = 12
    bounds: int = 60
    rate: float = 1.0


FULL = Effort()
"""The effort that served models are trained with."""

SLICE = Effort(going_on=2, lists=6, whole=2, rate=0.2)
"""The effort of a slice that the learner goes on with: what users did lately comes again in the slices after it."""
