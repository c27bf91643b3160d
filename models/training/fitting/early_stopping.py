"""Early stopping, and what an epoch came to."""

from dataclasses import dataclass
from typing import Any

from features.arrays import AnyArray


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch: the mean loss, and metrics on validation by name."""

    number: int
    loss: float
    metrics: dict[str, float]


class Stopper:
    """Early stopping: keeps the weights of the epoch that is best by one metric, and is over when no better one has come for
    `patience` epochs. `weights` is anything with get_weights and set_weights."""

    def __init__(self, weights: Any, metric: str, patience: int) -> None:
        self.epochs: list[Epoch] = []
        self._weights, self._metric, self._patience = weights, metric, patience
        self.best: list[AnyArray] = weights.get_weights()

    def _top(self) -> Epoch:
        return max(self.epochs, key=lambda each: each.metrics[self._metric])  # the first of equal ones

    def take(self, epoch: Epoch) -> None:
        """Note an epoch."""
        self.epochs.append(epoch)
        if self._top() is epoch:
            self.best = self._weights.get_weights()

    @property
    def over(self) -> bool:
        """Whether it is time to stop."""
        return bool(self.epochs) and self.epochs[-1].number - self._top().number >= self._patience

    def go_on(self, epochs: list[Epoch], best: list[AnyArray]) -> None:
        """Be as one that has taken these epochs."""
        self.epochs, self.best = epochs, best

    def restore(self) -> None:
        """Put the best weights back."""
        self._weights.set_weights(self.best)
