"""The history of a training: its losses and accuracies, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["History"]

_FIGURES = ("loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass
class History:
    """What `model.fit` returns: lists with one entry per finished epoch.

    Attributes:
        loss: mean over the epoch's batches, taken while the model learned.
        accuracy: likewise; empty unless the loss is a classification.
        validation_loss: at the end of the epoch; empty without validation data.
        validation_accuracy: likewise.
        seconds: how long the training took.
        stopped: why it ended before its last epoch, or None.
        loss_name, optimizer_name: what trained.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str | None = None
    loss_name: str = ""
    optimizer_name: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.loss)

    def latest(self) -> str:
        """The figures of the last epoch in one line."""
        series = ((name.replace("_", " "), getattr(self, name)) for name in _FIGURES)
        return ", ".join(f"{name} {values[-1]:.4g}" for name, values in series if values)

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses, and the accuracies on a second axis, over the epochs.

        Args:
            ax: matplotlib axes to draw on; new ones unless given.

        Returns:
            The axes of the losses.
        """
        import matplotlib.pyplot as plt
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots()
        epochs = range(1, self.epochs + 1)
        self._draw(ax, epochs, "loss", "C0")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_ylabel(f"loss ({self.loss_name})" if self.loss_name else "loss")
        handles = ax.get_lines()
        if self.accuracy:
            right = ax.twinx()
            self._draw(right, epochs, "accuracy", "C1")
            right.set_ylabel("accuracy")
            handles = [*handles, *right.get_lines()]
        # Above the axes, where it hides no curve of either.
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        return ax

    def _draw(self, ax: Any, epochs: range, figure: str, colour: str) -> None:
        ax.plot(epochs, getattr(self, figure), color=colour, label=figure)
        held_out = getattr(self, f"validation_{figure}")
        if held_out:
            label = f"validation {figure}"
            ax.plot(epochs[: len(held_out)], held_out, "--", color=colour, label=label)

    def __repr__(self) -> str:
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        figures = f": {self.latest()}" if self.loss else ""
        epochs = f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        return f"<History of {epochs} in {self.seconds:.2f} s{figures}{stopped}>"
