"""The author's MissBGM on one table: what `missbgm_author.py` starts in the interpreter that has it.

    python -P benchmarks/missbgm_tensorflow.py table.npz found.npz SETTINGS

table.npz: n, ratio, values (n, p) with NaN where hidden. SETTINGS: JSON of epochs, burn_in, draws and seed. found.npz:
map (n, p); mean, sd, lower, upper (k,) of the hidden cells in row order; the fitted parameters, each network's as one
vector, z and x; report: JSON of CPU and wall seconds and what the sampler printed.

`-P` matters: without it Python takes the `missbgm.py` in this folder for the author's package.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
P, WIDTHS = 50, [120] * 5
# Table 6 of the paper; lr is the rate of the warm start
PARAMETERS: dict[str, Any] = {
    "x_dim": P,
    "z_dim": 5,
    "batch_size": 16,
    "beta": 0.01,
    "g_units": WIDTHS,
    "e_units": WIDTHS,
    "dz_units": [64, 32, 8],
    "dx_units": [64, 32, 8],
    "missingness_units": [64, 64],
    "lr": 0.002,
    "lr_theta": 0.005,
    "lr_phi": 0.005,
    "lr_z": 0.002,
    "lr_x": 0.002,
    "n_inner_steps": 3,
    "use_bnn": False,
    "kl_weight": 5e-5,
    "epochs_per_eval": 10,
    "save_dir": None,
    "egm_init": {"enabled": True, "n_iter": 1500, "batches_per_eval": 500},
    "posterior": {"clip_grad_norm": 25.0, "test_epochs": 30},
}


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What ``work`` gives, and the CPU and wall-clock seconds of this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    done = work()
    return done, {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def check_draw(n: int, ratio: float, values: np.ndarray) -> None:
    """The author's own generator must give the table that the other side was given, cell by cell."""
    from missbgm.datasets import simulate_mnar_oracle_data

    theirs = simulate_mnar_oracle_data(n_samples=n, x_dim=P, n_anchor=5, missing_rate=ratio, seed=123)["x_obs"]
    np.testing.assert_array_equal(np.isnan(theirs), np.isnan(values))
    np.testing.assert_allclose(theirs, values, rtol=0, atol=1e-5)


def parameters(model: Any) -> dict[str, np.ndarray]:
    """Both networks' parameters as one vector each, layer by layer, g's two heads side by side; z and x."""
    g, f = model.g_net, model.phi_net
    by_head = zip(g.mean_layer.get_weights(), g.var_layer.get_weights(), strict=True)
    heads = [np.concatenate(pair, axis=-1) for pair in by_head]
    gamma, shift, mean, variance = g.norm_layer.get_weights()
    g_parts = [gamma, shift, *(w for layer in g.hidden_layers for w in layer.get_weights()), *heads]
    f_layers = [*(dense for dense, _ in f.hidden_layers), f.output_layer]
    f_parts = [w for layer in f_layers for w in layer.get_weights()]
    return {
        "g": np.concatenate([part.ravel() for part in g_parts]),
        "f": np.concatenate([part.ravel() for part in f_parts]),
        "moving_mean": mean,
        "moving_variance": variance,
        "z": model.data_z.numpy(),
        "x": model.data_x.numpy(),
    }


def main() -> None:
    table, found, settings = np.load(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    os.environ |= ONE_THREAD | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    from missbgm.models import MissBGM

    values = table["values"].astype(np.float32)
    hidden, mask = np.isnan(values), (~np.isnan(values)).astype(np.float32)
    check_draw(int(table["n"]), float(table["ratio"]), values)
    model = MissBGM(PARAMETERS | {"epochs": settings["epochs"]}, random_seed=settings["seed"])
    _, fit = timed(lambda: model.fit(data=values, mask=mask))
    report, outcome = {"fit": fit}, parameters(model) | {"map": model.x_map_imputed_}
    np.savez(found, report=json.dumps(report), **outcome)
    if not settings["draws"]:
        return

    def draw() -> Any:
        return model.predict(
            data=values,
            mask=mask,
            n_mcmc=settings["draws"],
            burn_in=settings["burn_in"],
            step_size=0.1,
            num_leapfrog_steps=5,
            return_samples=True,
            seed=settings["seed"],
        )

    with redirect_stdout(StringIO()) as said:  # its only account of acceptance
        (samples, _), draws = timed(draw)
    samples = samples[:, hidden]
    lower, upper = np.quantile(samples, [0.025, 0.975], axis=0)
    outcome |= {"mean": samples.mean(0), "sd": samples.std(0, ddof=1), "lower": lower, "upper": upper}
    report |= {"draws": draws, "said": said.getvalue()}
    np.savez(found, report=json.dumps(report), **outcome)


if __name__ == "__main__":
    main()
