"""All metrics of an imputation, pooled over columns and column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.types import Answer, Draws, Imputation

Metric = Callable[[Answer, Imputation], float | None]

MAX_COLUMNS = 100  # wider tables get pooled scores only: thousands of numbers a record would serve nobody


def score(
    answer: Answer, imputation: Imputation, metrics: Mapping[str, Metric]
) -> tuple[dict[str, float], dict[str, str]]:
    """Apply ``metrics``.

    Returns:
        Scores: ``acc`` pooled over columns, ``acc/D2`` of a single one, wherever the metric applies there.
        Notes: why a metric that applies to the table has no pooled score.
    """
    scores, notes = _apply(metrics, answer, imputation)
    if len(answer.columns) <= MAX_COLUMNS:
        for j, column in enumerate(answer.columns):
            # A column without a cell to score has no score: nothing to note.
            alone, _ = _apply(metrics, *only_column(j, answer, imputation))
            scores |= {f"{name}/{column.name}": value for name, value in alone.items()}
    return scores, notes


def only_column(j: int, answer: Answer, imputation: Imputation) -> tuple[Answer, Imputation]:
    """Both as if the table had column ``j`` alone."""

    def cut(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[..., [j]]

    return (
        replace(
            answer,
            columns=(answer.columns[j],),
            values=answer.values[:, [j]],
            meaningful=answer.meaningful[:, [j]],
            ordinary=answer.ordinary[:, [j]],
            scale=cut(answer.scale),
            posterior=None if answer.posterior is None else _draws_of(j, answer.posterior),
            estimands=(),
        ),
        replace(
            imputation,
            values=imputation.values[:, [j]],
            meaningful=cut(imputation.meaningful),
            meaningful_probability=cut(imputation.meaningful_probability),
            draws=None if imputation.draws is None else _draws_of(j, imputation.draws),
        ),
    )


def _draws_of(j: int, draws: Draws) -> Draws:
    chosen = draws.cells[:, 1] == j
    return replace(
        draws,
        cells=draws.cells[chosen] * [1, 0],
        mean=draws.mean[chosen],
        sd=draws.sd[chosen],
        lower=draws.lower[chosen],
        upper=draws.upper[chosen],
        samples=None if draws.samples is None else draws.samples[:, chosen],
    )


def _apply(
    metrics: Mapping[str, Metric], answer: Answer, imputation: Imputation
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores where a metric applies, and notes where it does but has nothing to score."""
    scores, notes = {}, {}
    for name, metric in metrics.items():
        try:
            if (value := metric(answer, imputation)) is not None:
                scores[name] = value
        except NothingToScore as error:
            notes[name] = str(error)
    return scores, notes
