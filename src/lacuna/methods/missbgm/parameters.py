"""Step (iii) of Algorithm 1: one Adam step for the parameters of g and one for those of f."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.methods.missbgm.dense_adam import Adam, no_moments, step_
from lacuna.methods.missbgm.model import Model
from lacuna.nets.flipout import GaussianWeights, divergence, flipout
from lacuna.nets.perceptron import views


class PointParameters:
    """Plain parameters; derivatives written out.

    Args:
        adams: of g and of f.
        weight_decay: times the sum of squares of a network's parameters, added to its loss.
    """

    def __init__(self, model: Model, adams: tuple[Adam, Adam], weight_decay: float) -> None:
        self.model, self.adams, self.weight_decay = model, adams, weight_decay
        self.vectors = [model.g.vector, model.f.vector]
        self.moments = [no_moments(v) for v in self.vectors]
        self.gradients = [torch.zeros_like(v) for v in self.vectors]
        self.parts = [views(gradient, net.shapes) for gradient, net in zip(self.gradients, model.nets, strict=True)]

    @property
    def state(self) -> list[Tensor]:
        """Everything that a step changes."""
        g = self.model.g
        return [*self.vectors, *(t for m in self.moments for t in m), g.moving_mean, g.moving_variance]

    def step(self, z: Tensor, x: Tensor, r: Tensor, time: Tensor) -> None:
        """Move both parameter vectors down the loss of this batch, its mean over rows divided by the columns."""
        scale = 1 / r.numel()
        self._generator_gradient(z, x, scale)
        self._missingness_gradient(x, r, scale)
        for vector, gradient, moments, adam in zip(self.vectors, self.gradients, self.moments, self.adams, strict=True):
            if self.weight_decay:
                gradient.add_(vector, alpha=2 * self.weight_decay)
            step_([vector], [gradient], [moments], time, adam)

    def _generator_gradient(self, z: Tensor, x: Tensor, scale: float) -> None:
        g, (by_gamma, by_shift, *by_layers) = self.model.g, self.parts[0]
        standard = g.normalised(z)
        activations = g.network.forward(torch.addcmul(g.shift, standard, g.gamma))
        upstream = g.heads.by_raw(activations[-1], x, scale)
        by_input = g.network.to_parameters(activations, upstream, by_layers) @ g.network.weights[0].T
        torch.sum(by_input, 0, out=by_shift)
        torch.sum(by_input * standard, 0, out=by_gamma)

    def _missingness_gradient(self, x: Tensor, r: Tensor, scale: float) -> None:
        network = self.model.f.network
        activations = network.forward(x)
        network.to_parameters(activations, (torch.sigmoid(activations[-1]) - r).mul_(scale), self.parts[1])


class BayesianParameters:
    """Variational posteriors over the weights of g and f, trained by Flipout (equation 10).

    Args:
        model: gets ``posteriors`` around the parameters that it has.
        kl_weight: tau, times the divergence from the prior in each loss.
        generator: of weight noise and flips, on the model's device.
    """

    def __init__(self, model: Model, adams: tuple[Adam, Adam], kl_weight: float, generator: torch.Generator) -> None:
        self.model, self.adams, self.kl_weight, self.generator = model, adams, kl_weight, generator
        model.posteriors = tuple(GaussianWeights(net.vector, net.shapes) for net in model.nets)
        self.moments = [[no_moments(q.mean), no_moments(q.raw_sd)] for q in model.posteriors]

    @property
    def state(self) -> list[Tensor]:
        """Everything that a step changes."""
        g, f = self.model.g, self.model.f
        tensors = [g.vector, f.vector, g.moving_mean, g.moving_variance]
        for q, moments in zip(self.model.posteriors, self.moments, strict=True):
            tensors += [q.mean, q.raw_sd, *(t for m in moments for t in m)]
        return tensors

    def step(self, z: Tensor, x: Tensor, r: Tensor, time: Tensor) -> None:
        """Move both posteriors down the negative evidence bound of this batch, divided by the columns."""
        g, f = self.model.g, self.model.f
        standard = g.normalised(z)

        def generator_loss(means: Sequence[Tensor], changes: Sequence[Tensor]) -> Tensor:
            gamma, shift, *layers = means
            raw = flipout(standard * gamma + shift, layers, changes[2:], self.generator)
            return g.heads.negative_log_likelihood(raw, x).mean()

        def missingness_loss(means: Sequence[Tensor], changes: Sequence[Tensor]) -> Tensor:
            return f.negative_log_likelihood(flipout(x, means, changes, self.generator), r).mean()

        losses = (generator_loss, missingness_loss)
        for q, moments, adam, loss in zip(self.model.posteriors, self.moments, self.adams, losses, strict=True):
            mean, raw_sd = q.mean.detach().requires_grad_(), q.raw_sd.detach().requires_grad_()
            noise = torch.randn(mean.shape, generator=self.generator, device=mean.device)
            change = F.softplus(raw_sd) * q.is_weight * noise
            value = loss(views(mean, q.shapes), views(change, q.shapes))
            bound = (value + self.kl_weight * divergence(mean, raw_sd, q.is_weight)) / r.shape[1]
            gradients = torch.autograd.grad(bound, [mean, raw_sd])
            step_([q.mean, q.raw_sd], list(gradients), moments, time, adam)
