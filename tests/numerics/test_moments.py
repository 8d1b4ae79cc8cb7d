"""Mean and sd of columns with blanks."""

import numpy as np

from lacuna.numerics.moments import column_moments


def test_moments_are_those_of_the_cells_that_are_there():
    rng = np.random.default_rng(0)
    values = rng.normal(5.0, [1.0, 1e-9, 1e9], (50, 3))
    values[rng.random(values.shape) < 0.3] = np.nan
    mean, sd = column_moments(values)
    assert np.allclose(mean, np.nanmean(values, 0))
    assert np.allclose(sd, np.nanstd(values, 0))


def test_a_constant_column_has_sd_one_whatever_its_rounding():
    values = np.full((7, 3), [0.1, 1e12 / 3, 0.0])
    mean, sd = column_moments(values)
    assert np.allclose(mean, values[0])
    assert (sd == 1).all()
