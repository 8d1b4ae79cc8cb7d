"""Composite Gauss-Legendre quadrature against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from lacuna.numerics.quadrature import Panels


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6, unique=True), st.floats(0.3, 20))
def test_edges_hold_the_cuts_and_no_panel_is_wider_than_asked(cuts, width):
    cuts = tuple(sorted(cuts))
    panels = Panels.between(cuts, width)
    assert np.isin(cuts, panels.edges).all()
    assert (np.diff(panels.edges) > 0).all()
    assert np.diff(panels.edges).max() <= width * (1 + 1e-9)
    assert np.isclose(panels.weights.sum(), cuts[-1] - cuts[0])


def test_polynomials_below_twice_the_order_are_integrated_exactly():
    panels = Panels.between((-1.0, 0.5, 3.0), width=1.0, order=4)
    for degree in range(8):
        exact = (3.0 ** (degree + 1) - (-1.0) ** (degree + 1)) / (degree + 1)
        assert np.isclose(panels.weights @ panels.nodes**degree, exact, rtol=1e-13)


def test_cells_tile_the_line_and_each_holds_its_node():
    panels = Panels.between((9.0, 26.0, 27.0, 41.0), width=3.5)
    ends = panels.cell_starts + panels.weights
    assert np.allclose(ends[:-1], panels.cell_starts[1:])
    assert ((panels.cell_starts < panels.nodes) & (panels.nodes < ends)).all()


@pytest.mark.parametrize("level", [0.001, 0.025, 0.3, 0.5, 0.975])
def test_quantiles_of_normal_and_truncated_normal(level):
    panels = Panels.between((-8.0, 1.0, 8.0), width=1.5)
    masses = norm.pdf(panels.nodes) * panels.weights
    below_one = masses * (panels.nodes < 1)
    shifted = norm.pdf(panels.nodes, 0.7, 0.6) * panels.weights * 7.0  # the constant does not matter
    found = panels.quantile(np.stack([masses, below_one, shifted]), level)
    exact = [norm.ppf(level), truncnorm.ppf(level, -np.inf, 1.0), norm.ppf(level, 0.7, 0.6)]
    # the narrow one spans 2.5 sd a panel: its polynomial is the worst of the three
    assert np.allclose(found, exact, atol=[2e-5, 2e-5, 2e-3])


def test_quantile_of_a_step_density_is_exact():
    panels = Panels.between((0.0, 1.0, 3.0), width=5.0)
    masses = panels.weights * np.where(panels.nodes < 1, 0.2, 0.4)
    assert np.allclose(panels.quantile(masses[None], 0.1), 0.5, atol=1e-12)
    assert np.allclose(panels.quantile(masses[None], 0.6), 2.0, atol=1e-12)
