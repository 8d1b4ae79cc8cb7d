"""MissBGM as a method: Liu, "Missingness-aware Data Imputation via AI-powered Bayesian Generative Modeling"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lacuna.backend.device import pick
from lacuna.backend.threads import threads
from lacuna.methods.base import Method
from lacuna.methods.missbgm import engines, reference
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.draws import DrawKeeper
from lacuna.methods.missbgm.engines import ENGINES, Engine
from lacuna.methods.missbgm.fitting import alternate
from lacuna.methods.missbgm.layout import Layout
from lacuna.methods.missbgm.local import at_rest, refine
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.parameters import BayesianParameters, PointParameters
from lacuna.methods.missbgm.posterior import sample
from lacuna.methods.missbgm.settings import (
    ChainSettings,
    LocalSteps,
    Momentum,
    Training,
    WarmStart,
    at_least,
    inside_unit,
)
from lacuna.methods.missbgm.step_size import Rule
from lacuna.methods.missbgm.warm_start import warm_start
from lacuna.numerics.knn import knn_complete
from lacuna.numerics.rows import RowLookup
from lacuna.rng import stream, torch_stream
from lacuna.types import Imputation, Incomplete

NEIGHBOURS = 5  # of the first completion
# Rows compared with donors at the start: every row with every other up to 46,340 rows, which no published table
# exceeds. Beyond it a random part of the rows are donors, and the search is linear in rows; a nearest neighbour in d
# dimensions then lies (n / m)^(1 / d) times as far, 1.14 times for 6,000 donors among 353,150 rows of 30 columns.
PAIRS, FEWEST_DONORS = 2**31, 1_000
ENCODED_AT_ONCE = 2**16  # rows: their activations stay below 0.3 GB
# New rows go through the model in chunks of one size, the last padded, so that a row's result does not depend on
# how many others come with it.
NEW_ROWS_AT_ONCE = {"cpu": 256, "cuda": 4096}
SMALL = 1e6  # multiply-adds in a layer below which a second thread costs more than it gives


class MissBGM(Method):
    """Joint model of values and mask: the most probable table, and draws by HMC within Gibbs.

    Names and defaults are those of the paper's Table 6; its n_mcmc is the number of draws that ``impute`` is
    asked for.

    Args:
        z_dim: width of the latent variable.
        epochs, batch_size: of the alternating optimisation; ``max_batches`` cuts epochs short on large tables.
        beta: weight of the mask's likelihood; 0 leaves the mask out.
        g_units, missingness_units: hidden layers of g and f.
        lr_theta, lr_phi, lr_z, lr_x: Adam rates of g, of f, of latent variables and of missing values.
        n_inner_steps: steps of z and x per batch.
        use_bnn: Gaussian posteriors over the weights of g and f; their divergence from the prior has ``kl_weight``.
        weight_decay: times the sum of squared parameters, in the losses of g and f. The paper's text says 1e-4;
            its published results are without.
        momentum: ``dense`` keeps moving the rows that are not in a batch, as in the published results; ``batch``
            moves the rows of the batch only.
        clip_norm: of the batch's gradients by z and by x.
        test_epochs: of the refinement of new rows.
        egm_enabled, egm_n_iter, egm_lr, e_units, dz_units, dx_units: the warm start. Without it, z starts at
            random.
        standardise: work on standardised columns; False: on the scale of the table.
        alpha: intervals are at level 1 - alpha.
        burn_in, step_size, n_leapfrog: of the sampler; the step size is where it starts.
        adaptation: of the step size: ``simple`` (the published results), ``dual_averaging`` (the text) or
            ``per_row``.
        adapt_share: of the burn-in, in which step sizes adapt, aiming at ``target_acceptance``.
        draws_gb: draws are kept while they fit into this; else mean, sd and interval of each cell only.
        device: cpu, cuda, or auto.
        engine: the code that fits and samples, see ``engines``; ``reference`` is slow and can be read beside the paper.
    """

    label = "MissBGM"

    def __init__(
        self,
        z_dim: int = 5,
        epochs: int = 200,
        max_batches: int | None = None,
        batch_size: int = 16,
        beta: float = 0.01,
        g_units: Sequence[int] = (120, 120, 120, 120, 120),
        missingness_units: Sequence[int] = (64, 64),
        lr_theta: float = 0.005,
        lr_phi: float = 0.005,
        lr_z: float = 0.002,
        lr_x: float = 0.002,
        n_inner_steps: int = 3,
        use_bnn: bool = False,
        kl_weight: float = 5e-5,
        weight_decay: float = 0.0,
        momentum: Momentum = "dense",
        clip_norm: float = 25.0,
        test_epochs: int = 30,
        egm_enabled: bool = True,
        egm_n_iter: int = 1500,
        egm_lr: float = 0.002,
        e_units: Sequence[int] = (120, 120, 120, 120, 120),
        dz_units: Sequence[int] = (64, 32, 8),
        dx_units: Sequence[int] = (64, 32, 8),
        standardise: bool = True,
        alpha: float = 0.05,
        burn_in: int = 1000,
        step_size: float = 0.1,
        n_leapfrog: int = 5,
        adaptation: Rule = "simple",
        adapt_share: float = 0.8,
        target_acceptance: float = 0.75,
        draws_gb: float = 2.0,
        device: str = "auto",
        engine: Engine = "auto",
    ) -> None:
        at_least(0, beta=beta, draws_gb=draws_gb)
        at_least(1, test_epochs=test_epochs)
        inside_unit(alpha=alpha)
        if engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
        self.training = Training(
            z_dim,
            epochs,
            max_batches,
            batch_size,
            g_units,
            missingness_units,
            Adam(lr_theta),
            Adam(lr_phi),
            use_bnn,
            kl_weight,
            weight_decay,
        )
        self.steps = LocalSteps(Adam(lr_z), Adam(lr_x), n_inner_steps, clip_norm, momentum)
        self.warm_start = WarmStart(egm_enabled, egm_n_iter, egm_lr, e_units, dz_units, dx_units)
        self.sampling = ChainSettings(burn_in, step_size, n_leapfrog, adaptation, adapt_share, target_acceptance)
        self.beta, self.test_epochs, self.standardise = beta, test_epochs, standardise
        self.alpha, self.draws_gb, self.device, self.engine = alpha, draws_gb, device, engine

    # --- fitting ----------------------------------------------------------------------------------------------

    def _fit(self, train: Incomplete, seed: int) -> None:
        """Algorithm 1."""
        device = pick(self.device)
        self.seed_, self.train_ = seed, train
        self.layout_ = Layout.fit(train, self.standardise)
        self.model_ = self._new_model(device)
        batch = min(self.training.batch_size, len(train))
        chosen = engines.choose(self.engine, device, self.model_, batch, self.training.use_bnn)
        self.monitor.progress("nearest neighbours", 0, 1)
        x, seen = self._encoded(train)
        donors = self._donor_rows(len(train))
        self.donors_, self.donors_seen_ = x[donors], seen[donors]
        self.center_ = (x * seen).sum(0) / seen.sum(0).clamp(min=1)
        x = self._first_completion(x, seen)
        self.monitor.progress("nearest neighbours", 1, 1)
        with self._threads():
            z = self._start(x)
            self.z_, self.x_ = self._alternate(z, x, chosen)
        self.model_.settle()
        self.lookup_ = RowLookup.of(train.values)

    def _donor_rows(self, n: int) -> np.ndarray:
        """Which of n training rows others may borrow from at the start, in order."""
        n_donors = max(FEWEST_DONORS, PAIRS // n)
        return np.sort(stream(self.seed_, "missbgm", "donors").permutation(n)[:n_donors])

    def _new_model(self, device: torch.device) -> Model:
        layout, settings = self.layout_, self.training
        init = torch_stream(self.seed_, "missbgm", "weights")
        heads = Heads(layout.n_numeric, layout.levels, device)
        g = Generator(settings.z_dim, settings.g_units, heads, init, device)
        f = Missingness(layout.width, settings.missingness_units, len(layout.order), init, device)
        return Model(g, f, self.beta)

    def _start(self, x: Tensor) -> Tensor:
        """z (n, z_dim), from the warm start's encoder or, without one, from the prior."""
        settings, noise = self.warm_start, torch_stream(self.seed_, "missbgm", "warm start", device=x.device)
        self.encoder_ = None
        if not settings.enabled:
            return torch.randn((len(x), self.training.z_dim), generator=noise, device=x.device)
        self.encoder_ = warm_start(
            self.model_.g,
            x,
            settings,
            self.training.batch_size,
            torch_stream(self.seed_, "missbgm", "warm start weights"),
            noise,
            stream(self.seed_, "missbgm", "warm start rows"),
            self._reporter("warm start", settings.n_iter),
        )
        return torch.cat([self.encoder_.forward(part)[-1] for part in x.split(ENCODED_AT_ONCE)])

    def _alternate(self, z: Tensor, x: Tensor, engine: Engine) -> tuple[Tensor, Tensor]:
        """Algorithm 1 after the warm start: z (n, z_dim) and x (n, width) at its end."""
        settings, adams = self.training, (self.training.theta, self.training.phi)
        r, epochs = self._mask(self.train_), settings.epochs_for(len(self.train_))
        rng = stream(self.seed_, "missbgm", "rows")
        noise = torch_stream(self.seed_, "missbgm", "weight noise", device=z.device)
        report = self._reporter("fitting", epochs)
        if engine == "reference":
            return reference.alternate(z, x, r, self.model_, settings, self.steps, epochs, rng, noise, report)
        parameters = (
            BayesianParameters(self.model_, adams, settings.kl_weight, noise)
            if settings.use_bnn
            else PointParameters(self.model_, adams, settings.weight_decay)
        )
        rows = alternate(
            at_rest(z, x, self.layout_.n_numeric),
            r,
            self.model_,
            parameters,
            self.steps,
            epochs,
            settings.batch_size,
            rng,
            noise,
            report,
            fused=engine == "fused",
        )
        return rows.z, rows.x

    # --- imputing ---------------------------------------------------------------------------------------------

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        """Rows of the training table keep their fitted state; others get one with the parameters fixed."""
        z, x = self._state_of(rows)
        done = Imputation(self.layout_.decode(x))
        return self._with_draws(done, rows, z, x, draws) if draws else done

    def _state_of(self, rows: Incomplete) -> tuple[Tensor, Tensor]:
        """z (n, z_dim) and x (n, width) at their most probable."""
        at = torch.from_numpy(self.lookup_.find(rows.values)).to(self.z_.device)
        z, x = self.z_[at], self.x_[at]
        new = (at < 0).nonzero()[:, 0]
        if len(new):
            z[new], x[new] = self._refined(rows.take(new.cpu().numpy()))
        return z, x

    def _refined(self, rows: Incomplete) -> tuple[Tensor, Tensor]:
        """The state of rows that are not in the training table."""
        x, seen = self._encoded(rows)
        r, found = self._mask(rows), []
        size = NEW_ROWS_AT_ONCE[x.device.type]
        for start in range(0, len(x), size):
            chosen = torch.arange(start, start + size, device=x.device).clamp(max=len(x) - 1)
            first = self._first_completion(x[chosen], seen[chosen])
            z = self.encoder_.forward(first)[-1] if self.encoder_ else first.new_zeros(size, self.training.z_dim)
            found.append(self._refine(z, first, r[chosen]))
            self.monitor.progress("new rows", min(start + size, len(x)), len(x))
        return torch.cat([z for z, _ in found])[: len(x)], torch.cat([x for _, x in found])[: len(x)]

    def _refine(self, z: Tensor, x: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """Steps (i) and (ii) of Algorithm 1 for new rows; r (b, d) is their mask."""
        settings = (self.model_, self.steps, self.test_epochs, self.training.batch_size, len(self.train_))
        if self.engine == "reference":
            return reference.refine(z, x, r, *settings)
        rows = refine(at_rest(z, x, self.layout_.n_numeric), r, *settings)
        return rows.z, rows.x

    def _with_draws(self, done: Imputation, rows: Incomplete, z: Tensor, x: Tensor, draws: int) -> Imputation:
        """Chains for the rows that hide something, started at their most probable state."""
        device, incomplete = z.device, np.flatnonzero(rows.hidden.any(1))
        part, chosen = rows.take(incomplete), torch.from_numpy(incomplete).to(device)
        watch = stream(self.seed_, "missbgm", "watched cells")
        keeper = DrawKeeper(self.layout_, part, draws, self.alpha, self.draws_gb * 1e9, device, watch)
        diagnostics = {}
        if len(incomplete):
            settings = (
                self._mask(part),
                self.model_,
                self.sampling,
                draws,
                lambda name: torch_stream(self.seed_, "missbgm", "draws", name, device=device),
                keeper.take,
                self._reporter("sampling", self.sampling.burn_in + draws),
            )
            if self.engine == "reference":
                trace = reference.sample(z[chosen], x[chosen], *settings)
            else:
                trace = sample(at_rest(z[chosen], x[chosen], self.layout_.n_numeric), *settings)
            self.model_.settle()
            diagnostics = trace.summary(self.sampling.burn_in)
        found = keeper.draws()
        cells = np.stack([incomplete[found.cells[:, 0]], found.cells[:, 1]], axis=1)
        return replace(done, draws=replace(found, cells=cells), diagnostics=diagnostics)

    # --- shared -----------------------------------------------------------------------------------------------

    def _encoded(self, rows: Incomplete) -> tuple[Tensor, Tensor]:
        """States (n, width), 0 where hidden, and which of their coordinates are seen (n, width) bool."""
        device, layout = self.model_.g.vector.device, self.layout_
        state = torch.from_numpy(layout.encode(rows)).to(device)
        return state, torch.from_numpy(layout.spread(layout.seen(rows))).to(device)

    def _mask(self, rows: Incomplete) -> Tensor:
        """r (n, d) float, columns in the state's order"""
        return torch.from_numpy(self.layout_.seen(rows)).float().to(self.model_.g.vector.device)

    def _first_completion(self, x: Tensor, seen: Tensor) -> Tensor:
        """Nearest neighbours among the training rows; the column's mean where there are none."""
        return knn_complete(x, seen, self.donors_, self.donors_seen_, NEIGHBOURS, self.center_)

    def _reporter(self, phase: str, total: int) -> Callable[[int, float], None]:
        self.monitor.progress(phase, 0, total)
        return lambda done, loss: self.monitor.progress(phase, done, total, loss=loss)

    def _threads(self) -> AbstractContextManager[None]:
        """One thread for layers too small to share."""
        settings = self.training
        widest = max(*settings.g_units, self.model_.heads.raw_width)
        small = settings.batch_size * max(settings.g_units) * widest < SMALL
        return threads(1 if small else torch.get_num_threads())
