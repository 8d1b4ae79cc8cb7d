"""Matplotlib figures without a window, for plots of runs and of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank_figure(n: int) -> tuple[Figure, list[Any]]:
    """A figure of n axes in rows of three; never a window."""
    from matplotlib.figure import Figure

    across = min(n, 3)
    down = -(-n // across)
    figure = Figure(figsize=(1 + 3.6 * across, 3.2 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for spare in axes[n:]:
        spare.remove()
    return figure, list(axes[:n])
