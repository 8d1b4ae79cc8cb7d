"""Metrics: pure functions (Answer, Imputation) -> float; they see nothing else.

A metric returns None where it does not apply (no such columns, a method without flags), NaN for 0/0, and
raises ``NothingToScore`` where it applies but there is no cell to score. The decorator ``metric`` says how its scores
are called, shown and ranked.
"""

from lacuna.metrics.display import metric

__all__ = ["metric"]
