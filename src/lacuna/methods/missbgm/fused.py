"""A mini-batch's visit (Algorithm 1) in three kernels instead of three hundred.

The visits of a fit depend on each other, and each moves so few numbers that a GPU spends its time between kernels.
One program therefore carries a whole batch through the inner loop and both networks, weights streaming by from the
cache; two more kernels, spread over the GPU, step the parameters. Networks of equal layers, numeric columns only;
products in TF32 with error correction, which is float32 to a few of its last digits.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from lacuna.backend.kernels import allowed
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.local import Rows
from lacuna.methods.missbgm.model import NORM_EPSILON, NORM_MOMENTUM, VARIANCE_FLOOR, Generator, Missingness, Model
from lacuna.methods.missbgm.parameters import PointParameters
from lacuna.methods.missbgm.settings import LocalSteps
from lacuna.nets.perceptron import SLOPE

try:
    import triton
    import triton.language as tl
except ImportError:  # CPU builds of torch
    triton = None

WIDEST, MOST_ROWS = 128, 64  # of a layer, of a batch: what one program holds
LEAST_TILE = 16  # rows and columns of the smallest matrix product
PARAMETERS = 512  # that one program steps


def serves(device: torch.device, model: Model, batch: int) -> bool:
    """Whether ``FusedVisit`` can take such batches there, if the parameters are plain ones."""
    widths = [[len(b) for b in net.network.biases[:-1]] for net in model.nets]
    return (
        allowed()
        and triton is not None
        and device.type == "cuda"
        and model.heads.blocks[0] == 0
        and all(len(set(units)) == 1 for units in widths)
        and max(model.heads.n, len(model.g.moving_mean), *(w for units in widths for w in units)) <= WIDEST
        and batch <= MOST_ROWS
    )


class FusedVisit:
    """What ``fitting.alternate`` does with one batch, where ``serves`` says so.

    Args:
        coasts: see ``dense_adam.Adam.coasts``.
        clock, last: see ``fitting.alternate``; they and ``rows`` are moved in place.
    """

    def __init__(
        self,
        rows: Rows,
        r: Tensor,
        model: Model,
        parameters: PointParameters,
        steps: LocalSteps,
        coasts: Tensor,
        clock: Tensor,
        last: Tensor,
    ) -> None:
        self.rows, self.r, self.model, self.parameters, self.steps = rows, r.contiguous(), model, parameters, steps
        self.coasts, self.clock, self.last = coasts, clock, last
        self.traces = Traces(model, r.device)

    def __call__(self, chosen: Tensor) -> Tensor:
        """Rows number ``chosen`` (b,) move, then the parameters; returns the clock."""
        rows, g, f, steps, traces = self.rows, self.model.g, self.model.f, self.steps, self.traces
        b1, b2 = steps.z.betas
        _visit[(1,)](
            *(chosen, self.clock, self.coasts, rows.z, *rows.z_moments, rows.numeric, *rows.x_moments),
            *(self.last, self.r, g.vector, f.vector, g.moving_mean, g.moving_variance, traces.inputs, traces.upstream),
            *(len(chosen), len(self.coasts) - 1, steps.z.lr, steps.x.lr, b1, b2, math.log2(b1), math.log2(b2)),
            *(math.log2(steps.z.fade), steps.z.epsilon, steps.clip, self.model.beta),
            **traces.sizes,
            batch=max(LEAST_TILE, triton.next_power_of_2(len(chosen))),
            inner=steps.inner,
            dense=steps.momentum == "dense",
            masked=self.model.beta != 0,
            num_warps=8,
            num_stages=2,
        )
        self.clock.add_(steps.inner)
        moved = zip(self.parameters.vectors, self.parameters.moments, self.parameters.adams, traces.places, strict=True)
        for vector, moments, adam, (by_input, by_upstream) in moved:
            self._step_parameters(vector, *moments, adam, by_input, by_upstream, len(chosen))
        return self.clock

    def _step_parameters(
        self, vector: Tensor, mean: Tensor, square: Tensor, adam: Adam, inputs: Tensor, upstream: Tensor, n_rows: int
    ) -> None:
        b1, b2 = adam.betas
        _step_parameters[(triton.cdiv(len(vector), PARAMETERS),)](
            *(vector, mean, square, inputs, upstream, self.traces.inputs, self.traces.upstream, self.clock),
            *(len(vector), adam.lr, b1, b2, math.log2(b1), math.log2(b2), adam.epsilon),
            *(2 * self.parameters.weight_decay,),
            n_rows=n_rows,
            inner=self.steps.inner,
            stride=self.traces.sizes["stride"],
            block=PARAMETERS,
        )


class Traces:
    """Inputs of the layers and derivatives by their outputs, of one mini-batch, for the derivatives by the parameters.

    Each parameter's derivative is the product of one column of ``inputs`` and one of ``upstream``, both
    (MOST_ROWS, stride), summed over rows.
    """

    def __init__(self, model: Model, device: torch.device) -> None:
        d, n = len(model.g.moving_mean), model.heads.n
        shapes = [(len(net.network.biases[0]), len(net.network.biases) - 1) for net in model.nets]
        (g_units, g_layers), (f_units, f_layers) = shapes
        g_hidden, f_hidden = g_units * g_layers, f_units * f_layers
        # columns of inputs: 1, standardised z, g's input, g's layers, x, f's layers; of upstream: by g's input, its
        # layers, its output, f's layers, its output
        starts = [0, 1, 1 + d, 1 + 2 * d, 1 + 2 * d + g_hidden, 1 + 2 * d + g_hidden + n]
        ends = [0, d, d + g_hidden, d + g_hidden + 2 * n, d + g_hidden + 2 * n + f_hidden]
        stride = max(starts[-1] + f_hidden, ends[-1] + n)
        self.inputs, self.upstream = (torch.zeros(MOST_ROWS, stride, device=device) for _ in range(2))
        self.inputs[:, 0] = 1
        columns = torch.arange(stride, device=device)
        normal = [(columns[1 : 1 + d], columns[:d]), (torch.zeros_like(columns[:d]), columns[:d])]
        self.places = [
            _places(model.g, starts[2], starts[3], ends[1], columns, normal),
            _places(model.f, starts[4], starts[5], ends[3], columns, []),
        ]
        self.sizes = {
            **{"d": d, "n": n, "stride": stride},
            **{"g_units": g_units, "g_layers": g_layers, "f_units": f_units, "f_layers": f_layers},
            **{f"{k}_tile": max(LEAST_TILE, triton.next_power_of_2(w)) for k, w in (("d", d), ("n", n))},
            **{f"{k}_tile": max(LEAST_TILE, triton.next_power_of_2(w)) for k, w in (("g", g_units), ("f", f_units))},
        }


def _places(
    net: Generator | Missingness,
    first: int,
    hidden: int,
    upstream: int,
    columns: Tensor,
    places: list[tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor]:
    """For each parameter of a network its columns of inputs and of upstream.

    Args:
        first, hidden: columns where its input and its layers begin; ``upstream``: where its layers' upstream does.
        places: those of the parameters before the first layer.
    """
    widths = [len(net.network.weights[0]), *(len(b) for b in net.network.biases)]
    starts = [first, *(hidden + sum(widths[1 : 1 + i]) for i in range(len(widths) - 2))]
    for i, (a, b) in enumerate(pairwise(widths)):
        inputs, outputs = columns[starts[i] : starts[i] + a], columns[upstream : upstream + b]
        places = [*places, (inputs.repeat_interleave(b), outputs.repeat(a)), (torch.zeros_like(outputs), outputs)]
        upstream += b
    by_input, by_upstream = (torch.cat(parts).int() for parts in zip(*places, strict=True))
    return by_input, by_upstream


if triton is not None:
    _SLOPE, _FLOOR = tl.constexpr(SLOPE), tl.constexpr(VARIANCE_FLOOR)
    _EPSILON, _NEW = tl.constexpr(NORM_EPSILON), tl.constexpr(1 - NORM_MOMENTUM)

    @triton.jit
    def _tile(
        at, n_rows: tl.constexpr, n_columns: tl.constexpr, stride: tl.constexpr, rows: tl.constexpr,
        columns: tl.constexpr,
    ):  # fmt: skip
        """A matrix in memory, zeros around it."""
        i, j = tl.arange(0, rows)[:, None], tl.arange(0, columns)[None, :]
        return tl.load(at + i * stride + j, mask=(i < n_rows) & (j < n_columns), other=0.0)

    @triton.jit
    def _row(at, n_columns: tl.constexpr, columns: tl.constexpr):
        j = tl.arange(0, columns)
        return tl.load(at + j, mask=j < n_columns, other=0.0)[None, :]

    @triton.jit
    def _keep(at, values, n_columns: tl.constexpr, stride: tl.constexpr, batch: tl.constexpr, columns: tl.constexpr):
        i, j = tl.arange(0, batch)[:, None], tl.arange(0, columns)[None, :]
        tl.store(at + i * stride + j, values, mask=(j < n_columns) & (i >= 0))

    @triton.jit
    def _product(a, b):
        return tl.dot(a, b, input_precision="tf32x3")

    @triton.jit
    def _hidden(
        x, net, traces, n_inputs: tl.constexpr, units: tl.constexpr, layers: tl.constexpr, stride: tl.constexpr,
        batch: tl.constexpr, inputs: tl.constexpr, tile: tl.constexpr,
    ):  # fmt: skip
        """The last hidden layer (batch, tile) of ``net`` at x; all layers are kept in ``traces``."""
        a = _product(x, _tile(net, n_inputs, units, units, inputs, tile)) + _row(net + n_inputs * units, units, tile)
        a = tl.where(a > 0, a, _SLOPE * a)
        _keep(traces, a, units, stride, batch, tile)
        for layer in range(1, layers):
            weight = net + n_inputs * units + units + (layer - 1) * (units * units + units)
            a = _product(a, _tile(weight, units, units, units, tile, tile)) + _row(weight + units * units, units, tile)
            a = tl.where(a > 0, a, _SLOPE * a)
            _keep(traces + layer * units, a, units, stride, batch, tile)
        tl.debug_barrier()
        return a

    @triton.jit
    def _back(
        upstream, net, traces, kept, n_inputs: tl.constexpr, units: tl.constexpr, layers: tl.constexpr,
        stride: tl.constexpr, batch: tl.constexpr, inputs: tl.constexpr, tile: tl.constexpr,
    ):  # fmt: skip
        """Derivative by the input (batch, inputs) from that by the last hidden layer; the layers' go to ``kept``."""
        a = _tile(traces + (layers - 1) * units, batch, units, stride, batch, tile)
        upstream = tl.where(a > 0, upstream, _SLOPE * upstream)
        _keep(kept + (layers - 1) * units, upstream, units, stride, batch, tile)
        for i in range(1, layers):
            layer = layers - i
            weight = net + n_inputs * units + units + (layer - 1) * (units * units + units)
            upstream = _product(upstream, tl.trans(_tile(weight, units, units, units, tile, tile)))
            a = _tile(traces + (layer - 1) * units, batch, units, stride, batch, tile)
            upstream = tl.where(a > 0, upstream, _SLOPE * upstream)
            _keep(kept + (layer - 1) * units, upstream, units, stride, batch, tile)
        return _product(upstream, tl.trans(_tile(net, n_inputs, units, units, inputs, tile)))

    @triton.jit
    def _adam(value, gradient, mean, square, time, lr, b1, b2, log_b1, log_b2, epsilon):
        mean = mean + (gradient - mean) * (1 - b1)
        square = b2 * square + (1 - b2) * gradient * gradient
        rate = lr / (1 - tl.exp2(time * log_b1))
        spread = tl.sqrt(square) / tl.sqrt(1 - tl.exp2(time * log_b2)) + epsilon
        return value - rate * mean / spread, mean, square

    @triton.jit
    def _clipped(gradient, norm):
        length = tl.sqrt(tl.sum(tl.sum(gradient * gradient, 1), 0))
        return gradient / tl.maximum(length / norm, 1.0)

    @triton.jit
    def _gaussian(a, head, units: tl.constexpr, n: tl.constexpr, tile: tl.constexpr, n_tile: tl.constexpr):
        """Mean, raw variance and variance (batch, n_tile) from g's last hidden layer."""
        bias = head + units * 2 * n
        mean = _product(a, _tile(head, units, n, 2 * n, tile, n_tile)) + _row(bias, n, n_tile)
        raw = _product(a, _tile(head + n, units, n, 2 * n, tile, n_tile)) + _row(bias + n, n, n_tile)
        softplus = tl.maximum(raw, 0.0) + tl.log(1 + tl.exp(-tl.abs(raw)))
        return mean, raw, softplus + _FLOOR

    @triton.jit
    def _by_output(x, mean, raw, variance, there, scale):
        """Derivatives of ``scale`` times the negative log likelihood by means and raw variances."""
        pull = (x - mean) / variance
        by_raw = 0.5 * scale * (1 / variance - pull * pull) * tl.sigmoid(raw)
        return tl.where(there, -scale * pull, 0.0), tl.where(there, by_raw, 0.0)

    @triton.jit
    def _by_last(by_mean, by_raw, head, units: tl.constexpr, n: tl.constexpr, tile: tl.constexpr, n_tile: tl.constexpr):
        """From there to the last hidden layer."""
        up = _product(by_mean, tl.trans(_tile(head, units, n, 2 * n, tile, n_tile)))
        return up + _product(by_raw, tl.trans(_tile(head + n, units, n, 2 * n, tile, n_tile)))

    @triton.jit
    def _by_logits(
        x, r, there, scale, f, head, traces, n: tl.constexpr, units: tl.constexpr, layers: tl.constexpr,
        stride: tl.constexpr, batch: tl.constexpr, n_tile: tl.constexpr, tile: tl.constexpr,
    ):  # fmt: skip
        """Derivative of ``scale`` times the mask's cross-entropy by f's output and by its last hidden layer."""
        last = _hidden(x, f, traces, n, units, layers, stride, batch, n_tile, tile)
        weight = _tile(head, units, n, n, tile, n_tile)
        logits = _product(last, weight) + _row(head + units * n, n, n_tile)
        up = tl.where(there, (tl.sigmoid(logits) - r) * scale, 0.0)
        return up, _product(up, tl.trans(weight))

    @triton.jit(do_not_specialize=["n_chosen"])  # else the last, smaller batch compiles all of it once more
    def _visit(  # noqa: PLR0915
        chosen_, clock_, coasts_, z_, z_mean_, z_square_, x_, x_mean_, x_square_, last_, r_, g_, f_,
        moving_mean_, moving_variance_, inputs_, upstream_, n_chosen, end, lr_z, lr_x, b1, b2, log_b1, log_b2,
        log_fade, epsilon, clip, beta,
        d: tl.constexpr, n: tl.constexpr, stride: tl.constexpr, g_units: tl.constexpr, g_layers: tl.constexpr,
        f_units: tl.constexpr, f_layers: tl.constexpr, d_tile: tl.constexpr, n_tile: tl.constexpr,
        g_tile: tl.constexpr, f_tile: tl.constexpr, batch: tl.constexpr, inner: tl.constexpr, dense: tl.constexpr,
        masked: tl.constexpr,
    ):  # fmt: skip
        i, jd, jn = tl.arange(0, batch), tl.arange(0, d_tile)[None, :], tl.arange(0, n_tile)[None, :]
        here = i < n_chosen
        row = tl.load(chosen_ + i, mask=here, other=0)
        at_z, in_z = row[:, None] * d + jd, here[:, None] & (jd < d)
        at_x, in_x = row[:, None] * n + jn, here[:, None] & (jn < n)
        z, z_mean = tl.load(z_ + at_z, mask=in_z, other=0.0), tl.load(z_mean_ + at_z, mask=in_z, other=0.0)
        x, x_mean = tl.load(x_ + at_x, mask=in_x, other=0.0), tl.load(x_mean_ + at_x, mask=in_x, other=0.0)
        z_square = tl.load(z_square_ + at_z, mask=in_z, other=0.0)
        x_square = tl.load(x_square_ + at_x, mask=in_x, other=0.0)
        r = tl.load(r_ + at_x, mask=in_x, other=1.0)
        clock = tl.load(clock_)
        if dense:  # what momentum has done since the rows' last visit: dense_adam
            last = tl.load(last_ + row, mask=here, other=0)
            gap = (clock - last).to(tl.float32)
            ahead = tl.load(coasts_ + tl.minimum(clock, end))
            weight = (tl.load(coasts_ + tl.minimum(last, end)) - tl.exp2(gap * log_fade) * ahead)[:, None]
            z -= lr_z * weight * z_mean / (tl.sqrt(z_square) + epsilon)
            x -= lr_x * weight * x_mean / (tl.sqrt(x_square) + epsilon)
            fade_mean, fade_square = tl.exp2(gap * log_b1)[:, None], tl.exp2(gap * log_b2)[:, None]
            z_mean, x_mean = z_mean * fade_mean, x_mean * fade_mean
            z_square, x_square = z_square * fade_square, x_square * fade_square

        g = g_ + 2 * d
        g_head = g + d * g_units + g_units + (g_layers - 1) * (g_units * g_units + g_units)
        f_head = f_ + n * f_units + f_units + (f_layers - 1) * (f_units * f_units + f_units)
        g_inputs, f_inputs = inputs_ + 1 + d, inputs_ + 1 + 2 * d + g_units * g_layers
        g_traces, f_traces = g_inputs + d, f_inputs + n
        g_upstream, g_output = upstream_ + d, upstream_ + d + g_units * g_layers
        f_upstream, f_output = g_output + 2 * n, g_output + 2 * n + f_units * f_layers
        # g with its normalisation by the moving moments
        gamma, shift = _row(g_, d, d_tile), _row(g_ + d, d, d_tile)
        moving_mean, moving_variance = _row(moving_mean_, d, d_tile), _row(moving_variance_, d, d_tile)
        factor = gamma / tl.sqrt(moving_variance + _EPSILON)
        scale = 1.0 / (n_chosen * n)
        u = (z - moving_mean) * factor + shift
        a = _hidden(u, g, g_traces, d, g_units, g_layers, stride, batch, d_tile, g_tile)
        mean, raw, variance = _gaussian(a, g_head, g_units, n, g_tile, n_tile)
        for k in range(inner):
            time = (clock + k + 1).to(tl.float32)
            by_mean, by_raw = _by_output(x, mean, raw, variance, in_x, scale)
            by_z = _by_last(by_mean, by_raw, g_head, g_units, n, g_tile, n_tile)
            by_z = _back(by_z, g, g_traces, g_upstream, d, g_units, g_layers, stride, batch, d_tile, g_tile)
            by_z = _clipped(by_z * factor + scale * z, clip)
            z, z_mean, z_square = _adam(z, by_z, z_mean, z_square, time, lr_z, b1, b2, log_b1, log_b2, epsilon)

            tl.debug_barrier()
            u = (z - moving_mean) * factor + shift
            a = _hidden(u, g, g_traces, d, g_units, g_layers, stride, batch, d_tile, g_tile)
            mean, raw, variance = _gaussian(a, g_head, g_units, n, g_tile, n_tile)
            by_x = (x - mean) / variance
            if masked:
                _, by_f = _by_logits(
                    x, r, in_x, beta, f_, f_head, f_traces, n, f_units, f_layers, stride, batch, n_tile, f_tile
                )  # fmt: skip
                by_x += _back(by_f, f_, f_traces, f_upstream, n, f_units, f_layers, stride, batch, n_tile, f_tile)
            by_x = _clipped(by_x * (1 - r) * scale, clip)
            x, x_mean, x_square = _adam(x, by_x, x_mean, x_square, time, lr_x, b1, b2, log_b1, log_b2, epsilon)
        tl.store(z_ + at_z, z, mask=in_z)
        tl.store(z_mean_ + at_z, z_mean, mask=in_z)
        tl.store(z_square_ + at_z, z_square, mask=in_z)
        tl.store(x_ + at_x, x, mask=in_x)
        tl.store(x_mean_ + at_x, x_mean, mask=in_x)
        tl.store(x_square_ + at_x, x_square, mask=in_x)
        tl.store(last_ + row, clock + inner, mask=here)

        # both networks once more at the moved rows, for their parameters; g normalised by the batch's own moments
        middle = (tl.sum(tl.where(in_z, z, 0.0), 0) / n_chosen)[None, :]
        away = tl.where(in_z, z - middle, 0.0)
        spread = (tl.sum(away * away, 0) / n_chosen)[None, :]
        tl.store(moving_mean_ + jd, moving_mean + (middle - moving_mean) * _NEW, mask=jd < d)
        tl.store(moving_variance_ + jd, moving_variance + (spread - moving_variance) * _NEW, mask=jd < d)
        standard = away / tl.sqrt(spread + _EPSILON)
        u = standard * gamma + shift
        _keep(inputs_ + 1, standard, d, stride, batch, d_tile)
        _keep(g_inputs, u, d, stride, batch, d_tile)
        _keep(f_inputs, x, n, stride, batch, n_tile)
        tl.debug_barrier()
        a = _hidden(u, g, g_traces, d, g_units, g_layers, stride, batch, d_tile, g_tile)
        mean, raw, variance = _gaussian(a, g_head, g_units, n, g_tile, n_tile)
        by_mean, by_raw = _by_output(x, mean, raw, variance, in_x, scale)
        _keep(g_output, by_mean, n, stride, batch, n_tile)
        _keep(g_output + n, by_raw, n, stride, batch, n_tile)
        by_u = _by_last(by_mean, by_raw, g_head, g_units, n, g_tile, n_tile)
        by_u = _back(by_u, g, g_traces, g_upstream, d, g_units, g_layers, stride, batch, d_tile, g_tile)
        _keep(upstream_, by_u, d, stride, batch, d_tile)
        by_logits, by_f = _by_logits(
            x, r, in_x, scale, f_, f_head, f_traces, n, f_units, f_layers, stride, batch, n_tile, f_tile
        )  # fmt: skip
        _keep(f_output, by_logits, n, stride, batch, n_tile)
        _back(by_f, f_, f_traces, f_upstream, n, f_units, f_layers, stride, batch, n_tile, f_tile)

    @triton.jit
    def _step_parameters(
        vector_, mean_, square_, by_input_, by_upstream_, inputs_, upstream_, clock_, n, lr, b1, b2,
        log_b1, log_b2, epsilon, decay, n_rows: tl.constexpr, inner: tl.constexpr, stride: tl.constexpr,
        block: tl.constexpr,
    ):  # fmt: skip
        p = tl.program_id(0) * block + tl.arange(0, block)
        there = p < n
        a, u = tl.load(by_input_ + p, mask=there, other=0), tl.load(by_upstream_ + p, mask=there, other=0)
        value = tl.load(vector_ + p, mask=there, other=0.0)
        mean, square = tl.load(mean_ + p, mask=there, other=0.0), tl.load(square_ + p, mask=there, other=0.0)
        gradient = decay * value
        for row in range(n_rows):
            gradient += tl.load(inputs_ + row * stride + a) * tl.load(upstream_ + row * stride + u)
        time = (tl.load(clock_) // inner).to(tl.float32)
        value, mean, square = _adam(value, gradient, mean, square, time, lr, b1, b2, log_b1, log_b2, epsilon)
        tl.store(vector_ + p, value, mask=there)
        tl.store(mean_ + p, mean, mask=there)
        tl.store(square_ + p, square, mask=there)
