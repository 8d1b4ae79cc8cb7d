"""ReMasker: what training shows, and what comes out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lacuna.methods.remasker import ReMasker

FAST = {"width": 32, "heads": 2, "mlp_ratio": 2, "encoder_blocks": 2, "decoder_blocks": 1, "device": "cpu"}
FAST |= {"epochs": 60, "warm_up": 4, "lr": 3e-3}


def test_training_shows_a_share_of_the_columns_and_nothing_that_is_hidden() -> None:
    observed = torch.rand(500, 9, generator=torch.Generator().manual_seed(0)) > 0.3
    keys = torch.rand(500, 9, generator=torch.Generator().manual_seed(1))
    method = ReMasker(mask_ratio=0.5)
    shown = method._shown(method._visible(observed, torch.arange(500), torch.Generator()), keys)
    assert not (shown & ~observed).any()
    assert torch.equal(shown.sum(1), observed.sum(1).clamp(max=4))  # int(9 * 0.5)
    often = (shown.float().sum(0) / observed.float().sum(0)).tolist()
    assert max(often) - min(often) < 0.15


@pytest.mark.slow
def test_it_comes_close_to_the_conditional_mean_of_a_gaussian(gaussian: Any) -> None:
    known = gaussian(n=1000, d=4, correlation=0.8, ratio=0.3)
    done = ReMasker(**FAST).fit(known.problem.train, seed=0).impute(known.problem.train)
    assert known.rmse(done.values) < 1.15 * known.rmse(known.mean)


def test_it_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="got"):
        ReMasker(mask_ratio=2)
