"""Composite Gauss-Legendre quadrature of piecewise smooth densities on the line, and quantiles to match."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.polynomial import legendre


@dataclass(frozen=True)
class Panels:
    """Adjacent intervals with ``order`` Gauss-Legendre nodes each; a density may jump at the edges only."""

    edges: np.ndarray  # (p + 1,) increasing
    order: int = 8

    @classmethod
    def between(cls, cuts: tuple[float, ...], width: float, order: int = 8) -> Panels:
        """Panels of at most ``width`` whose edges include all of ``cuts`` (increasing).

        >>> Panels.between((0.0, 1.0, 4.0), width=2.0).edges
        array([0. , 1. , 2.5, 4. ])
        """
        pieces = [np.linspace(a, b, int(np.ceil((b - a) / width)) + 1)[:-1] for a, b in pairwise(cuts)]
        return cls(np.append(np.concatenate(pieces), cuts[-1]), order)

    @cached_property
    def _rule(self) -> tuple[np.ndarray, np.ndarray]:
        return legendre.leggauss(self.order)

    @cached_property
    def half_widths(self) -> np.ndarray:
        """(p,)"""
        return np.diff(self.edges) / 2

    @cached_property
    def nodes(self) -> np.ndarray:
        """(p * order,)"""
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        return (middles[:, None] + self.half_widths[:, None] * self._rule[0]).ravel()

    @cached_property
    def weights(self) -> np.ndarray:
        """(p * order,): sum(weights * f(nodes)) is the integral of f"""
        return (self.half_widths[:, None] * self._rule[1]).ravel()

    @cached_property
    def cell_starts(self) -> np.ndarray:
        """(p * order,): where cells as wide as the weights begin; they tile the line, cell i holds node i"""
        before = self._rule[1].cumsum() - self._rule[1]
        return (self.edges[:-1, None] + self.half_widths[:, None] * before).ravel()

    def quantile(self, masses: np.ndarray, level: float) -> np.ndarray:
        """Where the distribution function reaches ``level``.

        Args:
            masses: (k, p * order) density times weight at the nodes, up to a constant per row.
            level: in (0, 1).

        Returns:
            (k,): exact for densities that are polynomials of degree < order on each panel.
        """
        k = np.arange(len(masses))
        by_panel = masses.reshape(len(masses), -1, self.order)
        cumulative = by_panel.sum(2).cumsum(1)
        target = level * cumulative[:, -1]
        panel = (cumulative >= target[:, None]).argmax(1)
        inside = by_panel[k, panel]
        target -= cumulative[k, panel] - inside.sum(1)
        # The density on the panel as a Legendre series: its projections are integrals, exact by the rule.
        degrees = np.arange(self.order)
        series = (degrees + 0.5)[:, None] * (legendre.legvander(self._rule[0], self.order - 1).T @ inside.T)
        distribution = legendre.legint(series, lbnd=-1)  # (order + 1, k) on [-1, 1]
        low, high = np.full(len(masses), -1.0), np.ones(len(masses))
        for _ in range(50):
            middle = (low + high) / 2
            below = legendre.legval(middle, distribution, tensor=False) < target
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return self.edges[panel] + self.half_widths[panel] * (1 + (low + high) / 2)
