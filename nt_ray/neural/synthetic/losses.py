"""What generator and critic make small.

The game is the relativistic one: a critic is asked for differences of scores between a real and a generated window,
with zero-centred gradient penalties on both. It needs one critic step a generator step and converges locally, which
the Wasserstein game with its several critic steps does more slowly on one core. Two penalties tell the generator of
what a critic of short windows learns last: the curves of `dependence` over many lags, and the quantiles of returns.

Source: Huang, Gokaslan, Kuleshov and Tompkin (2024), The GAN is dead; long live the GAN! A modern GAN baseline;
penalties: Mescheder, Geiger and Nowozin (2018), Which training methods for GANs do actually converge?
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def generator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Mean of softplus(real - generated) over paired scores (B,)."""
    return functional.softplus(real - generated).mean()


def critic_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Mean of softplus(generated - real) over paired scores (B,)."""
    return functional.softplus(generated - real).mean()


def gradient_penalty(critic: nn.Module, windows: Tensor) -> Tensor:
    """Mean over windows (B, W) of the squared norm of the critic's gradient there; differentiable."""
    windows = windows.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(windows).sum(), windows, create_graph=True)
    return gradient.square().sum(dim=1).mean()


def dependence_penalty(generated: Tensor, target: Tensor) -> Tensor:
    """Squared distance of the mean curve from a target, without the bias of sampling noise.

    Parameters
    ----------
    generated
        (K, P, lags) curves of P >= 2 paths.
    target
        (K, lags).

    Returns
    -------
    Sum over curves and mean over lags of the product of the errors of two halves of the paths. Its expectation is the
    squared error of the expected curve, which the plain square exceeds by the variance; a batch may be below zero.
    """
    half = generated.shape[1] // 2
    errors = [part.mean(dim=1) - target for part in (generated[:, :half], generated[:, half:])]
    return (errors[0] * errors[1]).mean(dim=1).sum()


def quantile_penalty(generated: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance of the quantiles of all values of generated from target (Q,), at (i + 1/2) / Q."""
    count = len(target)
    ordered = generated.flatten().sort().values
    place = ((torch.arange(count, device=ordered.device) + 0.5) / count * len(ordered)).long()
    return (ordered[place] - target).square().mean()
