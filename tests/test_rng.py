"""Named random streams."""

import numpy as np
import torch

from lacuna.rng import stream, torch_stream


def test_a_stream_is_fixed_by_seed_and_name():
    assert np.array_equal(stream(3, "mask").random(5), stream(3, "mask").random(5))
    a, b = torch_stream(3, "fit"), torch_stream(3, "fit")
    assert torch.equal(torch.rand(5, generator=a), torch.rand(5, generator=b))


def test_streams_differ_by_seed_name_and_order_of_names():
    wanted = [(0, "a"), (1, "a"), (0, "b"), (0, "a", "b"), (0, "b", "a"), (0, "a", 1), (0, "a", 2)]
    first = {stream(seed, *names).integers(2**62) for seed, *names in wanted}
    first_torch = {torch_stream(seed, *names).initial_seed() for seed, *names in wanted}
    assert len(first) == len(first_torch) == len(wanted)


def test_streams_are_uncorrelated():
    draws = np.stack([stream(0, "run", k).normal(size=4000) for k in range(20)])
    correlation = np.corrcoef(draws) - np.eye(20)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


def test_numbers_do_not_change_between_versions():
    """Records of earlier runs can be reproduced only while these hold."""
    assert stream(0, "mask").integers(10**6, size=3).tolist() == [878406, 275411, 252453]


def test_no_global_generator_is_touched():
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    stream(0, "mask").random(10)
    torch.rand(10, generator=torch_stream(0, "mask"))
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(before[1], torch.get_rng_state())
