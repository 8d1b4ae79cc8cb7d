"""Ridge regression against scikit-learn and against leaving rows out one by one."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge as Reference
from sklearn.preprocessing import StandardScaler

from lacuna.numerics.ridge import Ridge


def test_it_is_ridge_regression_on_standard_scores():
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(50, 6)) * [1, 5, 0.1, 1, 2, 3], rng.normal(size=50)
    target = features @ [1, 0.2, 3, 0, 0, 0] + noise
    ours = Ridge.fit(features, target)
    scaler = StandardScaler().fit(features)
    theirs = Reference(alpha=ours.penalty).fit(scaler.transform(features), target)
    np.testing.assert_allclose(ours.predict(features), theirs.predict(scaler.transform(features)), rtol=1e-8)


def test_left_out_predictions_are_those_of_leaving_out():
    """Up to the scale of the features, which is that of all rows."""
    rng = np.random.default_rng(0)
    features = StandardScaler().fit_transform(rng.normal(size=(40, 3)))
    target = features[:, 0] + rng.normal(size=40)
    ours = Ridge.fit(features, target)
    rest = np.arange(40) != 7
    alone = Reference(alpha=ours.penalty).fit(features[rest], target[rest]).predict(features[7:8])
    np.testing.assert_allclose(ours.left_out[7], alone[0], rtol=1e-6)


def test_constant_features_and_none():
    target = np.array([1.0, 2.0, 4.0])
    assert Ridge.fit(np.ones((3, 2)), target).weights.tolist() == [0, 0]
    np.testing.assert_allclose(Ridge.fit(np.empty((3, 0)), target).left_out, [3, 2.5, 1.5])


def test_distrusted_features_are_as_if_divided():
    rng = np.random.default_rng(0)
    features = StandardScaler().fit_transform(rng.normal(size=(50, 3)))
    target = features.sum(1) + rng.normal(size=50)
    trust = np.array([1.0, 0.5, 0.1])
    ours = Ridge.fit(features, target, trust)
    theirs = Reference(alpha=ours.penalty).fit(features * trust, target)
    np.testing.assert_allclose(ours.predict(features), theirs.predict(features * trust), rtol=1e-8)


def test_more_features_than_rows():
    rng = np.random.default_rng(0)
    features = StandardScaler().fit_transform(rng.normal(size=(12, 30)))
    target = features[:, 0] + rng.normal(size=12)
    ours = Ridge.fit(features, target)
    theirs = Reference(alpha=ours.penalty).fit(features, target)
    np.testing.assert_allclose(ours.predict(features), theirs.predict(features), rtol=1e-6, atol=1e-8)
