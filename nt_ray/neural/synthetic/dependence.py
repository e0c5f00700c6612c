"""Lagged correlations of series, by fast Fourier transform, in torch so that a loss can look at them.

Correlation at lag k of a (n,) with b is sum over t of (a_t - mean a)(b_{t+k} - mean b) / (n - k), over the product of
the deviations of the whole series. The divisor n - k makes lags comparable at the price of a little more noise.
"""

import torch
from torch import Tensor

KINDS = ("returns", "absolute", "squares", "leverage")
"""Autocorrelation of r, |r| and r^2, and correlation of r_t with r_{t+k}^2."""


def correlations(a: Tensor, b: Tensor, lags: int) -> Tensor:
    """Correlations (..., lags) of a_t with b_{t+k}, k = 1 .. lags; a and b are (..., n), n > lags."""
    length = a.shape[-1]
    size = 1 << (length + lags).bit_length()
    a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
    spectrum = torch.fft.rfft(a, size).conj() * torch.fft.rfft(b, size)
    sums = torch.fft.irfft(spectrum, size)[..., 1 : lags + 1]
    pairs = length - torch.arange(1, lags + 1, dtype=a.dtype, device=a.device)
    scale = (a.square().mean(-1, keepdim=True) * b.square().mean(-1, keepdim=True)).sqrt()
    found: Tensor = sums / pairs / scale
    return found


def curves(returns: Tensor, lags: int) -> Tensor:
    """The curves of `KINDS`, (4, ..., lags), of returns (..., n)."""
    sizes, squares = returns.abs(), returns.square()
    pairs = ((returns, returns), (sizes, sizes), (squares, squares), (returns, squares))
    return torch.stack([correlations(a, b, lags) for a, b in pairs])
