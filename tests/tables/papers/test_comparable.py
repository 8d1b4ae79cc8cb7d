"""Printed figures stand beside a run only where its data, size and settings are the paper's."""

from __future__ import annotations

import pytest

from lacuna.config.compose import compose, plain
from lacuna.tables.papers.comparable import comparable, reasons_against

DIFFJOINT = ("method=diffjoint", "mask=mnar", "ratio=0.3")
TABLE2 = ("experiment=missbgm_table2", "method=missbgm")


@pytest.mark.parametrize(
    ("overrides", "reasons"),
    [
        (("method=mean_mode", "budget=quick"), set()),  # which has no other settings on a laptop
        (("method=mean_mode", "dataset.n_train=400"), {"dataset.n_train=400"}),
        ((*DIFFJOINT, "budget=paper"), set()),
        ((*DIFFJOINT, "budget=paper", "dataset.n_test=100"), {"dataset.n_test=100"}),
        ((*DIFFJOINT, "budget=quick"), {"method.iterations=2"}),
        ((*DIFFJOINT, "budget=paper", "method.iterations=2"), {"method.iterations=2"}),
        ((*TABLE2, "budget=paper"), set()),
        ((*TABLE2, "budget=paper", "draws=7"), {"draws=7"}),
    ],
)
def test_one_setting_that_differs_keeps_print_away(overrides: tuple[str, ...], reasons: set[str]) -> None:
    config = plain(compose([*overrides, "device=cpu"]))
    assert reasons <= set(reasons_against(config))
    assert bool(comparable(config)) == (not reasons)


def test_what_no_paper_prints_needs_no_reason() -> None:
    config = plain(compose(["method=boosting", "device=cpu"]))
    assert comparable(config) == {}
    assert reasons_against(config) == []
