"""What is foretold of a step's time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.runner.progress import KNOWN_AFTER, Pace


@given(seconds=st.floats(0.1, 100), first=st.integers(0, 50), total=st.integers(100, 1000))
def test_at_a_steady_pace_the_rest_is_known_exactly(seconds: float, first: int, total: int) -> None:
    pace = Pace()
    for done in range(first, total):
        left = pace.left("training", done, total, now=5 + done * seconds)
        elapsed = (done - first) * seconds
        if elapsed > 1.001 * KNOWN_AFTER:
            assert left == pytest.approx((total - done) * seconds)
        if elapsed < 0.999 * KNOWN_AFTER:
            assert left is None


def test_another_step_and_one_that_begins_anew_are_timed_afresh() -> None:
    pace = Pace()
    pace.left("training", 0, 10, now=0)
    assert pace.left("training", 5, 10, now=50) == 50
    assert pace.left("sampling", 5, 10, now=51) is None
    assert pace.left("sampling", 7, 10, now=61) == 15
    assert pace.left("sampling", 1, 10, now=62) is None
    assert pace.left("sampling", 10, 10, now=70) is None  # nothing is left
